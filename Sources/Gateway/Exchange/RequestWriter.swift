import NIOCore
import Operations

/// Writes the head of an attempt: the caller's request, cleaned, with the upstream's address and key.
struct RequestWriter {
    let request: ExchangeRequest
    /// Whom it is sent to: the one that was asked for, or one that stands in for it.
    let upstream: UpstreamEntry
    let key: UpstreamKeyEntry?
    /// The upstream's own headers, as lines.
    let headerLines: [UInt8]

    private var message: MessageHead { request.head.message }

    func write(framing: BodyFraming, to buffer: inout ByteBuffer) {
        buffer.write(request.head.method.text)
        buffer.write(" ")
        writeTarget(to: &buffer)
        buffer.write(" HTTP/1.1\r\n")
        buffer.writeBytes(upstream.hostLine)
        writeFields(to: &buffer)
        if !headerLines.isEmpty { buffer.writeBytes(headerLines) }
        if let key, key.definition.location == .header { buffer.writeBytes(key.injection) }
        if upstream.definition.acceptEncoding == .identity { buffer.write("accept-encoding: identity\r\n") }
        buffer.write("x-request-id: ")
        buffer.writeString(request.requestID)
        switch framing {
        case .length(let length):
            buffer.write("\r\ncontent-length: ")
            buffer.writeDecimal(length)
            buffer.write("\r\n\r\n")
        case .chunked: buffer.write("\r\ntransfer-encoding: chunked\r\n\r\n")
        case .none, .untilClose: buffer.write("\r\n\r\n")
        }
    }

    private func writeTarget(to buffer: inout ByteBuffer) {
        buffer.writeBytes(upstream.pathPrefix)
        if request.path.isEmpty {
            buffer.writeBytes(upstream.rootPath)
        } else {
            buffer.write(request.path, of: message)
        }
        var separator: StaticString = "?"
        if let query = request.admitted.query, !query.isEmpty {
            if upstream.strippedQuery.isEmpty && key?.definition.location != .query {
                buffer.write("?")
                buffer.write(query, of: message)
                return
            }
            message.withBytes(query) { bytes in
                for pair in bytes.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
                where !isStripped(pair) {
                    buffer.write(separator)
                    buffer.writeBytes(UnsafeRawBufferPointer(rebasing: pair))
                    separator = "&"
                }
            }
        }
        if let key, key.definition.location == .query {
            buffer.write(separator)
            buffer.writeBytes(key.injection)
        }
    }

    /// Backends differ in whether they tell capital letters from small ones, and whether `;` begins another pair.
    private func isStripped(_ pair: Slice<UnsafeRawBufferPointer>) -> Bool {
        let added = key.flatMap { $0.definition.location == .query ? $0.paramName : nil }
        return pair.split(separator: UInt8(ascii: ";")).contains { part in
            PercentEncoding.decode(part.prefix { $0 != UInt8(ascii: "=") }).withUnsafeBytes { name in
                added.map { ASCII.equalIgnoringCase(name, $0) } == true
                    || upstream.strippedQuery.contains { ASCII.equalIgnoringCase(name, $0) }
            }
        }
    }

    /// Kept lines are copied as they came, so bytes that are no UTF-8 arrive unchanged.
    private func writeFields(to buffer: inout ByteBuffer) {
        let nominated = message.nominatedHeaders
        message.bytes.withUnsafeReadableBytes { bytes in
            var run: Range<Int>?
            for field in message.fields {
                if isKept(field, bytes, nominated) {
                    if let open = run, open.upperBound == field.lineRange.lowerBound {
                        run = open.lowerBound..<field.lineRange.upperBound
                        continue
                    }
                    if let open = run { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[open])) }
                    run = field.lineRange
                }
            }
            if let run { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[run])) }
        }
    }

    private func isKept(_ field: HeaderField, _ bytes: UnsafeRawBufferPointer, _ nominated: [[UInt8]]) -> Bool
    {
        if field.name != .other {
            if upstream.strippedHeaders.contains(field.name) { return false }
            if let key, key.definition.location == .header, key.headerName == field.name { return false }
            if nominated.isEmpty { return true }
        }
        let name = UnsafeRawBufferPointer(rebasing: bytes[field.nameRange])
        for stripped in upstream.strippedOtherHeaders
        where stripped.count == name.count && ASCII.equalIgnoringCase(name, stripped) {
            return false
        }
        if let key, key.definition.location == .header, ASCII.equalIgnoringCase(name, key.paramName) {
            return false
        }
        return !nominated.contains { ASCII.equalIgnoringCase(name, $0) }
    }
}

extension MessageHead {
    /// Lower-case names that `Connection` asks to drop, beyond `close` and `keep-alive`.
    var nominatedHeaders: [[UInt8]] {
        let message = self
        guard let field = message.first(.connection) else { return [] }
        if message.value(of: field, equals: "keep-alive") || message.value(of: field, equals: "close") {
            return []
        }
        var names: [[UInt8]] = []
        for field in message.fields where field.name == .connection {
            message.withBytes(field.valueRange) { value in
                for part in value.split(separator: UInt8(ascii: ",")) {
                    let name = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: part)).map(ASCII.lowercased)
                    if !name.isEmpty { names.append(name) }
                }
            }
        }
        return names
    }
}
