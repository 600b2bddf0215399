/// One line of text being typed.
struct LineEditor: Equatable, Sendable {
    private(set) var characters: [Character]
    private(set) var cursor: Int
    /// The most characters it takes.
    let limit: Int

    init(_ text: String = "", limit: Int = 1000) {
        characters = Array(text.prefix(limit))
        cursor = characters.count
        self.limit = limit
    }

    var text: String { String(characters) }

    enum Outcome {
        case changed, moved, ignored
    }

    mutating func handle(_ key: Key) -> Outcome {
        if let text = key.text {
            insert(text)
            return .changed
        }
        switch key {
        case .backspace:
            guard cursor > 0 else { return .moved }
            cursor -= 1
            characters.remove(at: cursor)
        case .delete, Key("ctrl-d"):
            guard cursor < characters.count else { return .moved }
            characters.remove(at: cursor)
        case Key("ctrl-u"):
            characters.removeSubrange(0..<cursor)
            cursor = 0
        case Key("ctrl-k"): characters.removeSubrange(cursor...)
        case Key("ctrl-w"):
            let start = wordStart
            characters.removeSubrange(start..<cursor)
            cursor = start
        case .left: return moved(to: cursor - 1)
        case .right: return moved(to: cursor + 1)
        case .home, Key("ctrl-a"): return moved(to: 0)
        case .end, Key("ctrl-e"): return moved(to: characters.count)
        case Key("ctrl-left"), Key("alt-b"): return moved(to: wordStart)
        case Key("ctrl-right"), Key("alt-f"): return moved(to: wordEnd)
        default: return .ignored
        }
        return .changed
    }

    /// A paste is one line here: its line ends become spaces.
    mutating func insert(_ text: String) {
        let new = text.map { $0.isNewline || $0 == "\t" ? " " : $0 }
            .filter { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } }
            .prefix(limit - characters.count)
        characters.insert(contentsOf: new, at: cursor)
        cursor += new.count
    }

    private mutating func moved(to place: Int) -> Outcome {
        cursor = min(max(place, 0), characters.count)
        return .moved
    }

    private var wordStart: Int {
        var place = cursor
        while place > 0, characters[place - 1] == " " { place -= 1 }
        while place > 0, characters[place - 1] != " " { place -= 1 }
        return place
    }

    private var wordEnd: Int {
        var place = cursor
        while place < characters.count, characters[place] == " " { place += 1 }
        while place < characters.count, characters[place] != " " { place += 1 }
        return place
    }

    // MARK: Drawing

    /// Draws what fits around the cursor and returns the cursor's column.
    func draw(
        on canvas: inout Canvas,
        x: Int,
        y: Int,
        width: Int,
        isActive: Bool,
        placeholder: String = ""
    ) -> Int {
        guard width > 0 else { return x }
        let role = isActive ? StyleRole.inputActive : .input
        if isActive { canvas.fill(Rect(x: x, y: y, width: width, height: 1), role) }
        if characters.isEmpty {
            canvas.write(placeholder, x: x, y: y, .placeholder, width: width)
            return x
        }
        var start = 0
        while start < cursor, canvas.columns(of: String(characters[start..<cursor])) >= width { start += 1 }
        canvas.write(String(characters[start...]), x: x, y: y, role, width: width)
        return x + canvas.columns(of: String(characters[start..<cursor]))
    }
}
