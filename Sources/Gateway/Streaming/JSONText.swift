/// Strings of JSON (RFC 8259 §7), written and read.
package enum JSONText {
    /// The text as a JSON string, with its quotes.
    package static func quote(_ text: String) -> [UInt8] {
        var result = [UInt8(ascii: "\"")]
        let digits = Array("0123456789abcdef".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
            case 0x0A: result += Array("\\n".utf8)
            case 0x0D: result += Array("\\r".utf8)
            case 0x09: result += Array("\\t".utf8)
            case 0..<0x20: result += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: result.append(byte)
            }
        }
        return result + [UInt8(ascii: "\"")]
    }

    /// What stands between a string's quotes, without its escapes; nil where one of them is none.
    static func plain(_ text: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard let kind = rest.popFirst() else { return nil }
            if kind == UInt8(ascii: "u") {
                guard let scalar = scalar(&rest) else { return nil }
                result += Array(String(scalar).utf8)
            } else {
                guard let plain = escapes[kind] else { return nil }
                result.append(plain)
            }
        }
        return result
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        UInt8(ascii: "/"): UInt8(ascii: "/"), UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C,
        UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
    ]

    /// Behind `\u`: four digits, or eight for two halves of a character; half a one is what readers put for it.
    private static func scalar<Text: Collection<UInt8>>(_ rest: inout Text) -> Unicode.Scalar?
    where Text.SubSequence == Text {
        guard let first = unit(&rest) else { return nil }
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
        var next = rest
        guard next.popFirst() == UInt8(ascii: "\\"), next.popFirst() == UInt8(ascii: "u"),
            let second = unit(&next), (0xDC00..<0xE000).contains(second)
        else { return "\u{FFFD}" }
        rest = next
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private static func unit<Text: Collection<UInt8>>(_ rest: inout Text) -> UInt32?
    where Text.SubSequence == Text {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = rest.popFirst().flatMap(ASCII.hexValue) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
