import ArgumentParser
import Gateway
import Logging

/// Runs the gateway.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the gateway.",
        discussion: """
            SIGTERM lets open exchanges end and stops; a second one stops at once. SIGHUP reads the configuration \
            again. Example: fastgate serve --config /etc/fastgate/fastgate.yaml
            """
    )

    @OptionGroup var file: ConfigurationOption
    @Option(help: "The data directory, instead of the file's storage.path.")
    var data: String?
    @Flag(help: "Do not open the console, even on a terminal.")
    var noConsole = false

    func run() async throws {
        let path = try file.path()
        let loaded: LoadedConfiguration
        do throws(ConfigurationFaults) {
            loaded = try ConfigurationLoader.load(file: path, environment: Environment.all)
        } catch {
            Output.errorLine(error.description)
            throw ExitCode(1)
        }
        let logger = LogOutput.bootstrap()
        for warning in loaded.warnings {
            logger.warning("\(warning)")
        }
        var options = GatewayOptions(configuration: loaded.configuration, environment: Environment.all)
        options.configurationFile = path
        options.dataPath = data ?? Environment.value("FASTGATE_DATA")
        let hasConsole = !noConsole && ConsoleEnvironment.hasTerminal
        try await GatewayProcess.run(options, logger: logger) { gateway, operations in
            hasConsole ? [GatewayProcess.console(gateway, operations)] : []
        }
    }
}
