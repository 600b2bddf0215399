/// Which columns the scalars of a line take on the screen.
enum EditorColumns {
    /// From one tab stop to the next.
    static let tabWidth = 4

    /// Whether it goes on the letter before it.
    static func isJoined(_ scalar: Unicode.Scalar) -> Bool {
        switch CharacterWidth.of(scalar) {
        case .combining, .selector: true
        case .columns, .hidden: false
        }
    }

    static func width(of scalars: some Sequence<Unicode.Scalar>, _ glyphs: Glyphs) -> Int {
        var column = 0
        for scalar in scalars { column += width(of: scalar, at: column, glyphs) }
        return column
    }

    static func width(of scalar: Unicode.Scalar, at column: Int, _ glyphs: Glyphs) -> Int {
        if scalar == "\t" { return tabWidth - column % tabWidth }
        return switch CharacterWidth.of(scalar) {
        case .columns(let columns): columns
        case .combining, .selector: 0
        case .hidden: VisibleText.name(of: scalar, isASCII: glyphs.isASCII).unicodeScalars.count
        }
    }
}
