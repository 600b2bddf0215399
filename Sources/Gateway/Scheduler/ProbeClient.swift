import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Operations

/// Asks a backend one small question outside of any caller's request.
///
/// By the same names, addresses and certificates as the data plane, but on loops of its own.
struct ProbeClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        var body: [UInt8] = []
        var address: String?
        var connectMilliseconds = 0.0
        var firstByteMilliseconds = 0.0
    }

    /// For the whole of it: who is slower than that is not well.
    static let timeLimit = TimeAmount.seconds(10)
    /// More of a body is not shown.
    static let bodyLimit = 2048

    private let addressBook = AddressBook()

    /// A `GET` of a path behind the base URL.
    ///
    /// - Throws: `AttemptFailure` when no answer comes.
    func get(_ path: String, of upstream: UpstreamEntry, with key: UpstreamKeyEntry?) async throws -> Answer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Answer.self)
        let head = Self.head(path, upstream, key)
        let collector = NIOLoopBoundBox.makeBoxSendingValue(
            AnswerCollector(head, promise, bodyLimit: Self.bodyLimit + 4 * (key?.secret.plain.count ?? 0)),
            eventLoop: loop
        )
        let timer = loop.scheduleTask(in: Self.timeLimit) {
            let limit = "\(Self.timeLimit.nanoseconds / 1_000_000_000) s"
            collector.value.end(AttemptFailure(kind: .firstByteTimeout, detail: "no answer within \(limit)"))
        }
        defer { timer.cancel() }
        let channel: any Channel
        do {
            channel = try await connect(upstream, loop, collector)
        } catch {
            let failure = error as? AttemptFailure ?? .connecting(error)
            loop.execute { collector.value.end(failure) }
            throw failure
        }
        defer { channel.close(promise: nil) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            loop.execute { collector.value.end(AttemptFailure(kind: .reset, detail: "given up")) }
        }
    }

    private func connect(
        _ upstream: UpstreamEntry,
        _ loop: any EventLoop,
        _ collector: NIOLoopBoundBox<AnswerCollector>
    ) async throws -> any Channel {
        let base = upstream.definition.baseURL
        guard !base.isSecure || upstream.tls != nil else {
            throw AttemptFailure(kind: .tls, detail: "the upstream's ca_file cannot be used")
        }
        let tls = upstream.tls
        let proxy = upstream.definition.proxyURL
        let (host, port) = proxy.map { ($0.host, $0.port) } ?? (base.host, base.port)
        let identity = upstream.connectionIdentity
        return try await ClientBootstrap(group: loop)
            .connectTimeout(min(TimeAmount(upstream.definition.timeouts.connect), Self.timeLimit))
            .resolver(AddressBookResolver(book: addressBook, loop: loop))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if !identity.isTunnelled { try Self.addHandlers(channel, tls, identity, collector.value) }
                }
            }
            .connect(host: host, port: port)
            .flatMap { channel in
                guard let proxy, identity.isTunnelled else {
                    return channel.eventLoop.makeSucceededFuture(channel)
                }
                if let text = channel.remoteAddress?.ipAddress, IPAddress(text)?.isForbiddenUpstream == true {
                    channel.close(promise: nil)
                    return channel.eventLoop.makeFailedFuture(ForbiddenAddress(host: proxy.host))
                }
                let limit = Self.timeLimit
                return ProxyTunnel.open(on: channel, to: identity.authority, by: proxy, within: limit)
                    .flatMapThrowing {
                        try Self.addHandlers(channel, tls, identity, collector.value)
                        return channel
                    }
            }
            .get()
    }

    /// Of several addresses that are tried in turn only one connects.
    private static func addHandlers(
        _ channel: any Channel,
        _ tls: NIOSSLContext?,
        _ identity: ConnectionIdentity,
        _ collector: AnswerCollector
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(ConnectionPool.tlsHandler(tls, identity.host)) }
        try pipeline.addHTTPClientHandlers()
        try pipeline.addHandler(ProbeHandler(collector, host: identity.proxy?.host ?? identity.host))
    }

    private static func head(
        _ path: String,
        _ upstream: UpstreamEntry,
        _ key: UpstreamKeyEntry?
    ) -> HTTPRequestHead {
        let base = upstream.definition.baseURL
        var uri = base.path + path
        if uri.isEmpty { uri = "/" }
        var headers: HTTPHeaders = [
            "host": base.authority, "accept": "application/json", "accept-encoding": "identity",
            "user-agent": "fastgate", "connection": "close",
        ]
        let identity = upstream.connectionIdentity
        if identity.proxy != nil, !identity.isTunnelled { uri = "http://\(base.authority)\(uri)" }
        if let key {
            switch key.definition.location {
            case .header:
                let value = key.definition.valuePrefix + String(decoding: key.secret.plain, as: UTF8.self)
                headers.replaceOrAdd(name: key.definition.paramName, value: value)
            case .query:
                uri += (uri.contains("?") ? "&" : "?") + String(decoding: key.injection, as: UTF8.self)
            // A GET has no body to put it in.
            case .body: break
            }
        }
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
    }
}

