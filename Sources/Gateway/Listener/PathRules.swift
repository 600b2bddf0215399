/// Which request paths are let in: those that every parser reads the same way.
enum PathRules {
    /// No `.`/`..` segment, plain or encoded; no empty segment but a last one; no encoded control or backslash.
    static func isSafe(_ path: UnsafeRawBufferPointer) -> Bool {
        guard path.first == UInt8(ascii: "/") else { return false }
        var segment = Segment()
        var index = 1
        while index < path.count {
            let byte = path[index]
            switch byte {
            case UInt8(ascii: "/"):
                guard segment.isSafe, !segment.isEmpty else { return false }
                segment = Segment()
            case UInt8(ascii: "\\"): return false
            case UInt8(ascii: "%"):
                guard let decoded = decode(path, at: index), decoded >= 0x20, decoded != 0x7F,
                    decoded != UInt8(ascii: "\\")
                else { return false }
                index += 2
                if decoded == UInt8(ascii: "/") {
                    // A backend may decode it before it resolves dots.
                    guard segment.isSafe, !segment.isEmpty else { return false }
                    segment = Segment()
                } else {
                    segment.add(decoded)
                }
            default: segment.add(byte)
            }
            index += 1
        }
        return segment.isSafe
    }

    private static func decode(_ path: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
        guard index + 2 < path.count, let high = ASCII.hexValue(path[index + 1]),
            let low = ASCII.hexValue(path[index + 2])
        else { return nil }
        return high << 4 | low
    }

    /// What is between two slashes, as far as it matters.
    private struct Segment {
        private var dots = 0
        private var others = 0

        var isEmpty: Bool { dots + others == 0 }
        var isSafe: Bool { others > 0 || dots == 0 || dots > 2 }

        mutating func add(_ byte: UInt8) {
            if byte == UInt8(ascii: ".") { dots += 1 } else { others += 1 }
        }
    }
}
