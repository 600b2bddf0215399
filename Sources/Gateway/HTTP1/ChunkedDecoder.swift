import NIOCore

/// Takes the data out of a chunked body (RFC 9112 §7.1) that arrives in any pieces.
///
/// Extensions and trailers are read, limited and dropped.
struct ChunkedDecoder {
    enum Fault: Error, Equatable {
        case malformed(StaticText)
    }

    /// Bytes of a body that are neither data nor a plain size line: extensions, leading zeros, trailers.
    static let overheadLimit = 16_384

    private enum State {
        case size(digits: Int, value: Int)
        case sizeExtension(value: Int, quoted: Bool, escaped: Bool)
        case sizeLineFeed(value: Int)
        case data(remaining: Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailerStart
        case trailer
        case trailerLineFeed
        case endLineFeed
        case end
    }

    private var state = State.size(digits: 0, value: 0)
    private var overhead = 0

    var isAtEnd: Bool {
        if case .end = state { true } else { false }
    }

    /// Whether the next byte begins a chunk.
    var isBetweenChunks: Bool {
        if case .size(digits: 0, value: 0) = state { true } else { false }
    }

    /// The data of the chunk that begins at `position`, if it is all there, has data and no extension; the position is
    /// then behind it.
    static func plainChunk(in bytes: UnsafeRawBufferPointer, at position: inout Int) -> Range<Int>? {
        var (size, index) = (0, position)
        // Sizes of longer lines are the decoder's to judge.
        while index < min(bytes.count, position + 8), let digit = ASCII.hexValue(bytes[index]) {
            size = size << 4 | Int(digit)
            index += 1
        }
        let end = index + 2 + size
        guard size > 0, end + 2 <= bytes.count,
            bytes[index] == ASCII.cr, bytes[index + 1] == ASCII.lf,
            bytes[end] == ASCII.cr, bytes[end + 1] == ASCII.lf
        else { return nil }
        position = end + 2
        return index + 2..<end
    }

    /// Moves the data at hand from `input` to `output` and stops after the body's last byte.
    ///
    /// - Returns: whether the body has ended; bytes after it stay in `input`.
    mutating func decode(_ input: inout ByteBuffer, into output: inout ByteBuffer) throws(Fault) -> Bool {
        while input.readableBytes > 0, !isAtEnd {
            if case .data(let remaining) = state {
                let count = min(remaining, input.readableBytes)
                input.readWithUnsafeReadableBytes { bytes in
                    output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
                    return count
                }
                state = count == remaining ? .dataCarriageReturn : .data(remaining: remaining - count)
                continue
            }
            guard let byte: UInt8 = input.readInteger() else { break }
            try take(byte)
        }
        return isAtEnd
    }

    private mutating func take(_ byte: UInt8) throws(Fault) {
        switch state {
        case .size(let digits, let value):
            try takeSize(byte, digits: digits, value: value)
        case .sizeExtension(let value, let quoted, let escaped):
            try takeExtension(byte, value: value, quoted: quoted, escaped: escaped)
        case .sizeLineFeed(let value):
            try expect(byte, ASCII.lf)
            state = value == 0 ? .trailerStart : .data(remaining: value)
        case .dataCarriageReturn:
            try expect(byte, ASCII.cr)
            state = .dataLineFeed
        case .dataLineFeed:
            try expect(byte, ASCII.lf)
            state = .size(digits: 0, value: 0)
        case .trailerStart:
            if byte == ASCII.cr {
                state = .endLineFeed
            } else {
                try takeTrailer(byte, isFirst: true)
            }
        case .trailer:
            try takeTrailer(byte, isFirst: false)
        case .trailerLineFeed:
            try expect(byte, ASCII.lf)
            state = .trailerStart
        case .endLineFeed:
            try expect(byte, ASCII.lf)
            state = .end
        case .data, .end:
            throw .malformed("bytes where none can be")
        }
    }

    private mutating func takeSize(_ byte: UInt8, digits: Int, value: Int) throws(Fault) {
        if let digit = ASCII.hexValue(byte) {
            if digits >= 16 { try countOverhead() }
            guard value >> 58 == 0 else { throw .malformed("a chunk size is too large") }
            state = .size(digits: digits + 1, value: value << 4 | Int(digit))
            return
        }
        guard digits > 0 else { throw .malformed("a chunk has no size") }
        switch byte {
        case ASCII.cr: state = .sizeLineFeed(value: value)
        case UInt8(ascii: ";"): state = .sizeExtension(value: value, quoted: false, escaped: false)
        default: throw .malformed("a chunk size holds something else than hexadecimal digits")
        }
    }

    private mutating func takeExtension(
        _ byte: UInt8,
        value: Int,
        quoted: Bool,
        escaped: Bool
    ) throws(Fault) {
        try countOverhead()
        guard ASCII.isFieldText(byte) || byte == ASCII.cr && !quoted else {
            throw .malformed("a chunk extension holds a control character")
        }
        if byte == ASCII.cr {
            state = .sizeLineFeed(value: value)
        } else if quoted {
            let closes = byte == UInt8(ascii: "\"") && !escaped
            let escapes = byte == UInt8(ascii: "\\") && !escaped
            state = .sizeExtension(value: value, quoted: !closes, escaped: escapes)
        } else {
            let isAllowed = ASCII.isToken(byte) || [0x3B, 0x3D, 0x22, 0x20, 0x09].contains(byte)
            guard isAllowed else { throw .malformed("a chunk extension is not well formed") }
            state = .sizeExtension(value: value, quoted: byte == UInt8(ascii: "\""), escaped: false)
        }
    }

    private mutating func takeTrailer(_ byte: UInt8, isFirst: Bool) throws(Fault) {
        try countOverhead()
        if byte == ASCII.cr {
            state = .trailerLineFeed
            return
        }
        guard isFirst ? ASCII.isToken(byte) : ASCII.isFieldText(byte) else {
            throw .malformed("a trailer is not well formed")
        }
        state = .trailer
    }

    private mutating func countOverhead() throws(Fault) {
        overhead += 1
        if overhead > Self.overheadLimit { throw .malformed("chunk extensions or trailers are too large") }
    }

    private func expect(_ byte: UInt8, _ wanted: UInt8) throws(Fault) {
        if byte != wanted { throw .malformed("a chunk is not followed by CR LF") }
    }
}
