import NIOCore
import NIOPosix
import ServiceLifecycle

/// Makes light traffic through the gateway, plain and streamed in turn, as callers would.
struct DemoTraffic: Service {
    let port: Int
    let keys: [String]
    let perSecond: Double

    func run() async throws {
        guard perSecond > 0 else {
            try await gracefulShutdown()
            return
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            var count = 0
            for try await _ in Ticks(every: .seconds(1 / perSecond)).cancelOnGracefulShutdown() {
                let request = text(number: count)
                count += 1
                // A demo request that fails shows in the log like any other; there is nobody else to tell.
                tasks.addTask { try? await Self.send(request, to: port) }
            }
        }
    }

    private func text(number: Int) -> String {
        let isStream = number % 2 == 1
        // Now and then one that is long enough to be watched.
        let length = number % 40 == 7 ? "X-Mock-Tokens: 600\r\n" : ""
        let body = """
            {"model":"mock-\(number % 3 + 1)","stream":\(isStream),"messages":[{"role":"user","content":"Hello \(number)"}]}
            """
        return """
            POST /proxy/miniai/v2/chat/completions HTTP/1.1\r
            Host: 127.0.0.1\r
            X-API-Key: \(keys[number % keys.count])\r
            Content-Type: application/json\r
            \(length)Content-Length: \(body.utf8.count)\r
            Connection: close\r
            \r
            \(body)
            """
    }

    /// Sends and reads until the gateway closes.
    private static func send(_ request: String, to port: Int) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            for try await _ in inbound {}
        }
    }
}

/// An element at every interval, until cancelled.
struct Ticks: AsyncSequence, Sendable {
    let every: Duration

    struct AsyncIterator: AsyncIteratorProtocol {
        let every: Duration

        mutating func next() async throws -> Void? {
            try await Task.sleep(for: every)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(every: every)
    }
}
