/// A text that grows at its end, broken into lines: those that are full stay as they are, so that a piece costs its own
/// length and not the whole text's.
struct GrowingText: Equatable, Sendable {
    /// Of more characters the first ones are given up, half of them at once.
    static let limit = 200_000

    /// As it came.
    private(set) var text = ""
    private(set) var width: Int
    /// Whether the beginning was given up.
    private(set) var isCut = false
    private var full: [String] = []
    private var last: [Character] = []
    private var columns = 0
    private var count = 0

    init(width: Int) {
        self.width = max(1, width)
    }

    var isEmpty: Bool { text.isEmpty }

    var lines: [String] { isEmpty ? [] : full + [String(last)] }

    mutating func append(_ piece: String) {
        text += piece
        for character in piece { add(character) }
        count += piece.count
        guard count > Self.limit else { return }
        isCut = true
        replace(String(text.suffix(Self.limit / 2)))
    }

    mutating func wrap(to new: Int) {
        guard max(1, new) != width else { return }
        width = max(1, new)
        replace(text)
    }

    private mutating func replace(_ new: String) {
        (text, full, last, columns, count) = (new, [], [], 0, new.count)
        for character in new { add(character) }
    }

    private mutating func add(_ character: Character) {
        if character.isNewline {
            breakLine(at: last.count)
            return
        }
        if character == "\t" {
            for _ in 0..<4 { add(" ") }
            return
        }
        let needed = Self.columns(character)
        if columns + needed > width, !last.isEmpty {
            if character == " " {
                breakLine(at: last.count)
                return
            }
            // At the last space, which the end of the line stands for; in a long word anywhere.
            if let space = last.lastIndex(of: " ") {
                breakLine(at: space)
                last.removeFirst()
                columns -= 1
            } else {
                breakLine(at: last.count)
            }
        }
        last.append(character)
        columns += needed
    }

    private mutating func breakLine(at place: Int) {
        full.append(String(last[..<place]))
        last.removeSubrange(..<place)
        columns = last.reduce(0) { $0 + Self.columns($1) }
    }

    private static func columns(_ character: Character) -> Int {
        character.unicodeScalars.reduce(0) { sum, scalar in
            if case .columns(let columns) = CharacterWidth.of(scalar) { return sum + columns }
            return sum
        }
    }
}
