/// Which request paths are let in: those that every parser reads the same way.
enum PathRules {
    /// No `.`/`..` segment, plain, encoded, encoded twice or with parameters behind `;`; no empty segment but a last one;
    /// no encoded control or backslash, and no bytes that some take for a dot or a slash.
    static func isSafe(_ path: UnsafeRawBufferPointer) -> Bool {
        guard path.first == UInt8(ascii: "/") else { return false }
        var segment = Segment()
        var index = 1
        var before: UInt8 = 0
        while index < path.count {
            guard let (byte, isEncoded) = next(path, &index) else { return false }
            // Two bytes where UTF-8 has one (RFC 3629 §3).
            if before == 0xC0 || before == 0xC1, byte & 0xC0 == 0x80 { return false }
            before = byte
            switch byte {
            case UInt8(ascii: "/"):
                // A backend may decode it before it resolves dots.
                guard segment.isSafe, !segment.isEmpty else { return false }
                segment = Segment()
            case UInt8(ascii: "\\"): return false
            default:
                if isEncoded, byte < 0x20 || byte == 0x7F { return false }
                segment.add(byte)
            }
        }
        return segment.isSafe
    }

    /// The next byte, decoded as often as it is encoded; nil where it is encoded wrongly.
    private static func next(
        _ path: UnsafeRawBufferPointer,
        _ index: inout Int
    ) -> (byte: UInt8, isEncoded: Bool)? {
        let byte = path[index]
        index += 1
        guard byte == UInt8(ascii: "%") else { return (byte, false) }
        guard var decoded = digits(path, at: index) else { return nil }
        index += 2
        while decoded == UInt8(ascii: "%"), let again = digits(path, at: index) {
            decoded = again
            index += 2
        }
        return (decoded, true)
    }

    private static func digits(_ path: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
        guard index + 1 < path.count, let high = ASCII.hexValue(path[index]),
            let low = ASCII.hexValue(path[index + 1])
        else { return nil }
        return high << 4 | low
    }

    /// What is between two slashes, as far as it matters.
    private struct Segment {
        private var dots = 0
        private var others = 0
        /// What follows is dropped by some backends before they resolve dots.
        private var hasParameters = false

        var isEmpty: Bool { dots + others == 0 && !hasParameters }
        var isSafe: Bool { others > 0 || dots == 0 || dots > 2 }

        mutating func add(_ byte: UInt8) {
            if byte == UInt8(ascii: ";") { hasParameters = true }
            guard !hasParameters else { return }
            if byte == UInt8(ascii: ".") { dots += 1 } else { others += 1 }
        }
    }
}
