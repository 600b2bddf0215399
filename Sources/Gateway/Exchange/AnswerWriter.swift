import NIOCore

/// Writes what a caller sees: an upstream's answer, cleaned, or one of ours.
enum AnswerWriter {
    /// Never passed on: they speak of the backend, of its connection, or of its limits instead of ours.
    private static let withheld = HeaderNameSet.hopByHop.union([
        .setCookie, .server, .via, .altSvc, .xRequestID, .contentLength, .fastgateAttempts, .fastgateOverhead,
    ])

    struct Facts {
        let requestID: String
        let attempts: Int
        let overheadMicroseconds: Int
        let framing: BodyFraming
        let limits: ScopeWindows.Figures?
        /// nil for the protocol version's default.
        let connection: StaticString?
    }

    static func write(_ head: ResponseHead, _ facts: Facts, to buffer: inout ByteBuffer) {
        buffer.write("HTTP/1.1 ")
        buffer.writeDecimal(head.status)
        buffer.write(" ")
        buffer.write(head.reason, of: head.message)
        buffer.write("\r\n")
        writeFields(of: head, to: &buffer)
        switch facts.framing {
        case .length(let length):
            buffer.write("content-length: ")
            buffer.writeDecimal(length)
            buffer.write("\r\n")
        case .chunked: buffer.write("transfer-encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        buffer.write("x-request-id: ")
        buffer.writeString(facts.requestID)
        buffer.write("\r\nx-fastgate-attempts: ")
        buffer.writeDecimal(facts.attempts)
        buffer.write("\r\nx-fastgate-overhead-us: ")
        buffer.writeDecimal(facts.overheadMicroseconds)
        buffer.write("\r\n")
        if let limits = facts.limits { write(limits, to: &buffer) }
        writeConnection(facts.connection, to: &buffer)
    }

    static func writeConnection(_ value: StaticString?, to buffer: inout ByteBuffer) {
        guard let value else { return }
        buffer.write("connection: ")
        buffer.write(value)
        buffer.write("\r\n")
    }

    /// In the names and forms of OpenAI's own headers.
    private static func write(_ limits: ScopeWindows.Figures, to buffer: inout ByteBuffer) {
        buffer.write("x-ratelimit-limit-requests: ")
        buffer.writeDecimal(limits.limit)
        buffer.write("\r\nx-ratelimit-remaining-requests: ")
        buffer.writeDecimal(limits.remaining)
        buffer.write("\r\nx-ratelimit-reset-requests: ")
        let seconds = (limits.reset + 999_999) / 1_000_000
        if seconds >= 3600 {
            buffer.writeDecimal(seconds / 3600)
            buffer.write("h")
        }
        if seconds >= 60 {
            buffer.writeDecimal(seconds / 60 % 60)
            buffer.write("m")
        }
        buffer.writeDecimal(seconds % 60)
        buffer.write("s\r\n")
    }

    private static func writeFields(of head: ResponseHead, to buffer: inout ByteBuffer) {
        let nominated = head.message.nominatedHeaders
        head.message.bytes.withUnsafeReadableBytes { bytes in
            var run: Range<Int>?
            for field in head.message.fields where isPassedOn(field, bytes, nominated) {
                if let open = run, open.upperBound == field.lineRange.lowerBound {
                    run = open.lowerBound..<field.lineRange.upperBound
                    continue
                }
                if let open = run { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[open])) }
                run = field.lineRange
            }
            if let run { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[run])) }
        }
    }

    private static func isPassedOn(
        _ field: HeaderField,
        _ bytes: UnsafeRawBufferPointer,
        _ nominated: [[UInt8]]
    ) -> Bool {
        guard field.name == .other else { return !withheld.contains(field.name) }
        let name = UnsafeRawBufferPointer(rebasing: bytes[field.nameRange])
        for prefix in ["x-ratelimit-", "access-control-"] as [StaticString]
        where name.count >= prefix.utf8CodeUnitCount {
            let start = UnsafeRawBufferPointer(rebasing: name[0..<prefix.utf8CodeUnitCount])
            if ASCII.equalFolded(start, prefix) { return false }
        }
        return !nominated.contains { ASCII.equalIgnoringCase(name, $0) }
    }

    /// What an answer of ours says besides itself.
    struct OwnFacts {
        let requestID: String?
        let attempts: Int
        let isHead: Bool
        let connection: StaticString?
        let extraHeaders: (inout ByteBuffer) -> Void
    }

    /// A whole answer of ours, in OpenAI's envelope.
    ///
    /// - Returns: the bytes of its body that are sent.
    static func write(_ refusal: Refusal, _ facts: OwnFacts, to buffer: inout ByteBuffer) -> Int {
        let body = envelope(refusal, requestID: facts.requestID) + [ASCII.lf]
        buffer.write("HTTP/1.1 ")
        buffer.writeDecimal(refusal.code.status)
        buffer.write(" ")
        buffer.write(refusal.code.reason)
        buffer.write("\r\ncontent-type: application/json\r\ncontent-length: ")
        buffer.writeDecimal(body.count)
        buffer.write("\r\n")
        if let requestID = facts.requestID { buffer.writeString("x-request-id: \(requestID)\r\n") }
        if facts.attempts > 0 { buffer.writeString("x-fastgate-attempts: \(facts.attempts)\r\n") }
        if let seconds = refusal.retryAfter {
            buffer.write("retry-after: ")
            buffer.writeDecimal(seconds)
            buffer.write("\r\n")
        }
        if let limits = refusal.limits { write(limits, to: &buffer) }
        if refusal.code.status == 401 { buffer.write("www-authenticate: Bearer\r\n") }
        facts.extraHeaders(&buffer)
        writeConnection(facts.connection, to: &buffer)
        buffer.write("\r\n")
        return facts.isHead ? 0 : buffer.writeBytes(body)
    }

    /// A whole answer that a rule has made up; what looks like JSON is called so.
    ///
    /// - Returns: the bytes of its body that are sent.
    static func write(_ answer: Judgement.Answer, _ facts: OwnFacts, to buffer: inout ByteBuffer) -> Int {
        let (status, body) = (answer.status, answer.body)
        let isJSON = body.first == "{" || body.first == "["
        buffer.writeString("HTTP/1.1 \(status) \r\ncontent-type: ")
        buffer.write(isJSON ? "application/json" : "text/plain; charset=utf-8")
        // A 204 has no body, and so tells no length.
        if status != 204 { buffer.writeString("\r\ncontent-length: \(body.utf8.count)") }
        if let requestID = facts.requestID { buffer.writeString("\r\nx-request-id: \(requestID)") }
        if facts.attempts > 0 { buffer.writeString("\r\nx-fastgate-attempts: \(facts.attempts)") }
        buffer.write("\r\n")
        facts.extraHeaders(&buffer)
        writeConnection(facts.connection, to: &buffer)
        buffer.write("\r\n")
        return facts.isHead || status == 204 || status == 304 ? 0 : buffer.writeString(body)
    }

    /// `{"error":{…}}`, the form in answers and in streams.
    static func envelope(_ refusal: Refusal, requestID: String?) -> [UInt8] {
        var body = Array("{\"error\":{\"message\":".utf8)
        body += JSONText.quote(refusal.message)
        body += Array(",\"type\":\"\(refusal.code.type)\",\"param\":".utf8)
        body += refusal.parameter.map(JSONText.quote) ?? Array("null".utf8)
        body += Array(",\"code\":\"\(refusal.code.rawValue)\",\"request_id\":".utf8)
        body += requestID.map(JSONText.quote) ?? Array("null".utf8)
        return body + Array("}}".utf8)
    }
}
