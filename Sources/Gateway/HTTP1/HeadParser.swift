/// Why the head of a message cannot be accepted.
enum HeadFault: Error, Equatable {
    /// The first line is over its limit.
    case firstLineTooLong
    /// One field line, all of them together, or their number is over the limit.
    case fieldsTooLarge
    /// The bytes break HTTP's grammar; the text says where.
    case malformed(StaticText)
}

/// A message known at compile time, comparable so that tests can name it.
struct StaticText: Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
    let text: StaticString

    init(stringLiteral text: StaticString) {
        self.text = text
    }

    var description: String { text.description }

    static func == (left: StaticText, right: StaticText) -> Bool {
        left.description == right.description
    }
}

/// How large the head of a message may be, in bytes without line ends.
struct HeadLimits: Sendable, Equatable {
    var firstLine = 8192
    var fieldLine = 16_384
    var fields = 65_536
    var fieldCount = 100
}

/// One header field as positions in the bytes of its head.
struct HeaderField: Equatable {
    let name: HeaderName
    let nameStart: Int32
    let nameEnd: Int32
    let valueStart: Int32
    let valueEnd: Int32
    /// After the line's CR LF.
    let lineEnd: Int32

    var nameRange: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var valueRange: Range<Int> { Int(valueStart)..<Int(valueEnd) }
    var lineRange: Range<Int> { Int(nameStart)..<Int(lineEnd) }
}

/// Reads the head of an HTTP/1 message, line by line, from bytes that may arrive in any pieces.
///
/// It keeps positions, never copies: the caller holds the bytes, from the head's first byte on, until the
/// head is complete. Strict where RFC 9112 leaves a choice: lines end in CR LF only, no folding, no space
/// before the colon, no control characters.
struct HeadParser {
    enum Outcome: Equatable {
        case incomplete
        /// The head's length in bytes, with its empty line.
        case complete(Int)
        case refused(HeadFault)
    }

    private(set) var firstLine: Range<Int> = 0..<0
    private(set) var fields: [HeaderField] = []
    private var lineStart = 0
    private var scanned = 0
    private var fieldBytes = 0
    private var hasFirstLine = false
    private let limits: HeadLimits

    init(limits: HeadLimits) {
        self.limits = limits
        fields.reserveCapacity(16)
    }

    /// Whether any byte of the head has been seen.
    var hasBegun: Bool { scanned > 0 }

    mutating func reset() {
        fields.removeAll(keepingCapacity: true)
        firstLine = 0..<0
        lineStart = 0
        scanned = 0
        fieldBytes = 0
        hasFirstLine = false
    }

    /// Goes on from where the last call stopped; `bytes` starts with the head's first byte.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        while let end = ASCII.firstIndex(of: ASCII.lf, in: bytes, from: scanned) {
            scanned = end + 1
            guard end > lineStart, bytes[end - 1] == ASCII.cr else {
                return .refused(.malformed("a line does not end in CR LF"))
            }
            let line = lineStart..<(end - 1)
            lineStart = end + 1
            if line.isEmpty {
                if hasFirstLine { return .complete(end + 1) }
                guard end == 1 else {
                    return .refused(.malformed("more than one empty line before the message"))
                }
                continue
            }
            if let fault = accept(line, of: bytes) { return .refused(fault) }
        }
        scanned = bytes.count
        return unfinishedLine(bytes)
    }

    private mutating func accept(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer) -> HeadFault? {
        guard hasFirstLine else {
            if line.count > limits.firstLine { return .firstLineTooLong }
            firstLine = line
            hasFirstLine = true
            return nil
        }
        fieldBytes += line.count
        if line.count > limits.fieldLine || fieldBytes > limits.fields || fields.count >= limits.fieldCount {
            return .fieldsTooLarge
        }
        return acceptField(line, of: bytes)
    }

    private mutating func acceptField(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer) -> HeadFault? {
        var colon = line.lowerBound
        while colon < line.upperBound, ASCII.isToken(bytes[colon]) {
            colon += 1
        }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else {
            return .malformed("a header name is empty or holds a character that is not allowed")
        }
        var valueStart = colon + 1
        var valueEnd = line.upperBound
        while valueStart < valueEnd, bytes[valueStart] == ASCII.space || bytes[valueStart] == ASCII.tab {
            valueStart += 1
        }
        while valueEnd > valueStart, bytes[valueEnd - 1] == ASCII.space || bytes[valueEnd - 1] == ASCII.tab {
            valueEnd -= 1
        }
        for index in valueStart..<valueEnd where !ASCII.isFieldText(bytes[index]) {
            return .malformed("a header value holds a control character")
        }
        let name = UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<colon])
        fields.append(
            HeaderField(
                name: HeaderName.recognise(name),
                nameStart: Int32(line.lowerBound),
                nameEnd: Int32(colon),
                valueStart: Int32(valueStart),
                valueEnd: Int32(valueEnd),
                lineEnd: Int32(line.upperBound + 2)
            )
        )
        return nil
    }

    /// A line that has not ended yet can already be too long or wrong; a slow sender should not have to finish.
    private func unfinishedLine(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        // The last byte may be the CR of a line that is exactly at its limit.
        let length = bytes.count - lineStart - (bytes.last == ASCII.cr ? 1 : 0)
        if !hasFirstLine {
            return length > limits.firstLine ? .refused(.firstLineTooLong) : .incomplete
        }
        let isOver = length > limits.fieldLine || fieldBytes + length > limits.fields
        return isOver ? .refused(.fieldsTooLarge) : .incomplete
    }
}
