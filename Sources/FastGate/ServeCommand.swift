import ArgumentParser
import Gateway
import Logging
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
import Glibc
#endif

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
        try await GatewayProcess.run(options, logger: logger)
    }
}

/// Starts a gateway and serves until a signal ends it.
enum GatewayProcess {
    static func run(_ options: GatewayOptions, logger: Logger) async throws {
        ProcessSetup.apply()
        do {
            let gateway = try await GatewayServer(options, logger: logger)
            logger.info("ready", metadata: ["port": "\(gateway.port)", "data": "\(gateway.directory.path)"])
            try await serve(gateway, logger: logger)
        } catch let failure as StartFailure {
            Output.errorLine("fastgate: \(failure)")
            throw ExitCode(1)
        } catch let failure as SystemError {
            Output.errorLine("fastgate: \(failure)")
            throw ExitCode(1)
        }
    }

    private static func serve(_ gateway: GatewayServer, logger: Logger) async throws {
        let group = ServiceGroup(configuration: .init(services: (gateway.services + [gateway]).map { .init(service: $0) }, logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask { await SignalLoop.run(gateway, group, logger) }
            try await tasks.next()
            tasks.cancelAll()
        }
    }
}

/// Turns signals into a reload, a drain, or an end.
private enum SignalLoop {
    static func run(_ gateway: GatewayServer, _ group: ServiceGroup, _ logger: Logger) async {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        var isEnding = false
        for await signal in signals {
            if signal == .sighup {
                await reload(gateway, logger)
                continue
            }
            if isEnding {
                logger.warning("stopping at once; open exchanges are cut")
                _exit(1)
            }
            isEnding = true
            await group.triggerGracefulShutdown()
        }
    }

    private static func reload(_ gateway: GatewayServer, _ logger: Logger) async {
        do {
            try await gateway.reload()
        } catch let faults as ConfigurationFaults {
            for fault in faults.faults {
                logger.error("reload refused, nothing changed: \(fault)")
            }
        } catch {
            logger.error("reload refused, nothing changed: \(error)")
        }
    }
}
