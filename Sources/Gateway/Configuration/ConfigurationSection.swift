import Operations
import Yams

/// A line and column, both from 1.
struct SourcePlace {
    let line: Int
    let column: Int

    init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    init(_ mark: Mark) {
        self.init(line: mark.line, column: mark.column)
    }
}

/// Collects the faults of one file while its sections are read.
final class FaultCollector {
    let file: String
    let environment: [String: String]
    let folder: String
    private(set) var faults: [ConfigurationFault] = []
    private(set) var warnings: [ConfigurationFault] = []

    init(file: String, folder: String, environment: [String: String]) {
        self.file = file
        self.folder = folder
        self.environment = environment
    }

    func report(_ message: String, key: String, at place: SourcePlace?) {
        faults.append(fault(message, key: key, at: place))
    }

    func warn(_ message: String, key: String, at place: SourcePlace?) {
        warnings.append(fault(message, key: key, at: place))
    }

    private func fault(_ message: String, key: String, at place: SourcePlace?) -> ConfigurationFault {
        ConfigurationFault(
            file: file,
            line: place?.line ?? 0,
            column: place?.column ?? 0,
            key: key,
            message: message
        )
    }
}

/// Reads one mapping of the file strictly: every key once, of the right type, and none left over.
struct ConfigurationSection {
    let path: String
    let place: SourcePlace?
    private let entries: [String: (key: Node, value: Node)]
    private let collector: FaultCollector

    /// nil, with a fault reported, when the node is no mapping.
    init?(_ node: Node, path: String, knownKeys: [String], collector: FaultCollector) {
        self.path = path
        self.collector = collector
        place = node.mark.map(SourcePlace.init)
        guard case .mapping(let mapping) = node else {
            collector.report("must be a mapping of keys to values", key: path, at: place)
            return nil
        }
        var entries: [String: (key: Node, value: Node)] = [:]
        for (key, value) in mapping {
            guard let name = key.string else {
                collector.report("has a key that is not text", key: path, at: key.mark.map(SourcePlace.init))
                continue
            }
            guard knownKeys.contains(name) else {
                let near = Self.nearest(to: name, in: knownKeys).map { "; did you mean \($0)?" } ?? ""
                collector.report(
                    "unknown key\(near)",
                    key: Self.join(path, name),
                    at: key.mark.map(SourcePlace.init)
                )
                continue
            }
            entries[name] = (key, value)
        }
        self.entries = entries
    }

    func report(_ message: String, at key: String) {
        let entry = entries[key]
        let mark = entry?.value.mark ?? entry?.key.mark
        collector.report(message, key: Self.join(path, key), at: mark.map(SourcePlace.init) ?? place)
    }

    func warn(_ message: String, at key: String) {
        guard let entry = entries[key] else { return }
        collector.warn(message, key: Self.join(path, key), at: entry.key.mark.map(SourcePlace.init))
    }

    func node(_ key: String) -> Node? {
        guard let value = entries[key]?.value else { return nil }
        if case .scalar(let scalar) = value, scalar.style == .plain,
            ["", "~", "null"].contains(scalar.string)
        {
            return nil
        }
        return value
    }

    func has(_ key: String) -> Bool {
        node(key) != nil
    }

    func section(_ key: String, _ knownKeys: [String]) -> ConfigurationSection? {
        guard let node = node(key) else { return nil }
        return ConfigurationSection(
            node,
            path: Self.join(path, key),
            knownKeys: knownKeys,
            collector: collector
        )
    }

    func sections(_ key: String, _ knownKeys: [String]) -> [ConfigurationSection] {
        guard let node = node(key) else { return [] }
        guard case .sequence(let items) = node else {
            report("must be a list", at: key)
            return []
        }
        return items.enumerated().compactMap { index, item in
            let path = "\(Self.join(path, key))[\(index)]"
            return ConfigurationSection(item, path: path, knownKeys: knownKeys, collector: collector)
        }
    }

    /// A mapping whose keys are names that the file gives, each with a mapping of these keys.
    func namedSections(
        _ key: String,
        _ knownKeys: [String]
    ) -> [(name: String, section: ConfigurationSection)] {
        entriesOfMapping(key).compactMap { name, value in
            let path = "\(Self.join(path, key)).\(name)"
            return ConfigurationSection(value, path: path, knownKeys: knownKeys, collector: collector)
                .map { (name, $0) }
        }
    }

