import ArgumentParser

/// The `fastgate` program: commands and wiring only.
@main
struct FastGateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fastgate",
        abstract: "An LLM/API gateway with its operations room built in.",
        version: Version.text,
        subcommands: [
            ServeCommand.self, DemoCommand.self, StatusCommand.self, KeysCommand.self, LogsCommand.self,
            ReloadCommand.self, CheckCommand.self, MockUpstreamCommand.self,
        ]
    )
}

enum Version {
    static let text = "0.1.0"
}
