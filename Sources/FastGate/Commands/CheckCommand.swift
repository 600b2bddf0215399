import ArgumentParser
import Gateway

#if canImport(Glibc)
import Glibc
#endif

/// Validates a configuration without starting anything.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validate a configuration file and name every fault with its line and column.",
        discussion: "Example: fastgate check --config /etc/fastgate/fastgate.yaml"
    )

    @OptionGroup var file: ConfigurationOption
    @Flag(help: "Print faults as JSON.")
    var json = false

    func run() throws {
        let path = try file.path()
        do throws(ConfigurationFaults) {
            let loaded = try ConfigurationLoader.load(file: path, environment: Environment.all)
            for warning in loaded.warnings {
                Output.errorLine("warning: \(warning)")
            }
            let count = loaded.configuration.upstreams.count
            Output.line(
                json
                    ? "{\"ok\":true,\"faults\":[]}" : "\(path): ok, \(count) upstream\(count == 1 ? "" : "s")"
            )
        } catch {
            if json {
                Output.json(FaultJSON.text(error))
            } else {
                Output.errorLine(error.description)
            }
            throw ExitCode(1)
        }
    }
}

/// `--config`, the environment, then the two usual places.
struct ConfigurationOption: ParsableArguments {
    @Option(help: "The configuration file.")
    var config: String?

    func path() throws -> String {
        if let path = config ?? Self.known { return path }
        throw ValidationError(
            "there is no fastgate.yaml here and no /etc/fastgate/fastgate.yaml; name one with --config"
        )
    }

    /// The one that counts where none is named; nil when there is none.
    static var known: String? {
        Environment.value("FASTGATE_CONFIG")
            ?? ["fastgate.yaml", "/etc/fastgate/fastgate.yaml"].first { access($0, R_OK) == 0 }
    }
}

/// The process's environment, read once where it is needed.
enum Environment {
    static var all: [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let separator = text.firstIndex(of: "=") {
                result[String(text[..<separator])] = String(text[text.index(after: separator)...])
            }
            entry += 1
        }
        return result
    }

    /// nil when unset or empty.
    static func value(_ name: String) -> String? {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
        return value
    }
}

enum FaultJSON {
    static func text(_ faults: ConfigurationFaults) -> String {
        let items = faults.faults.map { fault in
            """
            {"file":\(quote(fault.file)),"line":\(fault.line),"column":\(fault.column),"key":\(quote(fault.key)),\
            "message":\(quote(fault.message))}
            """
        }
        return "{\"ok\":false,\"faults\":[\(items.joined(separator: ","))]}"
    }

    private static func quote(_ text: String) -> String {
        String(decoding: JSONText.quote(text), as: UTF8.self)
    }
}
