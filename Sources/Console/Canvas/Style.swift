/// A colour of the terminal: its own default, one of its palette, or red, green and blue.
struct Color: Hashable, Sendable {
    /// 0: the default; 1 in the top byte: RGB; 2: an index.
    let code: UInt32

    static let standard = Color(code: 0)

    static func rgb(_ red: Int, _ green: Int, _ blue: Int) -> Color {
        Color(code: 1 << 24 | UInt32(red & 255) << 16 | UInt32(green & 255) << 8 | UInt32(blue & 255))
    }

    static func indexed(_ index: Int) -> Color {
        Color(code: 2 << 24 | UInt32(index & 255))
    }

    var index: Int? { code >> 24 == 2 ? Int(code & 255) : nil }

    var components: (red: Int, green: Int, blue: Int)? {
        guard code >> 24 == 1 else { return nil }
        return (Int(code >> 16 & 255), Int(code >> 8 & 255), Int(code & 255))
    }
}

/// How letters look besides their colour.
struct Attributes: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let bold = Attributes(rawValue: 1)
    static let dim = Attributes(rawValue: 2)
    static let underline = Attributes(rawValue: 4)
    static let reverse = Attributes(rawValue: 8)
    static let italic = Attributes(rawValue: 16)

    static let names: [(name: String, value: Attributes)] = [
        ("bold", .bold), ("dim", .dim), ("underline", .underline), ("reverse", .reverse), ("italic", .italic),
    ]
}

/// The look of a cell.
struct Style: Hashable, Sendable {
    var foreground = Color.standard
    var background = Color.standard
    var attributes: Attributes = []

    static let plain = Style()

    /// This style with what `other` says of its own laid over it.
    func overlaid(with other: Style) -> Style {
        Style(
            foreground: other.foreground == .standard ? foreground : other.foreground,
            background: other.background == .standard ? background : other.background,
            attributes: attributes.union(other.attributes)
        )
    }
}
