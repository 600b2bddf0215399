import NIOCore

#if canImport(Glibc)
import Glibc
#endif

/// One caller's connection: reads requests in order, runs one exchange at a time, writes its answer.
///
/// Bytes that arrive while an exchange runs (pipelining) wait, up to a limit; then reading stops.
final class CallerConnection: ChannelInboundHandler, Deadlined {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How the bytes after an exchange are treated.
    enum Ending {
        /// The answer is whole.
        case complete
        /// The answer ends with the connection, or what follows cannot be trusted.
        case close
        /// The answer is cut off so that nobody takes it for whole.
        case reset
    }

    private enum Phase {
        /// Reading a request's head, or waiting for one. Exits: `.body`, `.waiting`, `.lingering`.
        case head
        /// Reading a request's body; the exchange may already be over. Exits: `.waiting`, `.head`, `.lingering`.
        case body
        /// The request is read and its exchange runs. Exits: `.head`, `.lingering`.
        case waiting
        /// The last answer is written: bytes are dropped until the caller closes. Exits: `.closed`.
        case lingering
        case closed
    }

    /// What is left of a refused request's body is read and dropped up to here; beyond it we close.
    private static let discardLimit = 65_536
    private static let pipelineLimit = 65_536
    private static let lingerTime = TimeAmount.seconds(2)

    // What each event of a stream needs stands first and together.
    private var writer: SocketWriter?
    /// As the channel has said last: it tells of every change, and asking costs more than a small write's own part.
    private(set) var isWritable = true

    var deadlineIndex = -1
    var deadline: NIODeadline { min(readDeadline, writeDeadline) }
    /// When what the phase waits for must have come.
    private var readDeadline = NIODeadline.distantFuture
    /// When a caller that reads nothing is given up.
    private var writeDeadline = NIODeadline.distantFuture
    let worker: Worker
    private let isSecure: Bool
    private var context: ChannelHandlerContext?
    private var phase = Phase.head
    private var inbound = ByteBuffer()
    private var parser: HeadParser
    private var body = RequestBodyReader.none
    private var exchange: Exchange?
    private(set) var head: RequestHead?
    private var wantsKeepAlive = true
    /// Whether the caller holds its body back until it is told to continue.
    private var awaitsContinue = false
    private var isProcessing = false
    private var isReading = true
    private var served = 0

    init(worker: Worker, isSecure: Bool) {
        self.worker = worker
        self.isSecure = isSecure
        parser = HeadParser(limits: worker.snapshot.headLimits)
    }

