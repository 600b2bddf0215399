import AdminAPI
import ArgumentParser
import Console
import Gateway
import Logging
import Operations
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
import Glibc
#endif

/// Starts a gateway with its operators' port and serves until a signal ends it.
enum GatewayProcess {
    /// `companions`: what runs beside it, made once the gateway is there.
    static func run(
        _ options: GatewayOptions,
        logger: Logger,
        companions: @escaping @Sendable (GatewayServer, GatewayOperations) async throws -> [any Service] = {
            _,
            _ in []
        }
    ) async throws {
        ProcessSetup.apply()
        do {
            let gateway = try await GatewayServer(options, logger: logger)
            let port = GatewayOperations(gateway, version: Version.text)
            let admin = try adminServer(gateway, port, logger)
            let extra = try await companions(gateway, port)
            try await serve(gateway, gateway.services + [admin, gateway] + extra, logger)
        } catch let failure as StartFailure {
            try end(failure.description)
        } catch let failure as AdminServer.BindFailure {
            try end(failure.description)
        } catch let failure as SystemError {
            try end(failure.description)
        } catch let failure as OperationsError {
            try end(failure.description)
        }
    }

    private static func socket(of gateway: GatewayServer) -> String {
        Environment.value("FASTGATE_SOCKET") ?? gateway.configuration.admin.socket ?? gateway.directory.socket
    }

    /// The console in this process.
    static func console(
        _ gateway: GatewayServer,
        _ operations: GatewayOperations,
        welcome: [String] = []
    ) -> ConsoleService {
        var options = ConsoleEnvironment.options(
            mode: .inProcess(attach: "fastgate console --socket \(socket(of: gateway))")
        )
        options.welcome = welcome
        return ConsoleService(
            operations: operations,
            options: options,
            logFile: "\(gateway.directory.path)/fastgate.log"
        )
    }

    private static func end(_ message: String) throws {
        Output.errorLine("fastgate: \(message)")
        throw ExitCode(1)
    }

    private static func adminServer(
        _ gateway: GatewayServer,
        _ port: GatewayOperations,
        _ logger: Logger
    ) throws -> AdminServer {
        let settings = gateway.configuration.admin
        let token =
            try Environment.value("FASTGATE_ADMIN_TOKEN")
            ?? AdminToken.load(gateway.directory.adminTokenFile, logger)
        let socket = socket(of: gateway)
        let addresses = AdminAddresses(
            host: settings.host,
            port: settings.port,
            socket: socket,
            socketGroup: settings.socketGroup,
            metricsArePublic: gateway.configuration.metrics.isPublic
        )
        let access: @Sendable () -> AccessList = { accessList(gateway.configuration.admin, token) }
        return AdminServer(
            port: port,
            access: access,
            addresses: addresses,
            version: Version.text,
            logger: logger
        ) { adminPort in
            await gateway.becomeHealthy()
            logger.info(
                "ready",
                metadata: [
                    "port": "\(gateway.port)", "admin_port": "\(adminPort)", "socket": "\(socket)",
                    "data": "\(gateway.directory.path)",
                ]
            )
        }
    }

    /// `token`: of the data directory or the environment, an admin's.
    private static func accessList(_ settings: Configuration.Admin, _ token: String) -> AccessList {
        let own = AccessList.Token(name: "admin", value: token, role: .admin)
        return AccessList(
            tokens: [own]
                + settings.tokens.map {
                    AccessList.Token(name: $0.name, value: $0.token.value, role: $0.role)
                },
            members: settings.operators.map {
                AccessList.Member(user: $0.user, group: $0.group, role: $0.role)
            }
        )
    }

    private static func serve(
        _ gateway: GatewayServer,
        _ services: [any Service],
        _ logger: Logger
    ) async throws {
        var quiet = logger
        quiet.logLevel = .warning
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(
                        service: $0,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                },
                logger: quiet
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask(executorPreference: ServiceThreads.shared) { try await group.run() }
            tasks.addTask { await SignalLoop.run(gateway, group, logger) }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
        try await gateway.close()
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
