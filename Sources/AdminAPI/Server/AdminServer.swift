import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
package import Operations
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#endif

/// Where operators are served.
package struct AdminAddresses: Sendable {
    package var host: String
    package var port: Int
    package var socket: String
    package var socketGroup: String?
    package var metricsArePublic: Bool

    package init(host: String, port: Int, socket: String, socketGroup: String?, metricsArePublic: Bool) {
        self.host = host
        self.port = port
        self.socket = socket
        self.socketGroup = socketGroup
        self.metricsArePublic = metricsArePublic
    }
}

/// The port over HTTP: one router, served on loopback TCP and on the Unix socket.
package struct AdminServer: Service {
    private let port: any GatewayPort
    private let access: @Sendable () -> AccessList
    private let addresses: AdminAddresses
    private let version: String
    private let logger: Logger
    private let bound: @Sendable (Int) async -> Void

    /// `bound`: told the TCP port once both listeners accept.
    package init(
        port: any GatewayPort,
        access: @escaping @Sendable () -> AccessList,
        addresses: AdminAddresses,
        version: String,
        logger: Logger,
        bound: @escaping @Sendable (Int) async -> Void
    ) {
        self.port = port
        self.access = access
        self.addresses = addresses
        self.version = version
        self.logger = logger
        self.bound = bound
    }

    static let routes =
        UpstreamRoutes.all + UpstreamKeyRoutes.all + ClientKeyRoutes.all + RuleRoutes.all + HeaderRoutes.all
        + ScriptRoutes.all + NotificationRoutes.all + BatchRoutes.all
        + ClientKeyBatchRoutes.all + LogRoutes.all
        + DashboardRoutes.all + RateLimitRoutes.all + TaskRoutes.all + TestRoutes.all + SystemRoutes.all
        + SafekeepingRoutes.all

    package func run() async throws {
        let router = makeRouter()
        let (listening, running) = AsyncStream.makeStream(of: Int.self)
        let (socketListening, socketRunning) = AsyncStream.makeStream(of: Int.self)
        var quiet = logger
        quiet.logLevel = .warning
        let tcp = Application(
            router: router,
            configuration: .init(address: .hostname(addresses.host, port: addresses.port), serverName: nil),
            onServerRunning: { channel in running.yield(channel.localAddress?.port ?? 0) },
            logger: quiet
        )
        let file = SocketFile(addresses.socket)
        try file.prepare()
        let socket = Application(
            router: router,
            configuration: .init(address: .unixDomainSocket(path: addresses.socket), serverName: nil),
            onServerRunning: { _ in
                file.restrict(to: addresses.socketGroup, logger)
                socketRunning.yield(0)
            },
            logger: quiet
        )
        // One that cannot begin ends the other in good order; cancelled, it would wait for ever.
        let both = ServiceGroup(
            configuration: .init(
                services: [
                    Listening(address: "\(addresses.host):\(addresses.port)", application: tcp),
                    Listening(address: addresses.socket, application: socket),
                ].map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) },
                logger: quiet
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer {
                    running.finish()
                    socketRunning.finish()
                }
                try await both.run()
            }
            if let port = await listening.first(where: { _ in true }),
                await socketListening.first(where: { _ in true }) != nil
            {
                await bound(port)
            }
            try await tasks.waitForAll()
        }
    }

    /// The operators' address cannot be listened on.
    package struct BindFailure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Serves one address, and names it when that is not possible.
    private struct Listening: Service {
        let address: String
        let application: any ApplicationProtocol

        func run() async throws {
            do {
                try await application.run()
            } catch let error as IOError {
                let reason = String(cString: strerror(error.errnoCode))
                throw BindFailure(description: "cannot listen on \(address) for operators: \(reason)")
            }
        }
    }

    private func makeRouter() -> Router<AdminContext> {
        let router = Router(context: AdminContext.self)
        router.add(middleware: ErrorAnswers(allowed: AllowedMethods(Self.routes)))
        if addresses.metricsArePublic { addMetrics(to: router) }
        let admin = router.group().add(middleware: OperatorAuthentication(access: access))
        let snapshotEvents = SnapshotEvents()
        for route in Self.routes {
            let path = RouterPath("/api/admin" + route.path)
            admin.on(path, method: route.method) { [port] request, context in
                try context.user.require(route.role)
                try route.checkQuery(request.uri.queryParameters)
                return try await route.handler(
                    AdminRequest(
                        request: request,
                        context: context,
                        port: port,
                        snapshotEvents: snapshotEvents
                    )
                )
            }
        }
        let document = OpenAPIDocument.text(Self.routes, version: version)
        admin.get("/api/admin/openapi.json") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(string: document))
            )
        }
        if !addresses.metricsArePublic { addMetrics(to: admin) }
        return router
    }

    private func addMetrics(to router: some RouterMethods<AdminContext>) {
        router.get("/metrics") { [port] _, context in
            let text = try await port.metricsPage(by: context.user)
            return Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: text))
            )
        }
    }
}