    private var limits: Configuration.Limits { worker.snapshot.configuration.limits }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        writer = SocketWriter(context, isSecure: isSecure)
        worker.opened(self)
        readDeadline = .now() + TimeAmount(limits.keepaliveTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        worker.closed(self)
        self.context = nil
        writer = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if worker.isOverConnectionLimit {
            let refusal = Refusal(.overloaded, "Too many connections are open.", retryAfter: 1, closes: true)
            send(makeAnswer(refusal, requestID: nil))
            finishConnection(.close)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        switch phase {
        case .lingering, .closed: return
        case .head, .body, .waiting: break
        }
        if inbound.readableBytes == 0 {
            swap(&inbound, &buffer)
        } else {
            inbound.writeBuffer(&buffer)
        }
        process()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        writer?.channelIsClosed()
        let open = exchange
        exchange = nil
        open?.callerLeft()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A failed read, write or TLS record: the caller is gone, which channelInactive says to the exchange.
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        writeDeadline = isWritable ? .distantFuture : .now() + TimeAmount(limits.writeTimeout)
        exchange?.callerWritabilityChanged(isWritable: isWritable)
        if isWritable, exchange == nil {
            setReading(true)
            process()
        }
    }

    // MARK: Reading

    private func process() {
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        while step() {}
        if case .head = phase, !isWritable { setReading(false) }
        if case .waiting = phase, inbound.readableBytes > Self.pipelineLimit { setReading(false) }
    }

    /// One thing done; false when more bytes, or the end of an exchange, must come first.
    private func step() -> Bool {
        switch phase {
        // Answers that nobody reads must not pile up behind requests that never stop.
        case .head: isWritable ? readHead() : false
        case .body: readBody()
        case .waiting, .lingering, .closed: false
        }
    }

    private func readHead() -> Bool {
        guard inbound.readableBytes > 0 else {
            inbound = ByteBuffer()
            return false
        }
        if !parser.hasBegun { readDeadline = .now() + TimeAmount(limits.headerTimeout) }
        switch inbound.withUnsafeReadableBytes({ parser.parse($0) }) {
        case .incomplete: return false
        case .refused(let fault):
            refuse(Admission.refuse(fault))
            return false
        case .complete(let length):
            guard let bytes = inbound.readSlice(length: length) else { return false }
            readDeadline = .distantFuture
            begin(bytes)
            return true
        }
    }

    private func begin(_ bytes: ByteBuffer) {
        let now = NIODeadline.now()
        served += 1
        let head: RequestHead
        do throws(RequestHead.Fault) {
            head = try RequestHead(bytes: bytes, firstLine: parser.firstLine, fields: parser.fields)
        } catch {
            refuse(Admission.refuse(error))
            return
        }
        parser.reset()
        self.head = head
        let admitted: AdmittedRequest
        do throws(Refusal) {
            admitted = try Admission.judge(head)
        } catch {
            refuse(error)
            return
        }
        let mayServeMore = limits.keepaliveRequests == 0 || served < limits.keepaliveRequests
        wantsKeepAlive = admitted.keepsConnection && mayServeMore && !worker.isDraining
        awaitsContinue = admitted.expectsContinue
        body = RequestBodyReader(admitted.framing)
        phase = body.isAtEnd ? .waiting : .body
        DataPlane.serve(head, admitted, on: self, worker: worker, at: now)
        if body.isAtEnd {
            exchange?.bodyEnded()
        } else if case .body = phase {
            readDeadline = now + TimeAmount(limits.bodyIdleTimeout)
        }
    }

    private func readBody() -> Bool {
        guard inbound.readableBytes > 0 else { return false }
        let piece: ByteBuffer?
        do throws(ChunkedDecoder.Fault) {
            piece = try body.read(&inbound)
        } catch {
            bodyIsMalformed(error)
            return false
        }
        readDeadline = .now() + TimeAmount(limits.bodyIdleTimeout)
        let isAtEnd = body.isAtEnd
        if isAtEnd {
            phase = .waiting
            readDeadline = .distantFuture
        }
        if let exchange {
            if let piece, piece.readableBytes > 0 { exchange.bodyArrived(piece) }
            if isAtEnd { self.exchange?.bodyEnded() }
        } else if isAtEnd {
            nextRequest()
        } else if body.bytesRead > Self.discardLimit {
            finishConnection(.close)
        }
        return true
    }

    private func bodyIsMalformed(_ fault: ChunkedDecoder.Fault) {
        let refusal = Refusal(.badRequest, "The request body is malformed: \(fault).", closes: true)
        if let exchange { exchange.end(with: refusal) } else { finishConnection(.close) }
    }

    func setReading(_ reads: Bool) {
        guard reads != isReading, let channel = context?.channel else { return }
        isReading = reads
        // A body that is not read because the upstream is slow is not the caller's delay.
        if case .body = phase {
            readDeadline = reads ? .now() + TimeAmount(limits.bodyIdleTimeout) : .distantFuture
        }
        // Setting an option of an open channel fails only when it is closing, which ends reading anyway.
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
    }

    // MARK: Writing

    var channelAddress: SocketAddress? { context?.channel.remoteAddress }

    /// What the answer at hand says about the connection; nil where the protocol's default holds.
    var connectionHeader: StaticString? {
        if !keepsConnection { return "close" }
        return head?.minorVersion == 0 ? "keep-alive" : nil
    }

    private var keepsConnection: Bool {
        // A caller that was not told to continue may or may not send its body: what follows cannot be told apart.
        let canGoOn = !awaitsContinue && body.canBeDiscarded(within: Self.discardLimit)
        return wantsKeepAlive && (body.isAtEnd || exchange != nil || canGoOn)
    }

    func closeAfterAnswer() {
        wantsKeepAlive = false
    }

    func write(_ buffer: ByteBuffer) {
        writer?.channelHolds()
        context?.write(wrapOutboundOut(buffer), promise: nil)
    }

    func writeAndFlush(_ buffer: ByteBuffer) {
        guard let rest = writer?.send(buffer) else { return }
        context?.writeAndFlush(wrapOutboundOut(rest), promise: nil)
    }

    func sendContinue() {
        awaitsContinue = false
        writeAndFlush(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    // MARK: Exchanges

    func attach(_ exchange: Exchange) {
        self.exchange = exchange
    }

    /// The exchange has said its last: what is written from here on is not its own.
    func detach() {
        exchange = nil
    }

    /// An answer that needed no exchange was written whole.
    func answered() {
        exchangeEnded(.complete)
    }

    func exchangeEnded(_ ending: Ending) {
        exchange = nil
        switch ending {
        case .complete where keepsConnection:
            // The exchange may have stopped reading, and nobody else reads what is left of the body.
            if body.isAtEnd { nextRequest() } else if isWritable { setReading(true) }
        case .complete, .close: finishConnection(.close)
        case .reset: finishConnection(.reset)
        }
    }

    private func nextRequest() {
        head = nil
        if !wantsKeepAlive || worker.isDraining {
            finishConnection(.close)
            return
        }
        phase = .head
        readDeadline = .now() + TimeAmount(limits.keepaliveTimeout)
        if isWritable { setReading(true) }
        process()
    }

    /// A request that cannot even be routed.
    private func refuse(_ refusal: Refusal) {
        let answer = makeAnswer(refusal, requestID: nil)
        worker.refused(refusal, answer, head: head, caller: self)
        send(answer)
        finishConnection(.close)
    }

    private func finishConnection(_ ending: Ending) {
        guard let context else { return }
        switch ending {
        case .reset:
            phase = .closed
            // An abortive close cannot be taken for the answer's end, whatever its framing.
            (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                .whenComplete { [channel = context.channel] _ in
                    channel.close(promise: nil)
                }
        case .complete, .close:
            // Closing at once with unread bytes in the socket would reset it and could destroy the answer.
            phase = .lingering
            inbound = ByteBuffer()
            setReading(true)
            // A caller that reads nothing of the answer's end is given up like any other.
            readDeadline = .now() + TimeAmount(limits.writeTimeout)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
                self.readDeadline = .now() + Self.lingerTime
                context.close(mode: .output, promise: nil)
            }
        }
    }

    /// Nothing runs: a drain may close the connection now.
    func closeIfIdle() {
        if case .head = phase, !parser.hasBegun { context?.close(promise: nil) }
    }

    func deadlinePassed() {
        if writeDeadline <= .now() {
            writeDeadline = .distantFuture
            // What waits to be written is given up with the connection.
            finishConnection(.reset)
            return
        }
        readDeadline = .distantFuture
        switch phase {
        case .head where parser.hasBegun:
            refuse(Refusal(.requestTimeout, "The request's headers did not arrive in time.", closes: true))
        case .body:
            let refusal = Refusal(.requestTimeout, "The request's body did not arrive in time.", closes: true)
            if let exchange { exchange.end(with: refusal) } else { finishConnection(.close) }
        case .waiting: break
        case .head, .lingering, .closed: context?.close(promise: nil)
        }
    }
}
