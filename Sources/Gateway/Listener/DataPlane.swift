import NIOCore

/// The routes of the callers' port.
enum DataPlane {
    static func serve(
        _ head: RequestHead,
        _ admitted: AdmittedRequest,
        on caller: CallerConnection,
        worker: Worker,
        at now: NIODeadline
    ) {
        if head.method == .options, let answer = preflight(head, caller, worker) {
            caller.writeAndFlush(answer)
            caller.answered()
            return
        }
        if let answer = health(head, admitted, caller, worker) {
            caller.writeAndFlush(answer)
            caller.answered()
            return
        }
        let requestID = RequestIdentity.requestID(of: head.message, fallback: worker.nextExchangeID())
        var known = RoutedSoFar()
        do throws(Refusal) {
            let request = try route(head, admitted, requestID, caller, worker, &known)
            let exchange = Exchange(request, caller: caller, worker: worker, at: now)
            caller.attach(exchange)
            worker.add(exchange)
            exchange.begin()
        } catch {
            let answer = caller.makeAnswer(error, requestID: requestID.text)
            worker.refused(error, answer, head: head, caller: caller, requestID: requestID, known: known)
            caller.send(answer)
            caller.exchangeEnded(error.closesConnection ? .close : .complete)
        }
    }

    // MARK: Answers without an upstream

    private static func preflight(
        _ head: RequestHead,
        _ caller: CallerConnection,
        _ worker: Worker
    ) -> ByteBuffer? {
        guard let preflight = worker.snapshot.preflight, let origin = head.message.first(.origin),
            head.message.first(.accessControlRequestMethod) != nil
        else { return nil }
        return preflight.answer(head.message, origin: origin, keepsConnection: caller.connectionHeader == nil)
    }

    private static func health(
        _ head: RequestHead,
        _ admitted: AdmittedRequest,
        _ caller: CallerConnection,
        _ worker: Worker
    ) -> ByteBuffer? {
        // Checked by length first: every other request must not pay for a text of its path.
        guard head.method == .get || head.method == .head, admitted.path.count <= 13 else { return nil }
        let path = head.message.text(admitted.path)
        guard path == "/health" || path == "/health/ready" else { return nil }
        let problem = path == "/health" ? worker.health() : worker.readiness()
        let body =
            problem.map { "{\"status\":\"unavailable\",\"reason\":\"\($0)\"}\n" } ?? "{\"status\":\"ok\"}\n"
        var buffer = ByteBuffer()
        buffer.write(problem == nil ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 503 Service Unavailable\r\n")
        buffer.writeString("content-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n")
        AnswerWriter.writeConnection(caller.connectionHeader, to: &buffer)
        buffer.write("\r\n")
        if head.method != .head { buffer.writeString(body) }
        return buffer
    }

    // MARK: Proxying

    /// Finds the upstream and checks the client key, in the order in which refusals may be told.
    private static func route(
        _ head: RequestHead,
        _ admitted: AdmittedRequest,
        _ requestID: RequestIdentity,
        _ caller: CallerConnection,
        _ worker: Worker,
        _ known: inout RoutedSoFar
    ) throws(Refusal) -> ExchangeRequest {
        if worker.isDraining {
            throw Refusal(.shuttingDown, "The gateway is shutting down.", retryAfter: 1, closes: true)
        }
        guard let (slug, rest) = split(head.message, admitted.path) else {
            if head.message.text(admitted.path) == "/health" {
                throw Refusal(.methodNotAllowed, "/health is asked with GET or HEAD.")
            }
            throw Refusal(.notFound, "There is nothing here; requests go to /proxy/{upstream}/{path}.")
        }
        let wallClock = WallClock.now()
        let upstream = worker.snapshot.upstreams[slug]
        known.upstream = upstream
        let key = try authenticate(head.message, worker.snapshot.clientKeys)
        known.clientKey = key
        try key.checkUsable(at: wallClock.seconds)
        guard key.permissions.allowsUpstream(slug) else {
            throw Refusal(.permissionDenied, "This API key may not use the upstream.", parameter: "upstream")
        }
        guard let upstream else { throw Refusal(.unknownUpstream, "There is no upstream of this name.") }
        guard head.message.withBytes(rest, key.permissions.allowsPath) else {
            throw Refusal(.permissionDenied, "This API key may not use the path.", parameter: "path")
        }
        let address = CallerAddress.resolve(
            head.message,
            peer: caller.channelAddress,
            trusted: worker.snapshot.configuration.server.trustedProxies
        )
        guard key.permissions.allowsAddress(IPAddress(address)) else {
            throw Refusal(
                .permissionDenied,
                "This API key may not be used from this address.",
                parameter: "address"
            )
        }
        guard upstream.isEnabled else {
            throw Refusal(.upstreamDisabled, "The upstream is disabled.", retryAfter: 30)
        }
        // The last thing that may refuse: what is counted begins.
        let admission = try worker.limiter.admit(upstream, key)
        return ExchangeRequest(
            id: requestID.exchangeID,
            requestID: requestID.text,
            head: head,
            admitted: admitted,
            path: rest,
            clientKey: key,
            upstream: upstream,
            admission: admission,
            callerAddress: address,
            receivedAt: wallClock.microseconds
        )
    }

    private static func split(_ message: MessageHead, _ path: Range<Int>) -> (slug: String, rest: Range<Int>)?
    {
        message.bytes.withUnsafeReadableBytes { bytes in
            let prefix = 7
            let text = UnsafeRawBufferPointer(rebasing: bytes[path])
            guard text.count > prefix, text.starts(with: "/proxy/".utf8) else { return nil }
            let end = ASCII.firstIndex(of: UInt8(ascii: "/"), in: text, from: prefix) ?? text.count
            guard end > prefix else { return nil }
            let slug = String(decoding: text[prefix..<end], as: UTF8.self)
            return (slug, (path.lowerBound + end)..<path.upperBound)
        }
    }

    /// The first credential header that is there decides, even when a later one would be valid.
    private static func authenticate(
        _ message: MessageHead,
        _ keys: ClientKeyIndex
    ) throws(Refusal) -> ClientKeyEntry {
        for name in [HeaderName.xAPIKey, .authorization, .apiKey, .xGoogAPIKey] {
            guard let field = message.first(name) else { continue }
            return try message.bytes.withUnsafeReadableBytes { (bytes) throws(Refusal) in
                var value = UnsafeRawBufferPointer(rebasing: bytes[field.valueRange])
                if name == .authorization {
                    guard value.count > 7,
                        ASCII.equalIgnoringCase(.init(rebasing: value[..<7]), "bearer ".utf8)
                    else { throw Refusal(.invalidAPIKey, "The Authorization header is not a bearer token.") }
                    value = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: value[7...]))
                }
                return try keys.identify(value)
            }
        }
        let message = "An API key is missing; send it as X-API-Key or Authorization: Bearer."
        throw Refusal(.missingAPIKey, message)
    }
}

/// What routing had found out when it refused a request: the audit tells whose it was.
struct RoutedSoFar {
    var clientKey: ClientKeyEntry?
    var upstream: UpstreamEntry?
}
