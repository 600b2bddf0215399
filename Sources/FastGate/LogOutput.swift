import Logging
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The gateway's own log: one JSON object a line on stderr.
enum LogOutput {
    /// `level`: what is written when `FASTGATE_LOG` does not say.
    static func bootstrap(level: Logger.Level = .info) -> Logger {
        let level = Environment.value("FASTGATE_LOG").flatMap(Logger.Level.init(rawValue:)) ?? level
        LoggingSystem.bootstrap { label in
            var handler = JSONLogHandler(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "fastgate")
    }
}

/// Writes each event as one line of JSON.
private struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = [
            "time": Clock.now().description, "level": event.level.rawValue,
            "message": event.message.description,
        ]
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
            fields[key] = value.description
        }
        // A dictionary of text always encodes.
        guard let line = try? JSONForm.text(fields) else { return }
        Output.errorLine(line)
    }
}