/// What has come of a question so far, on its loop.
private final class AnswerCollector {
    let head: HTTPRequestHead
    private let promise: EventLoopPromise<ProbeClient.Answer>
    private let began = NIODeadline.now()
    private var answer = ProbeClient.Answer()
    private var isOver = false

    /// More of it than is shown: a key that stands across the end of that must be known as one.
    private let bodyLimit: Int

    init(_ head: HTTPRequestHead, _ promise: EventLoopPromise<ProbeClient.Answer>, bodyLimit: Int) {
        self.bodyLimit = bodyLimit
        self.head = head
        self.promise = promise
    }

    private var elapsed: Double { Double((NIODeadline.now() - began).nanoseconds / 1000) / 1000 }

    func connected(to address: SocketAddress?) {
        answer.address = address.flatMap { address in
            address.ipAddress.map { "\($0):\(address.port ?? 0)" }
        }
        answer.connectMilliseconds = elapsed
    }

    func take(_ head: HTTPResponseHead) {
        // An interim answer is not the one.
        guard head.status.code >= 200 else { return }
        answer.status = Int(head.status.code)
        answer.firstByteMilliseconds = elapsed
    }

    func take(_ piece: ByteBuffer) {
        answer.body += piece.readableBytesView.prefix(bodyLimit - answer.body.count)
        if answer.body.count >= bodyLimit { end() }
    }

    /// With what has come; only the first end counts.
    func end(_ failure: AttemptFailure? = nil) {
        guard !isOver else { return }
        isOver = true
        if let failure, answer.status == 0 { promise.fail(failure) } else { promise.succeed(answer) }
    }
}

private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let collector: AnswerCollector
    private let host: String

    init(_ collector: AnswerCollector, host: String) {
        self.collector = collector
        self.host = host
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    /// Behind a tunnel it has been active for a while.
    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    private func begin(_ context: ChannelHandlerContext) {
        let address = context.channel.remoteAddress
        // The address is judged where it is certain: on the connected socket, before the key is sent.
        if let text = address?.ipAddress, IPAddress(text)?.isForbiddenUpstream == true {
            collector.end(AttemptFailure(kind: .connect, detail: "\(ForbiddenAddress(host: host))"))
            context.close(promise: nil)
            return
        }
        collector.connected(to: address)
        context.write(wrapOutboundOut(.head(collector.head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): collector.take(head)
        case .body(let piece): collector.take(piece)
        case .end: collector.end()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        collector.end(AttemptFailure(kind: .reset, detail: "closed before an answer"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isTLS = error is NIOSSLError || error is NIOSSLExtraError
        collector.end(isTLS ? .securing(error) : AttemptFailure(kind: .protocolError, detail: "\(error)"))
        context.close(promise: nil)
    }
}
