import NIOCore

/// What is known of a request once it has been let in.
struct AdmittedRequest: Equatable {
    let framing: BodyFraming
    /// Where the path and query are in the head's bytes; the target without an absolute form's authority.
    let path: Range<Int>
    let query: Range<Int>?
    let keepsConnection: Bool
    let expectsContinue: Bool
}

/// Judges a request's head before anything else looks at it.
///
/// What RFC 9112 forbids, or two parsers could read in two ways, is refused here with the right status and a
/// close, so that no upstream ever sees it.
enum Admission {
    static func judge(_ head: RequestHead) throws(Refusal) -> AdmittedRequest {
        try judgeMethod(head)
        try judgeFieldNames(head)
        let (path, query, authority) = try splitTarget(head)
        try judgeHost(head, authority: authority)
        try judgeConnection(head)
        let framing = try judgeFraming(head)
        let expectsContinue = try judgeExpectation(head)
        return AdmittedRequest(
            framing: framing,
            path: path,
            query: query,
            keepsConnection: keepsConnection(head),
            expectsContinue: expectsContinue
        )
    }

    static func refuse(_ fault: HeadFault) -> Refusal {
        switch fault {
        case .firstLineTooLong: Refusal(.uriTooLong, "The request line is too long.", closes: true)
        case .fieldsTooLarge: Refusal(.headersTooLarge, "The request headers are too large.", closes: true)
        case .malformed(let why): bad("The request is malformed: \(why).")
        }
    }

    static func refuse(_ fault: RequestHead.Fault) -> Refusal {
        switch fault {
        case .malformed(let why): bad("The request is malformed: \(why).")
        case .unsupportedVersion:
            Refusal(.versionNotSupported, "Only HTTP/1.0 and HTTP/1.1 are served here.", closes: true)
        }
    }

    private static func bad(_ message: String) -> Refusal {
        Refusal(.badRequest, message, closes: true)
    }

    private static func judgeMethod(_ head: RequestHead) throws(Refusal) {
        switch head.method {
        case .trace: throw Refusal(.methodNotAllowed, "TRACE is not served.", closes: true)
        case .connect: throw Refusal(.notImplemented, "CONNECT is not served.", closes: true)
        default: break
        }
    }

    /// An underscore is a hyphen to some backends: `Transfer_Encoding` must not slip past this page.
    private static func judgeFieldNames(_ head: RequestHead) throws(Refusal) {
        for field in head.message.fields where field.name == .other {
            let hasUnderscore = head.message.withBytes(field.nameRange) { $0.contains(UInt8(ascii: "_")) }
            if hasUnderscore { throw bad("A header name holds an underscore.") }
        }
    }

    private static func splitTarget(
        _ head: RequestHead
    ) throws(Refusal) -> (path: Range<Int>, query: Range<Int>?, authority: Range<Int>?) {
        let bytes = head.message.bytes
        let parts = bytes.withUnsafeReadableBytes { split(UnsafeRawBufferPointer($0), head.target) }
        guard let parts else { throw bad("The request target is not a path that is served.") }
        guard head.message.withBytes(parts.path, PathRules.isSafe) else {
            throw bad("The path holds dot segments, empty segments or encoded control characters.")
        }
        return parts
    }

    private static func split(
        _ bytes: UnsafeRawBufferPointer,
        _ target: Range<Int>
    ) -> (path: Range<Int>, query: Range<Int>?, authority: Range<Int>?)? {
        let text = UnsafeRawBufferPointer(rebasing: bytes[target])
        if text.contains(UInt8(ascii: "#")) { return nil }
        var pathStart = target.lowerBound
        var authority: Range<Int>?
        if text.first != UInt8(ascii: "/") {
            guard let scheme = absoluteScheme(text) else { return nil }
            let start = target.lowerBound + scheme
            var end = start
            while end < target.upperBound, ![0x2F, 0x3F].contains(bytes[end]) {
                end += 1
            }
            guard end > start, end < target.upperBound, bytes[end] == UInt8(ascii: "/") else { return nil }
            authority = start..<end
            pathStart = end
        }
        let question = ASCII.firstIndex(of: UInt8(ascii: "?"), in: bytes, from: pathStart)
        guard let question, question < target.upperBound else {
            return (pathStart..<target.upperBound, nil, authority)
        }
        return (pathStart..<question, (question + 1)..<target.upperBound, authority)
    }

    private static func absoluteScheme(_ target: UnsafeRawBufferPointer) -> Int? {
        for scheme in ["http://", "https://"] as [StaticString]
        where target.count > scheme.utf8CodeUnitCount {
            let start = UnsafeRawBufferPointer(rebasing: target[0..<scheme.utf8CodeUnitCount])
            if scheme.withUTF8Buffer({ ASCII.equalIgnoringCase(start, $0) }) { return start.count }
        }
        return nil
    }

