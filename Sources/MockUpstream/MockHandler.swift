import CLinux
import NIOCore
import NIOHTTP1

/// Serves one connection of the fake provider.
final class MockHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let settings: MockSettings
    private let requests: ReceivedRequests
    private let throttle: MockThrottle
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var number = 0
    private var isClosed = false

    init(settings: MockSettings, requests: ReceivedRequests, throttle: MockThrottle) {
        self.settings = settings
        self.requests = requests
        self.throttle = throttle
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end: if let head { answer(head, context) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        end("closed")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if head.uri == "/_mock/requests" {
            if head.method == .DELETE { requests.clear() }
            send(context, status: .ok, text: requests.json)
            return
        }
        record(head)
        let settings = settings.applying { head.headers.first(name: $0) }
        after(settings.headerDelay, context) { handler, context in
            handler.answer(head, settings, context)
        }
    }

    private func record(_ head: HTTPRequestHead) {
        guard requests.isKeeping else { return }
        let bytes = Array(body.readableBytesView)
        number = requests.add { number in
            ReceivedRequest(
                number: number,
                method: head.method.rawValue,
                uri: head.uri,
                headers: head.headers.map { ($0.name, $0.value) },
                body: bytes,
                receivedAt: Self.milliseconds()
            )
        }
    }

    private func end(_ how: String) {
        guard number > 0 else { return }
        requests.update(number) { request in
            request.end = how
            request.endedAt = Self.milliseconds()
        }
        number = 0
    }

    private static func milliseconds() -> Int {
        Int(clinux_wall_clock_microseconds() / 1000)
    }

    private func answer(_ head: HTTPRequestHead, _ settings: MockSettings, _ context: ChannelHandlerContext) {
        if let problem = problem(head, settings) {
            send(
                context,
                status: .init(statusCode: problem.status),
                headers: problem.headers,
                text: problem.text
            )
            return
        }
        let text = body.readableBytesView
        let wantsStream =
            text.firstRange(of: Array("\"stream\":true".utf8)) != nil
            || text.firstRange(of: Array("\"stream\": true".utf8)) != nil
        after(settings.timeToFirstToken, context) { handler, context in
            if wantsStream {
                handler.stream(settings, context)
            } else {
                handler.send(context, status: .ok, text: MockAnswers.completion(settings))
            }
        }
    }

    private func problem(
        _ head: HTTPRequestHead,
        _ settings: MockSettings
    ) -> (status: Int, headers: HTTPHeaders, text: String)? {
        var headers = HTTPHeaders()
        if let seconds = settings.retryAfter { headers.add(name: "retry-after", value: "\(seconds)") }
        let authorization = head.headers.first(name: "authorization") ?? ""
        let key = authorization.split(separator: " ").last.map(String.init) ?? ""
        if let refusal = refusal(of: key, settings) { return refusal }
        if let status = settings.status, status >= 400 {
            return (
                status, headers,
                MockAnswers.error("The mock was told to fail.", type: "server_error", code: "mock")
            )
        }
        if settings.errorRate > 0, Double.random(in: 0..<1) < settings.errorRate {
            let text = MockAnswers.error("The mock fails at random.", type: "server_error", code: "mock")
            return (settings.errorStatus, headers, text)
        }
        return nil
    }

    private func refusal(
        of key: String,
        _ settings: MockSettings
    ) -> (status: Int, headers: HTTPHeaders, text: String)? {
        if settings.rejectedKeys.contains(key) {
            let message = "Incorrect API key provided: \(key)."
            let text = MockAnswers.error(message, type: "invalid_request_error", code: "invalid_api_key")
            return (401, [:], text)
        }
        if settings.exhaustedKeys.contains(key) {
            let message = "You exceeded your current quota, please check your plan and billing details."
            let text = MockAnswers.error(message, type: "insufficient_quota", code: "insufficient_quota")
            return (429, [:], text)
        }
        let (requests, seconds) = (settings.throttleRequests, settings.throttleSeconds)
        if settings.throttledKeys.contains(key),
            let wait = throttle.wait(for: key, requests: requests, seconds: seconds)
        {
            let message = "Rate limit reached: \(requests) requests in \(seconds) s. Try again in \(wait) s."
            let text = MockAnswers.error(message, type: "requests", code: "rate_limit_exceeded")
            return (429, ["retry-after": "\(wait)"], text)
        }
        return nil
    }

    // MARK: Sending

    private func send(
        _ context: ChannelHandlerContext,
        status: HTTPResponseStatus,
        headers: HTTPHeaders = [:],
        text: String
    ) {
        var headers = headers
        let buffer = ByteBuffer(string: text)
        headers.add(name: "content-type", value: "application/json")
        headers.add(name: "content-length", value: "\(buffer.readableBytes)")
        headers.add(name: "server", value: "mock-upstream")
        let isHead = head?.method == .HEAD
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
            promise: nil
        )
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil) }
        finish(context)
    }

    private func finish(_ context: ChannelHandlerContext) {
        end("answered")
        let keepsAlive = head?.isKeepAlive ?? false
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if !keepsAlive { context.close(promise: nil) }
    }

    private func stream(_ settings: MockSettings, _ context: ChannelHandlerContext) {
        let headers: HTTPHeaders = [
            "content-type": "text/event-stream", "cache-control": "no-cache", "server": "mock-upstream",
        ]
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))),
            promise: nil
        )
        event(0, settings, context)
    }

    private func event(_ index: Int, _ settings: MockSettings, _ context: ChannelHandlerContext) {
        if let cut = settings.cutAfter, index >= cut {
            end("cut")
            context.close(promise: nil)
            return
        }
        guard index < settings.tokens else {
            write(MockAnswers.lastEvents(settings), context)
            finish(context)
            return
        }
        write(settings.stampsEvents ? MockAnswers.stampedEvent() : MockAnswers.event(index), context)
        context.flush()
        after(settings.gap, context) { handler, context in
            handler.event(index + 1, settings, context)
        }
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }

    /// Runs at once when there is nothing to wait for, and not at all when the connection has closed.
    private func after(
        _ delay: Duration,
        _ context: ChannelHandlerContext,
        _ body: @escaping (MockHandler, ChannelHandlerContext) -> Void
    ) {
        guard delay > .zero else {
            if !isClosed { body(self, context) }
            return
        }
        let bound = NIOLoopBound((self, context, body), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: TimeAmount(delay)) {
            let (handler, context, body) = bound.value
            if !handler.isClosed { body(handler, context) }
        }
    }
}
