import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Gateway

@Suite("Socket writer") struct SocketWriterTests {
    /// What a pipeline saw of a writer's bytes, and the writer in it.
    private final class WritingHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let isSecure: Bool
        var writer: SocketWriter?

        init(isSecure: Bool) {
            self.isSecure = isSecure
        }

        func handlerAdded(context: ChannelHandlerContext) {
            writer = SocketWriter(context, isSecure: isSecure)
        }

        func channelInactive(context: ChannelHandlerContext) {
            writer?.channelBecameInactive()
            context.fireChannelInactive()
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

        func write(_ body: @escaping @Sendable (inout SocketWriter) -> Void) async throws {
            let handler = handler
            try await channel.eventLoop.submit {
                guard var writer = handler.value.writer else { return }
                body(&writer)
                handler.value.writer = writer
            }.get()
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

    @Test("what the socket does not take keeps its place") func whatTheSocketDoesNotTakeKeepsItsPlace()
        async throws
    {
        try await Self.withPair { pair in
            var random = SeededRandom(seed: 7)
            var sent: [UInt8] = []
            var number: UInt8 = 0
            var received: [UInt8] = []
            for round in 0..<40 {
                // Between a few bytes and far more than any socket's buffer, some of them left for the next flush.
                for _ in 0..<20 {
                    number &+= 1
                    let size = random.below(round % 2 == 0 ? 200_000 : 300)
                    let bytes = [UInt8](repeating: number, count: size)
                    sent += bytes
                    let waits = random.below(4) == 0
                    try await pair.write { writer in
                        let buffer = ByteBuffer(bytes: bytes)
                        if waits { writer.write(buffer) } else { writer.writeAndFlush(buffer) }
                    }
                }
                try await pair.write { $0.writeAndFlush(ByteBuffer()) }
                received += try await Self.read(sent.count - received.count, from: pair.far)
            }
            #expect(received == sent)
            let through = try await pair.passedThePipeline
            #expect(through > 0)
            // Once the channel is empty the way is the short one again.
            try await pair.write { $0.writeAndFlush(ByteBuffer(string: "after")) }
            #expect(try await Self.read(5, from: pair.far) == Array("after".utf8))
            #expect(try await pair.passedThePipeline == through)
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

    @Test("a peer that is gone ends the channel") func aPeerThatIsGoneEndsTheChannel() async throws {
        try await Self.withPair { pair in
            shutdown(pair.far, CInt(SHUT_RDWR))
            try await pair.write { $0.writeAndFlush(ByteBuffer(string: "to nobody")) }
            try await pair.channel.closeFuture.get()
        }
    }
}
