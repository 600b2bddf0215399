import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Gateway

@Suite("Socket writer") struct SocketWriterTests {
    /// Writes as connections do.
    private final class WritingHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let isSecure: Bool
        private var writer: SocketWriter?
        private var context: ChannelHandlerContext?
        private(set) var isOpen = true
        /// How much memory the last part has that the channel was given.
        private(set) var lastRestCapacity = 0

        init(isSecure: Bool) {
            self.isSecure = isSecure
        }

        func handlerAdded(context: ChannelHandlerContext) {
            self.context = context
            writer = SocketWriter(context, isSecure: isSecure)
        }

        func channelInactive(context: ChannelHandlerContext) {
            isOpen = false
            writer?.channelIsClosed()
            context.fireChannelInactive()
        }

        func hold(_ buffer: ByteBuffer) {
            writer?.channelHolds()
            context?.write(wrapOutboundOut(buffer), promise: nil)
        }

        func writeAndFlush(_ buffer: ByteBuffer) {
            guard let context, let rest = writer?.send(buffer) else { return }
            lastRestCapacity = rest.storageCapacity
            context.writeAndFlush(wrapOutboundOut(rest), promise: nil)
        }
    }

    /// Stands where TLS would: before the handler that writes.
    private final class CountingHandler: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        let bytes: Atomic<Int>

        init() {
            bytes = Atomic(0)
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            bytes.add(unwrapOutboundIn(data).readableBytes, ordering: .relaxed)
            context.write(data, promise: promise)
        }
    }

    /// A connection whose far end is a plain descriptor, which a test reads when it likes.
    private struct Pair {
        let channel: any Channel
        let handler: NIOLoopBound<WritingHandler>
        let counter: NIOLoopBound<CountingHandler>
        let far: CInt

        func write<Result: Sendable>(
            _ body: @escaping @Sendable (WritingHandler) -> Result
        ) async throws -> Result {
            let handler = handler
            return try await channel.eventLoop.submit { body(handler.value) }.get()
        }

        var passedThePipeline: Int {
            get async throws {
                let counter = counter
                return try await channel.eventLoop.submit { counter.value.bytes.load(ordering: .relaxed) }
                    .get()
            }
        }
    }

    private static func withPair(isSecure: Bool = false, _ body: (Pair) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { close(ends[1]) }
        let loop = group.next()
        let handler = try await loop.submit {
            NIOLoopBound(WritingHandler(isSecure: isSecure), eventLoop: loop)
        }
        .get()
        let counter = try await loop.submit { NIOLoopBound(CountingHandler(), eventLoop: loop) }.get()
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(counter.value)
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .withConnectedSocket(ends[0])
            .get()
        try await body(Pair(channel: channel, handler: handler, counter: counter, far: ends[1]))
        try? await channel.close()  // A test may have closed it itself.
    }

    private static func read(_ count: Int, from descriptor: CInt) async throws -> [UInt8] {
        try await Task.detached {
            var result: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 65_536)
            while result.count < count {
                let read = Glibc.read(descriptor, &piece, min(piece.count, count - result.count))
                try #require(read > 0)
                result += piece[0..<read]
            }
            return result
        }.value
    }

    @Test("what the socket takes passes the pipeline by") func smallWritesPassTheChannelBy() async throws {
        try await Self.withPair { pair in
            for index in 0..<100 {
                try await pair.write { $0.writeAndFlush(ByteBuffer(string: "event \(index % 10)\n")) }
                #expect(try await Self.read(8, from: pair.far) == Array("event \(index % 10)\n".utf8))
            }
            #expect(try await pair.passedThePipeline == 0)
        }
    }

    @Test("what the socket does not take keeps its place")
    func whatTheSocketDoesNotTakeKeepsItsPlace() async throws {
        try await Self.withPair { pair in
            var random = SeededRandom(seed: 7)
            // From nothing to more than any socket's buffer, some of them left for the next flush.
            let sizes = (0..<2000).map { _ in random.below(random.below(10) == 0 ? 400_000 : 3000) }
            let expected = sizes.enumerated().flatMap { [UInt8](repeating: UInt8($0 % 251), count: $1) }
            // Read meanwhile, so that the socket has room again while the channel still holds what came before.
            async let received = Self.read(expected.count, from: pair.far)
            for (index, size) in sizes.enumerated() {
                let waits = random.below(4) == 0
                try await pair.write { handler in
                    let buffer = ByteBuffer(repeating: UInt8(index % 251), count: size)
                    if waits { handler.hold(buffer) } else { handler.writeAndFlush(buffer) }
                }
            }
            try await pair.write { $0.writeAndFlush(ByteBuffer()) }
            #expect(try await received == expected)
            let through = try await pair.passedThePipeline
            #expect(through > 0 && through < expected.count)
            // Once the channel is empty the way is the short one again.
            try await pair.write { $0.writeAndFlush(ByteBuffer(string: "after")) }
            #expect(try await Self.read(5, from: pair.far) == Array("after".utf8))
            #expect(try await pair.passedThePipeline == through)
        }
    }

    @Test("what waits does not hold the memory that it was read into")
    func whatWaitsDoesNotHoldLargeMemory() async throws {
        try await Self.withPair { pair in
            try await pair.write { $0.hold(ByteBuffer(string: "first, ")) }
            let capacity = try await pair.write { handler in
                var large = ByteBufferAllocator().buffer(capacity: 65_536)
                large.writeString("then this")
                handler.writeAndFlush(large)
                return handler.lastRestCapacity
            }
            #expect(capacity > 0 && capacity < 1024)
            #expect(try await Self.read(16, from: pair.far) == Array("first, then this".utf8))
        }
    }

    @Test("everything goes through the pipeline under TLS") func everythingGoesThroughThePipelineUnderTLS()
        async throws
    {
        try await Self.withPair(isSecure: true) { pair in
            try await pair.write { $0.writeAndFlush(ByteBuffer(string: "secret")) }
            #expect(try await Self.read(6, from: pair.far) == Array("secret".utf8))
            #expect(try await pair.passedThePipeline == 6)
        }
    }

    @Test("a closed channel's descriptor is not written to") func aClosedChannelsDescriptorIsNotWrittenTo()
        async throws
    {
        try await Self.withPair { pair in
            try await pair.channel.close()
            // The lowest free number is the closed one's: what is opened now has it, unless another test was faster.
            var opened: [CInt] = []
            defer { for each in opened { close(each) } }
            for _ in 0..<8 {
                var ends: [CInt] = [0, 0]
                try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
                opened += ends
            }
            try await pair.write { $0.writeAndFlush(ByteBuffer(string: "lost")) }
            var byte: UInt8 = 0
            #expect(opened.allSatisfy { recv($0, &byte, 1, CInt(MSG_DONTWAIT)) == -1 })
        }
    }

    @Test("a failed write ends the channel, which tells its handler in the middle of it")
    func aFailedWriteEndsTheChannel() async throws {
        for isSecure in [false, true] {
            try await Self.withPair(isSecure: isSecure) { pair in
                let far = pair.far
                // In one go, so that the loop has not seen by itself that the peer is gone.
                let wasOpen = try await pair.write { handler in
                    shutdown(far, CInt(SHUT_RDWR))
                    handler.writeAndFlush(ByteBuffer(string: "to nobody"))
                    return handler.isOpen
                }
                #expect(!wasOpen)
                // And nothing of it is left for what is opened later.
                try await pair.write { $0.writeAndFlush(ByteBuffer(string: "again")) }
            }
        }
    }
}
