import Yams

/// A configuration that holds, and what in its file has no effect yet.
package struct LoadedConfiguration: Sendable {
    package let configuration: Configuration
    package let warnings: [ConfigurationFault]
}

/// Turns the file's text into a `Configuration`, or into every fault it has.
package enum ConfigurationLoader {
    package static func load(
        file: String,
        environment: [String: String]
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        let text: String
        do throws(SystemError) {
            text = try TextFile.read(file)
        } catch {
            let fault = ConfigurationFault(file: file, line: 0, column: 0, key: "", message: error.reason)
            throw ConfigurationFaults(faults: [fault])
        }
        return try load(text: text, file: file, environment: environment)
    }

    package static func load(
        text: String,
        file: String,
        environment: [String: String]
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        let collector = FaultCollector(file: file, folder: folder, environment: environment)
        let configuration = read(text, collector)
        guard collector.faults.isEmpty, let configuration else {
            let faults = collector.faults.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
            throw ConfigurationFaults(faults: faults)
        }
        return LoadedConfiguration(configuration: configuration, warnings: collector.warnings)
    }

    /// Where the file puts the operators' socket, as far as it can be read: for whoever only looks for the gateway,
    /// faults are `check`'s business.
    ///
    /// - Returns: `admin.socket`, nil where it is not set, and the socket in `storage.path`.
    package static func sockets(
        file: String,
        environment: [String: String]
    ) -> (named: String?, inData: String)? {
        // Whoever may not read the file finds the gateway by another way.
        guard let text = try? TextFile.read(file) else { return nil }
        let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        let collector = FaultCollector(file: file, folder: folder, environment: environment)
        // Not the whole: it may name secrets in files that are somebody else's.
        guard let node = compose(text, collector),
            let root = ConfigurationSection(node, path: "", knownKeys: topKeys, collector: collector)
        else { return nil }
        let (socket, path) = ServerSections.places(root)
        return (socket, (path ?? folder + "/" + Configuration().storage.path) + "/fastgate.sock")
    }

    private static func read(_ text: String, _ collector: FaultCollector) -> Configuration? {
        guard let root = compose(text, collector) else { return nil }
        guard let section = ConfigurationSection(root, path: "", knownKeys: topKeys, collector: collector)
        else {
            return nil
        }
        var configuration = Configuration()
        configuration.storage.path = collector.folder + "/" + configuration.storage.path
        ServerSections.read(section, into: &configuration)
        configuration.upstreams = UpstreamSections.read(section)
        NotificationSections.read(section, into: &configuration.notifications)
        return configuration
    }

    private static let topKeys = [
        "server", "cors", "admin", "storage", "time_zone", "limits", "rate_limits", "audit", "scripts",
        "notifications", "metrics", "upstreams",
    ]

    /// An empty file is a configuration of defaults.
    private static func compose(_ text: String, _ collector: FaultCollector) -> Node? {
        do {
            return try Yams.compose(yaml: text) ?? Node([:])
        } catch let error as YamlError {
            report(error, text, collector)
        } catch {
            collector.report("\(error)", key: "", at: nil)
        }
        return nil
    }

    private static func report(_ error: YamlError, _ text: String, _ collector: FaultCollector) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            collector.report(problem, key: "", at: SourcePlace(mark))
        case .duplicatedKeysInMapping(let duplicates, let context):
            for key in duplicates {
                collector.report(
                    "the key stands twice",
                    key: key,
                    at: place(of: key, in: text, after: SourcePlace(context.mark))
                )
            }
        case .reader(let problem, let offset, _, _):
            collector.report("\(problem) at byte \(offset ?? 0)", key: "", at: nil)
        default:
            collector.report("\(error)", key: "", at: nil)
        }
    }

    /// The second line at or after a mapping's start that begins with the key; else the mapping's start.
    private static func place(of key: String, in text: String, after mark: SourcePlace) -> SourcePlace {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var seen = 0
        for (index, line) in lines.enumerated().dropFirst(mark.line - 1) {
            let content = line.drop { $0 == " " || $0 == "-" }
            guard content.hasPrefix(key), content.dropFirst(key.count).first == ":" else { continue }
            seen += 1
            if seen == 2 { return SourcePlace(line: index + 1, column: line.count - content.count + 1) }
        }
        return mark
    }
}
