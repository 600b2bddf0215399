/// A shell-like pattern: `*` is any bytes but `/`, `**` any bytes at all, `?` one byte but `/`.
package struct Glob: Sendable, Equatable {
    private enum Piece: Equatable, Sendable {
        case byte(UInt8)
        case one
        case star
        case doubleStar
    }

    private let pieces: [Piece]

    package init(_ pattern: String) {
        var result: [Piece] = []
        for byte in pattern.utf8 {
            switch byte {
            case UInt8(ascii: "*"):
                if case .star = result.last {
                    result[result.count - 1] = .doubleStar
                } else if case .doubleStar = result.last {
                    continue
                } else {
                    result.append(.star)
                }
            case UInt8(ascii: "?"): result.append(.one)
            default: result.append(.byte(byte))
            }
        }
        pieces = result
    }

    /// Takes time linear in the product of both lengths at worst, whatever the pattern.
    func matches(_ text: some Sequence<UInt8>) -> Bool {
        pieces.count < UInt64.bitWidth ? matchesShort(text) : matchesLong(text)
    }

    /// Bit i of a word: the first i pieces match the text so far.
    private func matchesShort(_ text: some Sequence<UInt8>) -> Bool {
        pieces.withUnsafeBufferPointer { pieces in
            var reached = Self.overStars(1, pieces)
            for byte in text {
                var next: UInt64 = 0
                var rest = reached
                while rest != 0 {
                    let index = rest.trailingZeroBitCount
                    rest &= rest &- 1
                    // A star that has been reached takes the byte and stays.
                    if index > 0, Self.stays(pieces[index - 1], byte) { next |= 1 &<< UInt64(index) }
                    if index < pieces.count, Self.takes(pieces[index], byte) { next |= 2 &<< UInt64(index) }
                }
                reached = Self.overStars(next, pieces)
                if reached == 0 { return false }
            }
            return reached & (1 &<< UInt64(pieces.count)) != 0
        }
    }

    /// A star also matches nothing; two never stand side by side.
    private static func overStars(_ reached: UInt64, _ pieces: UnsafeBufferPointer<Piece>) -> UInt64 {
        var result = reached
        var rest = reached
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest &- 1
            if index < pieces.count, pieces[index] == .star || pieces[index] == .doubleStar {
                result |= 2 &<< UInt64(index)
            }
        }
        return result
    }

    private func matchesLong(_ text: some Sequence<UInt8>) -> Bool {
        var reached = [Bool](repeating: false, count: pieces.count + 1)
        reached[0] = true
        spreadOverStars(&reached)
        for byte in text {
            var next = [Bool](repeating: false, count: pieces.count + 1)
            for (index, piece) in pieces.enumerated() {
                if reached[index], Self.takes(piece, byte) { next[index + 1] = true }
                if reached[index + 1], Self.stays(piece, byte) { next[index + 1] = true }
            }
            spreadOverStars(&next)
            reached = next
        }
        return reached[pieces.count]
    }

    private func spreadOverStars(_ reached: inout [Bool]) {
        for (index, piece) in pieces.enumerated() where reached[index] {
            if piece == .star || piece == .doubleStar { reached[index + 1] = true }
        }
    }

    /// Whether the next piece takes the byte.
    private static func takes(_ piece: Piece, _ byte: UInt8) -> Bool {
        switch piece {
        case .byte(let wanted): byte == wanted
        case .one: byte != UInt8(ascii: "/")
        case .star, .doubleStar: false
        }
    }

    /// Whether the piece before takes the byte and may take more.
    private static func stays(_ piece: Piece, _ byte: UInt8) -> Bool {
        switch piece {
        case .byte, .one: false
        case .star: byte != UInt8(ascii: "/")
        case .doubleStar: true
        }
    }
}

extension Glob: ExpressibleByStringLiteral {
    package init(stringLiteral pattern: String) {
        self.init(pattern)
    }
}
