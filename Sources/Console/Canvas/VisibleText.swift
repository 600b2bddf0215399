/// Text of callers, providers and operators as characters that a terminal shows and never obeys.
///
/// The only way text reaches a cell, so that no view can forget it.
struct VisibleText {
    /// One character as cells: what is drawn, a mark on it or 0, and its columns.
    typealias Piece = (scalar: UInt32, mark: UInt32, width: Int)

    private(set) var pieces: [Piece] = []
    private(set) var width = 0
    private let isASCII: Bool

    init(_ text: String, glyphs: Glyphs) {
        isASCII = glyphs.isASCII
        var copy = text
        let count = copy.utf8.count
        pieces.reserveCapacity(count)
        copy.makeContiguousUTF8()
        let isPlain = copy.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
        if isPlain {
            for byte in copy.utf8 {
                pieces.append((UInt32(byte), 0, 1))
            }
            width = count
        } else {
            for scalar in copy.unicodeScalars {
                add(scalar)
            }
        }
    }

    private mutating func add(_ scalar: Unicode.Scalar) {
        switch CharacterWidth.of(scalar) {
        case .columns(let columns):
            if isASCII, scalar.value >= 0x80 {
                for _ in 0..<columns {
                    append(0x3F)
                }
            } else {
                pieces.append((scalar.value, 0, columns))
                width += columns
            }
        case .combining:
            guard !isASCII, let last = pieces.indices.last, pieces[last].mark == 0, pieces[last].scalar > 0x20
            else { return }
            pieces[last].mark = scalar.value
        case .selector: break
        case .hidden: append(text: Self.name(of: scalar, isASCII: isASCII))
        }
    }

    private mutating func append(_ value: UInt32) {
        pieces.append((value, 0, 1))
        width += 1
    }

    private mutating func append(text: String) {
        for scalar in text.unicodeScalars {
            append(scalar.value)
        }
    }

    /// `␛` for a control, `\x9b` for one of the upper half, `<U+202E>` for what has no look.
    static func name(of scalar: Unicode.Scalar, isASCII: Bool) -> String {
        let value = scalar.value
        if value < 0x20 || value == 0x7F {
            if isASCII { return "^" + String(UnicodeScalar(UInt8(value ^ 0x40))) }
            let picture = value == 0x7F ? 0x2421 : 0x2400 + value
            return Unicode.Scalar(picture).map { String(Character($0)) } ?? "?"
        }
        let digits = String(value, radix: 16, uppercase: value > 0xFF)
        return value < 0xA0 ? "\\x\(digits)" : "<U+\(digits)>"
    }
}