    private static func judgeHost(_ head: RequestHead, authority: Range<Int>?) throws(Refusal) {
        guard head.message.count(.host) <= 1 else { throw bad("There is more than one Host header.") }
        guard let host = head.message.first(.host) else {
            if head.minorVersion == 0 && authority == nil { return }
            throw bad("The Host header is missing.")
        }
        guard head.message.withBytes(host.valueRange, isHost) else {
            throw bad("The Host header is not valid.")
        }
        guard let authority else { return }
        let isSame = head.message.bytes.withUnsafeReadableBytes { bytes in
            bytes[authority].elementsEqual(bytes[host.valueRange]) {
                ASCII.lowercased($0) == ASCII.lowercased($1)
            }
        }
        if !isSame { throw bad("The request target and the Host header name different hosts.") }
    }

    /// A registered name or address, then a port of digits, and nothing that could be read as a path or user.
    private static func isHost(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty, bytes.count <= 261 else { return false }
        var name = bytes[...]
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1 else { return false }
            let isAddress = bytes[1..<end].allSatisfy {
                ASCII.hexValue($0) != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
            }
            guard isAddress else { return false }
            name = bytes[(end + 1)...]
            return name.isEmpty || isPort(name)
        }
        if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            guard isPort(bytes[colon...]) else { return false }
            name = bytes[..<colon]
        }
        return !name.isEmpty && name.allSatisfy(isHostNameByte)
    }

    private static func isPort(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
        text.first == UInt8(ascii: ":") && (2...6).contains(text.count)
            && text.dropFirst().allSatisfy(ASCII.isDigit)
    }

    private static func isHostNameByte(_ byte: UInt8) -> Bool {
        let folded = ASCII.lowercased(byte)
        return folded >= 0x61 && folded <= 0x7A || ASCII.isDigit(byte)
            || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
    }

    /// `Connection` may name headers to drop; never the ones that framing, routing or we depend on.
    private static func judgeConnection(_ head: RequestHead) throws(Refusal) {
        let protected: [StaticString] = [
            "host", "content-length", "transfer-encoding", "authorization", "x-api-key", "api-key",
            "x-goog-api-key", "x-request-id", "expect", "content-type", "content-encoding",
        ]
        guard head.message.first(.connection) != nil else { return }
        for name in protected where head.message.hasToken(.connection, name) {
            throw bad("The Connection header names a header that must not be dropped.")
        }
    }

    private static func judgeFraming(_ head: RequestHead) throws(Refusal) -> BodyFraming {
        let lengths = head.message.count(.contentLength)
        let codings = head.message.count(.transferEncoding)
        if codings > 0 {
            guard lengths == 0 else { throw bad("Content-Length and Transfer-Encoding stand together.") }
            guard head.minorVersion == 1 else { throw bad("HTTP/1.0 has no Transfer-Encoding.") }
            try judgeCoding(head, count: codings)
            return .chunked
        }
        guard let field = head.message.first(.contentLength) else { return .none }
        guard lengths == 1, let length = head.message.withBytes(field.valueRange, ASCII.parseDecimal) else {
            throw bad("The Content-Length header is repeated or not a number.")
        }
        return .length(length)
    }

    private static func judgeCoding(_ head: RequestHead, count: Int) throws(Refusal) {
        guard count == 1, let coding = head.message.first(.transferEncoding) else {
            throw bad("There is more than one Transfer-Encoding header.")
        }
        if head.message.value(of: coding, equals: "chunked") { return }
        for known in [
            "gzip", "deflate", "compress", "gzip, chunked", "deflate, chunked", "compress, chunked",
        ]
            as [StaticString]
        where head.message.value(of: coding, equals: known) {
            throw Refusal(.notImplemented, "The only transfer coding served is chunked.", closes: true)
        }
        throw bad("The Transfer-Encoding header is not exactly chunked.")
    }

    private static func judgeExpectation(_ head: RequestHead) throws(Refusal) -> Bool {
        let count = head.message.count(.expect)
        guard count > 0 else { return false }
        guard count == 1, let field = head.message.first(.expect),
            head.message.value(of: field, equals: "100-continue")
        else {
            throw Refusal(.expectationFailed, "The only expectation served is 100-continue.", closes: true)
        }
        return head.minorVersion == 1
    }

    /// A request that asked for another protocol gets its answer in this one, and then a close.
    private static func keepsConnection(_ head: RequestHead) -> Bool {
        if head.message.first(.upgrade) != nil { return false }
        if head.message.hasToken(.connection, "close") { return false }
        return head.minorVersion == 1 || head.message.hasToken(.connection, "keep-alive")
    }
}
