package import NIOCore
import NIOHTTP1
import NIOPosix

/// A fake OpenAI-compatible provider for demos, tests and benchmarks.
package struct MockUpstreamServer: Sendable {
    package let port: Int
    private let channel: any Channel

    /// Binds to loopback and begins to serve.
    package static func start(
        port: Int,
        settings: MockSettings,
        group: any EventLoopGroup
    ) async throws -> MockUpstreamServer {
        let requests = ReceivedRequests(limit: settings.recorded)
        let throttle = MockThrottle()
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withPipeliningAssistance: false
                    )
                    try channel.pipeline.syncOperations.addHandler(
                        MockHandler(settings: settings, requests: requests, throttle: throttle)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
        return MockUpstreamServer(port: channel.localAddress?.port ?? port, channel: channel)
    }

    package func stop() async throws {
        try await channel.close()
    }

    /// Returns once the server is closed.
    package func untilClosed() async throws {
        try await channel.closeFuture.get()
    }
}
