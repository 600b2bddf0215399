import NIOCore
import NIOSSL
import NIOTLS

/// One connection to a backend: sends an attempt, reads its answer, and goes back to its pool.
final class UpstreamConnection: ChannelInboundHandler, Deadlined, ReadMemory.Reader {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Until TCP, and TLS if any, are up. Exits: `.idle`, `.closed`.
        case connecting
        case idle
        /// Reading an answer's head. Exits: `.body`, `.idle`, `.closed`.
        case head
        case body(BodyFraming)
        case chunks(ChunkedDecoder)
        case closed
    }

    /// More interim answers than this are an attack.
    private static let interimLimit = 10

    // What each event of a stream needs stands first and together.
    private unowned let worker: Worker
    private var exchange: Exchange?
    private var phase = Phase.connecting
    private var inbound = ByteBuffer()
    private(set) var deadline = NIODeadline.distantFuture
    private let isSecure: Bool

    var deadlineIndex = -1
    private unowned let pool: ConnectionPool
    private var context: ChannelHandlerContext?
    private var writer: SocketWriter?
    private var parser: HeadParser
    private var keepsConnection = false
    private var interims = 0
    private var sawError = false
    private var isReading = true
    /// A TLS connection stays active until its peer has said goodbye too.
    private var isClosing = false
    private var hasEnded = false

    init(pool: ConnectionPool, worker: Worker, waiting exchange: Exchange, isSecure: Bool) {
        self.pool = pool
        self.worker = worker
        self.exchange = exchange
        self.isSecure = isSecure
        parser = HeadParser(
            limits: HeadLimits(firstLine: 8192, fieldLine: 65_536, fields: 262_144, fieldCount: 256)
        )
    }

    // MARK: Lending

    /// False when the connection turns out to be closed.
    func lend(to exchange: Exchange) -> Bool {
        guard case .idle = phase, !isClosing, context?.channel.isActive == true else { return false }
        self.exchange = exchange
        deadline = .distantFuture
        exchange.attemptReady(self)
        return true
    }

    /// Sends the whole request, or its first part when the body streams.
    func send(_ buffer: ByteBuffer, firstByteBy deadline: NIODeadline) {
        phase = .head
        parser.reset()
        interims = 0
        self.deadline = deadline
        sendMore(buffer)
    }

    /// Sends more of a streamed body.
    func sendMore(_ buffer: ByteBuffer) {
        guard let rest = writer?.send(buffer) else { return }
        context?.writeAndFlush(wrapOutboundOut(rest), promise: nil)
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func setReading(_ reads: Bool) {
        guard reads != isReading, let channel = context?.channel else { return }
        isReading = reads
        // Setting an option of an open channel fails only when it is closing, which ends reading anyway.
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        switch phase {
        case .body, .chunks: deadline = reads ? .now() + worker.idleTimeout(of: exchange) : .distantFuture
        case .connecting, .idle, .head, .closed: break
        }
    }

    /// Ends the attempt; the exchange hears no more of it.
    func cancel() {
        exchange = nil
        close()
    }

    func close() {
        deadline = .distantFuture
        isClosing = true
        if let context {
            context.close(promise: nil)
        } else {
            phase = .closed
        }
    }

    func connectFailed(_ error: any Error) {
        hasEnded = true
        fail(.connecting(error))
        phase = .closed
        pool.closed(self)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        writer = SocketWriter(context, isSecure: isSecure)
        worker.watch(self)
        if case .closed = phase {
            context.close(promise: nil)
        } else if context.channel.isActive {
            started()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        worker.unwatch(self)
        self.context = nil
        writer = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        started()
        context.fireChannelActive()
    }

    /// TCP is up; TLS, if any, comes next.
    private func started() {
        guard case .connecting = phase else { return }
        if isSecure { deadline = .now() + .seconds(10) } else { becomeReady() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .connecting = phase, let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            becomeReady()
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func becomeReady() {
        phase = .idle
        deadline = .distantFuture
        if let exchange {
            exchange.attemptReady(self)
        } else {
            rest()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let worker = worker
        guard exchange != nil else {
            // Bytes that no request asked for: whatever they are, the connection cannot be trusted again.
            close()
            return
        }
        let buffer = unwrapInboundIn(data)
        // What TLS reads into is its own.
        defer { if !isSecure { worker.readMemory.giveBack(buffer) } }
        let now = NIODeadline.now()
        deadline = now + worker.idleTimeout(of: exchange)
        if inbound.readableBytes == 0 {
            if passedOn(buffer, at: now) { return }
            inbound = buffer.withoutExcess
        } else {
            inbound.writeImmutableBuffer(buffer)
        }
        readAnswer(at: now)
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
    }

    /// Nobody behind this handler is to know.
    func channelReadComplete(context: ChannelHandlerContext) {}

    func willRead() { CacheLines.fetchForEvent(of: exchange, context) }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    /// The only one to come when the channel is closed as soon as it has connected, before it counts as active.
    func channelUnregistered(context: ChannelHandlerContext) {
        ended()
        context.fireChannelUnregistered()
    }

    private func ended() {
        guard !hasEnded else { return }
        hasEnded = true
        let previous = phase
        phase = .closed
        writer?.channelIsClosed()
        pool.closed(self)
        switch previous {
        case .body(.untilClose) where exchange != nil && !sawError:
            inbound.clear()
            finishAnswer(at: .now())
        case .body, .chunks: fail(AttemptFailure(kind: .truncated, detail: "closed inside the answer's body"))
        case .head where parser.hasBegun:
            fail(AttemptFailure(kind: .reset, detail: "closed inside the answer's head"))
        case .connecting:
            fail(AttemptFailure(kind: isSecure ? .tls : .connect, detail: "closed while connecting"))
        case .head, .idle: fail(AttemptFailure(kind: .reset, detail: "closed before an answer"))
        case .closed: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .connecting = phase {
            fail(isSecure ? .securing(error) : AttemptFailure(kind: .connect, detail: "\(error)"))
        }
        // Only an orderly close can be the end of an answer that ends with its connection.
        sawError = true
        // A TLS peer that closes without saying so is judged by framing in channelInactive, like any other.
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.attemptWritabilityChanged(isWritable: context.channel.isWritable)
    }

    func deadlinePassed() {
        let kind: AttemptFailure.Kind
        switch phase {
        case .idle, .closed:
            close()
            return
        case .connecting: kind = .connectTimeout
        case .head: kind = .firstByteTimeout
        case .body, .chunks: kind = .idleTimeout
        }
        fail(AttemptFailure(kind: kind, detail: "no byte in time"))
        close()
    }

    private func fail(_ failure: AttemptFailure) {
        guard let exchange else { return }
        self.exchange = nil
        exchange.attemptFailed(failure)
    }

    // MARK: Reading the answer

    private func readAnswer(at now: NIODeadline) {
        while case .head = phase {
            guard readHead(at: now) else { return }
        }
        readBody(at: now)
    }

    /// False when more bytes are needed or the attempt has ended.
    private func readHead(at now: NIODeadline) -> Bool {
        guard let exchange else { return false }
        switch inbound.withUnsafeReadableBytes({ parser.parse($0) }) {
        case .incomplete: return false
        case .refused(let fault):
            breakProtocol("\(fault)")
            return false
        case .complete(let length):
            guard let bytes = inbound.readSlice(length: length)?.withoutExcess else { return false }
            let head: ResponseHead
            do throws(ResponseHead.Fault) {
                head = try ResponseHead(
                    bytes: bytes,
                    firstLine: parser.firstLine,
                    fields: parser.fields,
                    answering: exchange.request.head.method
                )
            } catch {
                breakProtocol("\(error)")
                return false
            }
            return accept(head, for: exchange, at: now)
        }
    }

    private func accept(_ head: ResponseHead, for exchange: Exchange, at now: NIODeadline) -> Bool {
        parser.reset()
        if head.status < 200 {
            interims += 1
            guard head.status != 101, interims <= Self.interimLimit else {
                breakProtocol("status \(head.status), or too many interim answers")
                return false
            }
            return true
        }
        keepsConnection = head.keepsConnection
        switch head.framing {
        case .chunked: phase = .chunks(ChunkedDecoder())
        case .none, .length, .untilClose: phase = .body(head.framing)
        }
        exchange.answerHead(head, at: now)
        return self.exchange != nil
    }

    private func readBody(at now: NIODeadline) {
        guard let exchange else { return }
        switch phase {
        case .body(.none), .body(.length(0)):
            finishAnswer(at: now)
        case .body(.length(let remaining)):
            guard inbound.readableBytes > 0 else {
                exchange.flushAnswer()
                return
            }
            let count = min(remaining, inbound.readableBytes)
            guard let piece = inbound.readSlice(length: count) else { return }
            phase = .body(.length(remaining - count))
            if count == remaining {
                finishAnswer(with: piece, at: now)
            } else {
                exchange.answerPiece(piece, isLast: false, at: now)
            }
        case .body(.untilClose):
            guard inbound.readableBytes > 0, let piece = inbound.readSlice(length: inbound.readableBytes)
            else {
                exchange.flushAnswer()
                return
            }
            exchange.answerPiece(piece, isLast: false, at: now)
        case .chunks(let decoder): readChunks(decoder, exchange, at: now)
        case .connecting, .idle, .head, .body(.chunked), .closed: break
        }
    }

    /// Whether these were whole chunks that could be passed on as they came; they are not kept, so that the next read
    /// has the same memory.
    private func passedOn(_ buffer: ByteBuffer, at now: NIODeadline) -> Bool {
        guard case .chunks(let decoder) = phase, decoder.isBetweenChunks, let exchange else { return false }
        return exchange.answerChunks(buffer, at: now)
    }

    private func readChunks(_ decoder: ChunkedDecoder, _ exchange: Exchange, at now: NIODeadline) {
        if decoder.isBetweenChunks, exchange.answerChunks(inbound, at: now) {
            inbound.moveReaderIndex(to: inbound.writerIndex)
            return
        }
        var decoder = decoder
        let start = exchange.answer.beginPiece(capacity: inbound.readableBytes)
        do throws(ChunkedDecoder.Fault) {
            let isLast = try decoder.decode(&inbound, into: &exchange.answer.outbound)
            phase = .chunks(decoder)
            if isLast {
                endAttempt { exchange.endPiece(from: start, isLast: true, at: now) }
            } else {
                exchange.endPiece(from: start, isLast: false, at: now)
            }
        } catch {
            exchange.answer.dropPiece(from: start)
            breakProtocol("\(error)")
        }
    }

    private func finishAnswer(with piece: ByteBuffer? = nil, at now: NIODeadline) {
        guard let exchange else { return }
        endAttempt { exchange.answerPiece(piece ?? ByteBuffer(), isLast: true, at: now) }
    }

    /// Goes back to the pool before the exchange ends, so that its next request can use the connection.
    private func endAttempt(_ end: () -> Void) {
        let isClean = keepsConnection && inbound.readableBytes == 0 && exchange?.requestIsSent == true
        exchange = nil
        if case .closed = phase {
            end()
            return
        }
        if isClean { rest() }
        end()
        if !isClean { close() }
    }

    private func rest() {
        // A slow caller may have paused the answer whose end has come all the same.
        setReading(true)
        phase = .idle
        deadline = .now() + ConnectionPool.idleTime
        pool.takeBack(self)
    }

    private func breakProtocol(_ detail: String) {
        fail(AttemptFailure(kind: .protocolError, detail: detail))
        close()
    }
}
