import NIOCore

/// Asks a proxy for a way through to a backend (`CONNECT`, RFC 9110 §9.3.6), and is gone once there is one.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let headLimit = 8192

    private let request: ByteBuffer
    private let timeLimit: TimeAmount
    private let promise: EventLoopPromise<Void>
    private var answer = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isOver = false

    private init(_ request: ByteBuffer, _ timeLimit: TimeAmount, _ promise: EventLoopPromise<Void>) {
        (self.request, self.timeLimit, self.promise) = (request, timeLimit, promise)
    }

    /// Opens one on a channel that is connected to the proxy; a channel without one is closed.
    ///
    /// `authority`: of the backend, with its port.
    ///
    /// - Returns: what fails with `ProxyRefusal`, or as connecting does.
    static func open(
        on channel: any Channel,
        to authority: String,
        by proxy: ProxyURL,
        within timeLimit: TimeAmount
    ) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        var request = ByteBuffer(string: "CONNECT \(authority) HTTP/1.1\r\nhost: \(authority)\r\n")
        if let authorization = proxy.authorization {
            request.writeString("proxy-authorization: \(authorization)\r\n")
        }
        request.writeString("\r\n")
        do {
            let tunnel = ProxyTunnel(request, timeLimit, promise)
            try channel.pipeline.syncOperations.addHandler(tunnel)
        } catch {
            channel.close(promise: nil)
            promise.fail(error)
        }
        return promise.futureResult
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeLimit) { [self] in
            fail(ChannelError.connectTimeout(timeLimit), context)
        }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answer.writeImmutableBuffer(unwrapInboundIn(data))
        let bytes = answer.readableBytesView
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            if bytes.count > Self.headLimit { fail(ProxyRefusal(status: nil), context) }
            return
        }
        let status = Self.status(bytes)
        // A backend that speaks first is none that waits for TLS to begin.
        guard let status, (200..<300).contains(status), end.upperBound == bytes.endIndex else {
            return fail(ProxyRefusal(status: status), context)
        }
        isOver = true
        timer?.cancel()
        context.pipeline.syncOperations.removeHandler(self).cascade(to: promise)
    }

    /// Of `HTTP/1.1 200 Connection established`.
    private static func status(_ head: ByteBufferView) -> Int? {
        let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3 else { return nil }
        return Int(parts[1])
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ProxyRefusal(status: nil), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error, context)
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        context.close(promise: nil)
        promise.fail(error)
    }
}

/// The proxy lets nothing through.
struct ProxyRefusal: Error, CustomStringConvertible {
    /// nil where it has not answered, or nothing that is an answer.
    let status: Int?

    var description: String {
        status.map { "the proxy answered \($0)" } ?? "the proxy closed the connection, or does not speak HTTP"
    }
}
