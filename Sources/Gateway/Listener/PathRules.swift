/// Which request paths are let in: those that every parser reads the same way.
enum PathRules {
    /// Nobody encodes a path more often.
    private static let most = 8

    /// No `.`/`..` segment, plain, encoded however often, or with parameters behind `;`; no empty segment but a last one;
    /// no encoded control or backslash, and no bytes that some take for a dot or a slash.
    static func isSafe(_ path: UnsafeRawBufferPointer) -> Bool {
        guard isPlainSafe(path) else { return false }
        guard path.contains(UInt8(ascii: "%")) else { return true }
        guard hasWholeEscapes(path) else { return false }
        var current = Array(path)
        for _ in 0..<most {
            let decoded = PercentEncoding.decode(current)
            if decoded == current { return true }
            guard decoded.withUnsafeBytes(isPlainSafe) else { return false }
            current = decoded
        }
        return false
    }

    /// As it stands: a backend may decode a slash before it resolves dots.
    private static func isPlainSafe(_ path: UnsafeRawBufferPointer) -> Bool {
        guard path.first == UInt8(ascii: "/") else { return false }
        var segment = Segment()
        var before: UInt8 = 0
        for byte in path.dropFirst() {
            if isOverlong(before, byte) { return false }
            before = byte
            switch byte {
            case UInt8(ascii: "/"):
                guard segment.isSafe, !segment.isEmpty else { return false }
                segment = Segment()
            case UInt8(ascii: "\\"), 0..<0x20, 0x7F: return false
            default: segment.add(byte)
            }
        }
        return segment.isSafe
    }

    /// More bytes than UTF-8 has for a character (RFC 3629 §3), which some read all the same.
    private static func isOverlong(_ first: UInt8, _ second: UInt8) -> Bool {
        switch first {
        case 0xC0, 0xC1: second & 0xC0 == 0x80
        case 0xE0: (0x80..<0xA0).contains(second)
        case 0xF0: (0x80..<0x90).contains(second)
        default: false
        }
    }

    private static func hasWholeEscapes(_ path: UnsafeRawBufferPointer) -> Bool {
        path.indices.allSatisfy { index in
            path[index] != UInt8(ascii: "%")
                || index + 2 < path.count && ASCII.hexValue(path[index + 1]) != nil
                    && ASCII.hexValue(path[index + 2]) != nil
        }
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
