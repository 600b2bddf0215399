import ArgumentParser
import Foundation

/// The commands of the program; wiring only.
struct FastGateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fastgate",
        abstract: "An LLM/API gateway with its operations room built in.",
        version: Version.text,
        subcommands: [
            ServeCommand.self, ConsoleCommand.self, DemoCommand.self, StatusCommand.self, KeysCommand.self,
            PoolCommand.self, UpstreamsCommand.self, RulesCommand.self, LimitsCommand.self, TasksCommand.self,
            HeadersCommand.self, ScriptCommand.self, NotificationsCommand.self, ImportCommand.self,
            ExportCommand.self, LogsCommand.self, ExchangesCommand.self, StatsCommand.self,
            ChangesCommand.self, UndoCommand.self, OperatorsCommand.self, RotateMasterKeyCommand.self,
            BackupCommand.self, RestoreCommand.self, PurgeCommand.self,
            ReloadCommand.self,
            CheckCommand.self,
            MockUpstreamCommand.self, DocsCommand.self,
        ]
    )
}

extension FastGateCommand {
    /// Wrong usage ends with status 2 and one line, as the shell's own commands do; the rest is the parser's.
    static func main() async {
        do {
            let command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            let lines = message(for: error).split(separator: "\n").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            // A list of choices has a line for each.
            let choices = lines.first?.hasSuffix(":") == true ? lines.dropFirst() : []
            let message =
                ([lines.first ?? "wrong usage"]
                + choices.filter { $0.hasPrefix("- ") }.map { String($0.dropFirst(2)) })
                .joined(separator: " ")
            Output.errorLine("fastgate: \(message) (see --help)")
            Foundation.exit(2)
        }
    }
}

enum Version {
    static let text = "0.1.0"
}