    /// A mapping of names to texts, with `${VARIABLES}` replaced and `file:` read.
    func texts(_ key: String) -> [String: String]? {
        guard has(key) else { return nil }
        let entries = entriesOfMapping(key)
        guard
            let section = ConfigurationSection(
                Node(entries.map { (Node($0.name), $0.value) }),
                path: Self.join(path, key),
                knownKeys: entries.map(\.name),
                collector: collector
            )
        else { return nil }
        return Dictionary(entries.compactMap { name, _ in section.secret(name).map { (name, $0.value) } }) {
            $1
        }
    }

    private func entriesOfMapping(_ key: String) -> [(name: String, value: Node)] {
        guard let node = node(key) else { return [] }
        guard case .mapping(let mapping) = node else {
            report("must be a mapping of names", at: key)
            return []
        }
        return mapping.compactMap { name, value in
            guard let name = name.string else {
                report("has a key that is not text", at: key)
                return nil
            }
            return (name, value)
        }
    }

    /// Text with its `${VARIABLES}` replaced.
    func string(_ key: String) -> String? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node else {
            report("must be text", at: key)
            return nil
        }
        do throws(ConfigurationError) {
            return try VariableExpansion.expand(scalar.string, environment: collector.environment)
        } catch {
            report(error.message, at: key)
            return nil
        }
    }

    func strings(_ key: String) -> [String]? {
        guard let node = node(key) else { return nil }
        guard case .sequence(let items) = node else {
            report("must be a list of text", at: key)
            return nil
        }
        var result: [String] = []
        for item in items {
            guard case .scalar(let scalar) = item else {
                collector.report(
                    "must be text",
                    key: Self.join(path, key),
                    at: item.mark.map(SourcePlace.init)
                )
                continue
            }
            result.append(scalar.string)
        }
        return result
    }

    /// A relative path is meant from the configuration file's folder.
    func filePath(_ key: String) -> String? {
        string(key).map { $0.hasPrefix("/") ? $0 : collector.folder + "/" + $0 }
    }

    /// Plain text, `${NAME}`, or `file:/path` whose content is the value.
    func secret(_ key: String) -> Secret? {
        guard let text = string(key) else { return nil }
        guard text.hasPrefix("file:") else { return Secret(text) }
        let name = String(text.dropFirst(5))
        let path = name.hasPrefix("/") ? name : collector.folder + "/" + name
        do {
            return Secret(String(try TextFile.read(path).prefix { !$0.isNewline }))
        } catch {
            report("cannot read \(path): \(error)", at: key)
            return nil
        }
    }

    func read<Value>(_ key: String, into target: inout Value, _ parse: (String) -> Value?, expected: String) {
        guard let text = string(key) else { return }
        guard let value = parse(text) else {
            report("must be \(expected)", at: key)
            return
        }
        target = value
    }

    func read(_ key: String, into target: inout String) {
        if let text = string(key) { target = text }
    }

    func read(_ key: String, into target: inout Int, in range: ClosedRange<Int>) {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        read(key, into: &target, { Int($0).flatMap { range.contains($0) ? $0 : nil } }, expected: expected)
    }

    func read(_ key: String, into target: inout Bool) {
        read(key, into: &target, { ["true": true, "false": false][$0] }, expected: "true or false")
    }

    func read(_ key: String, into target: inout Duration) {
        read(key, into: &target, Duration.init(text:), expected: "a duration such as 500ms, 10s or 90d")
    }

    func read(_ key: String, into target: inout ByteCount) {
        read(key, into: &target, ByteCount.init(text:), expected: "a size such as 64kb or 10gb")
    }

    func read<Choice: RawRepresentable & CaseIterable>(_ key: String, into target: inout Choice)
    where Choice.RawValue == String {
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        read(key, into: &target, Choice.init(rawValue:), expected: "one of \(names)")
    }

    private static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    /// The known key within two edits of a mistyped one.
    private static func nearest(to name: String, in keys: [String]) -> String? {
        keys.map { (key: $0, distance: editDistance(Array(name.utf8), Array($0.utf8))) }
            .filter { $0.distance <= 2 }
            .min { $0.distance < $1.distance }?
            .key
    }

    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let substituted = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
            }
        }
        return row[right.count]
    }
}
