import NIOCore

/// How the end of a message's body is known (RFC 9112 §6.3).
enum BodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// Ends when the connection does; responses only.
    case untilClose
}

/// An upstream's status line and fields, with framing that has been checked.
struct ResponseHead {
    enum Fault: Error, Equatable {
        case malformed(StaticText)
    }

    let status: Int
    /// The reason phrase's place in `message.bytes`; may be empty.
    let reason: Range<Int>
    let minorVersion: Int
    let message: MessageHead
    let framing: BodyFraming
    /// Whether the connection can carry another exchange after this response.
    let keepsConnection: Bool

    var isEventStream: Bool { hasContentType("text/event-stream") }

    /// Whether the body arrives as a stream of events or of lines.
    var isStream: Bool { isEventStream || hasContentType("application/x-ndjson") }

    private func hasContentType(_ text: StaticString) -> Bool {
        guard let type = message.first(.contentType) else { return false }
        return message.withBytes(type.valueRange) { value in
            guard value.count >= text.utf8CodeUnitCount else { return false }
            let prefix = UnsafeRawBufferPointer(rebasing: value[0..<text.utf8CodeUnitCount])
            return text.withUTF8Buffer { ASCII.equalIgnoringCase(prefix, $0) }
        }
    }

    init(
        bytes: ByteBuffer,
        firstLine: Range<Int>,
        fields: [HeaderField],
        answering method: Method
    ) throws(Fault) {
        let line = try bytes.withUnsafeReadableBytes { (all) throws(Fault) in
            try Self.parseLine(UnsafeRawBufferPointer(rebasing: all[firstLine]))
        }
        status = line.status
        reason = (firstLine.lowerBound + min(13, firstLine.count))..<firstLine.upperBound
        minorVersion = line.minorVersion
        message = MessageHead(bytes: bytes, fields: fields)
        framing = try Self.framing(of: message, status: status, method: method, minorVersion: minorVersion)
        let closes = message.hasToken(.connection, "close")
        let keepsAlive = minorVersion == 1 || message.hasToken(.connection, "keep-alive")
        keepsConnection = !closes && keepsAlive && framing != .untilClose && status != 101
    }

    private static func parseLine(
        _ line: UnsafeRawBufferPointer
    ) throws(Fault) -> (status: Int, minorVersion: Int) {
        guard line.count >= 12, ASCII.begins(line, with: "HTTP/1."), line[7] == 0x30 || line[7] == 0x31,
            line[8] == ASCII.space, line.count == 12 || line[12] == ASCII.space
        else { throw .malformed("the status line is not HTTP/1") }
        guard let status = ASCII.parseDecimal(UnsafeRawBufferPointer(rebasing: line[9..<12])),
            (100..<600).contains(status)
        else { throw .malformed("the status is not between 100 and 599") }
        guard line.dropFirst(12).allSatisfy(ASCII.isFieldText) else {
            throw .malformed("the reason phrase holds a control character")
        }
        return (status, Int(line[7] - 0x30))
    }

    /// An answer whose length can be read in two ways is refused: the next reader might pick the other.
    private static func framing(
        of message: MessageHead,
        status: Int,
        method: Method,
        minorVersion: Int
    ) throws(Fault) -> BodyFraming {
        let length = try contentLength(of: message)
        let codings = message.count(.transferEncoding)
        if codings > 0 {
            guard codings == 1, length == nil, minorVersion == 1,
                let coding = message.first(.transferEncoding),
                message.value(of: coding, equals: "chunked")
            else { throw .malformed("the transfer coding is not exactly chunked, or stands beside a length") }
        }
        if method == .head || status < 200 || status == 204 || status == 304 { return .none }
        if codings > 0 { return .chunked }
        return length.map(BodyFraming.length) ?? .untilClose
    }

    private static func contentLength(of message: MessageHead) throws(Fault) -> Int? {
        guard let first = message.first(.contentLength) else { return nil }
        guard message.count(.contentLength) == 1,
            let length = message.withBytes(first.valueRange, ASCII.parseDecimal)
        else { throw .malformed("the content length is repeated or not a number") }
        return length
    }
}
