/// A text of several lines being edited.
struct Editor: Equatable, Sendable {
    private(set) var content: EditorText
    private(set) var cursor = EditorPlace.start
    /// The first line in sight, and how many columns stand to the left of what is.
    private(set) var top = 0
    private(set) var left = 0
    private(set) var history = EditorHistory()
    /// The column that going up and down keeps to.
    private var wantedColumn: Int?
    /// Lines that were cut out one after the other, to be put in elsewhere.
    private var cutLines = ""
    private var isCutting = false
    /// What is looked for; shown wherever it stands.
    var search = ""
    /// The most bytes it takes.
    let limit: Int
    /// What Tab puts in, and a block begins with.
    var indent = "  "
    /// What a line ends with that begins a block.
    var blockOpeners: Set<Unicode.Scalar> = ["{", "(", "["]

    init(_ text: String = "", limit: Int) {
        content = EditorText(text)
        self.limit = limit
    }

    var text: String { content.text }

    enum Outcome: Equatable {
        case changed, moved, ignored
        /// By so many bytes it would be too long.
        case tooLong(Int)
    }

    // MARK: Keys

    mutating func handle(_ key: Key) -> Outcome {
        if key != Key("ctrl-k") { isCutting = false }
        if let text = key.text { return insert(text, .typing) }
        switch key {
        case .enter: return insert("\n" + indentOfNextLine, .single)
        case .tab: return insert(indentToNextStop, .typing)
        case .backTab: return outdent()
        case .backspace: return erase(from: placeBefore(cursor), to: cursor)
        case .delete, Key("ctrl-d"): return erase(from: cursor, to: placeAfter(cursor))
        case Key("ctrl-w"): return erase(from: wordStart, to: cursor)
        case Key("ctrl-k"): return cutLine()
        case Key("ctrl-u"): return cutLines.isEmpty ? .ignored : putLines()
        case .left: return move(to: placeBefore(cursor))
        case .right: return move(to: placeAfter(cursor))
        case .up: return moveLines(-1)
        case .down: return moveLines(1)
        case .home: return move(to: homeOfLine)
        case Key("ctrl-a"): return move(to: EditorPlace(line: cursor.line, column: 0))
        case .end, Key("ctrl-e"): return move(to: endOfLine)
        case Key("ctrl-home"): return move(to: .start)
        case Key("ctrl-end"): return move(to: content.end)
        case Key("ctrl-left"), Key("alt-b"): return move(to: wordStart)
        case Key("ctrl-right"), Key("alt-f"): return move(to: wordEnd)
        default: return .ignored
        }
    }

    /// As lists move, and by pages of so many lines.
    mutating func move(_ movement: Movement, page: Int) {
        switch movement {
        case .up: _ = moveLines(-1)
        case .down: _ = moveLines(1)
        case .pageUp: _ = moveLines(-page)
        case .pageDown: _ = moveLines(page)
        case .halfUp: _ = moveLines(-max(page / 2, 1))
        case .halfDown: _ = moveLines(max(page / 2, 1))
        case .top: _ = move(to: .start)
        case .bottom: _ = move(to: content.end)
        case .lines(let count): _ = moveLines(count)
        }
    }

    // MARK: Changes

    /// One step, however long it is; what follows it keeps the indents that it has.
    mutating func paste(_ text: String) -> Outcome {
        insert(EditorText.clean(text), .single)
    }

    /// Another text in the place of all of it, as one step.
    mutating func replaceAll(_ text: String) -> Outcome {
        let place = cursor
        let outcome = replace(from: .start, to: content.end, with: EditorText.clean(text), .single)
        if outcome == .changed { cursor = content.clamped(place) }
        return outcome
    }

    mutating func undo() -> Bool {
        guard let edit = history.takeUndo() else { return false }
        let end = EditorText.end(of: edit.inserted, from: edit.start)
        _ = content.replace(from: edit.start, to: end, with: edit.removed)
        (cursor, wantedColumn) = (content.clamped(edit.cursor), nil)
        return true
    }

    mutating func redo() -> Bool {
        guard let edit = history.takeRedo() else { return false }
        let end = EditorText.end(of: edit.removed, from: edit.start)
        (cursor, wantedColumn) = (content.replace(from: edit.start, to: end, with: edit.inserted), nil)
        return true
    }

    private mutating func insert(_ text: String, _ kind: EditorHistory.Kind) -> Outcome {
        replace(from: cursor, to: cursor, with: text, kind)
    }

    private mutating func erase(from start: EditorPlace, to end: EditorPlace) -> Outcome {
        replace(from: start, to: end, with: "", start.line == end.line ? .erasing : .single)
    }

    private mutating func replace(
        from start: EditorPlace,
        to end: EditorPlace,
        with new: String,
        _ kind: EditorHistory.Kind
    ) -> Outcome {
        let removed = content.text(from: start, to: end)
        guard !removed.isSame(as: new) else { return .moved }
        let surplus = content.byteCount + new.utf8.count - removed.utf8.count - limit
        guard surplus <= 0 else { return .tooLong(surplus) }
        history.add(
            EditorHistory.Edit(start: start, removed: removed, inserted: new, cursor: cursor, kind: kind)
        )
        (cursor, wantedColumn) = (content.replace(from: start, to: end, with: new), nil)
        return .changed
    }

    private mutating func cutLine() -> Outcome {
        let line = cursor.line
        let isLast = line == content.lines.count - 1
        let start = EditorPlace(line: line, column: 0)
        let text = content.text(from: start, to: EditorPlace(line: line, column: content.lines[line].count))
        cutLines = (isCutting ? cutLines : "") + text + "\n"
        isCutting = true
        let end =
            isLast
            ? EditorPlace(line: line, column: content.lines[line].count)
            : EditorPlace(line: line + 1, column: 0)
        return replace(from: start, to: end, with: "", .single)
    }

    private mutating func putLines() -> Outcome {
        let start = EditorPlace(line: cursor.line, column: 0)
        return replace(from: start, to: start, with: cutLines, .single)
    }

    // MARK: Indents

    private var lineBeforeCursor: ArraySlice<Unicode.Scalar> {
        content.lines[cursor.line].prefix(cursor.column)
    }

    private var indentOfNextLine: String {
        let before = lineBeforeCursor
        let own = before.prefix { $0 == " " || $0 == "\t" }
        let isOpener = before.last { $0 != " " }.map(blockOpeners.contains) ?? false
        return String(String.UnicodeScalarView(own)) + (isOpener ? indent : "")
    }

    private var indentToNextStop: String {
        let surplus = cursor.column % indent.count
        return String(repeating: " ", count: indent.count - surplus)
    }

    private mutating func outdent() -> Outcome {
        let line = content.lines[cursor.line]
        let count = min(line.prefix { $0 == " " }.count, indent.count)
        guard count > 0 else { return .moved }
        let place = EditorPlace(line: cursor.line, column: max(cursor.column - count, 0))
        let start = EditorPlace(line: cursor.line, column: 0)
        let end = EditorPlace(line: cursor.line, column: count)
        let outcome = replace(from: start, to: end, with: "", .single)
        cursor = place
        return outcome
    }

    // MARK: Places

    private mutating func move(to place: EditorPlace) -> Outcome {
        history.close()
        (cursor, wantedColumn) = (content.clamped(place), nil)
        return .moved
    }

    private mutating func moveLines(_ step: Int) -> Outcome {
        history.close()
        let column = wantedColumn ?? cursor.column
        cursor = content.clamped(EditorPlace(line: cursor.line + step, column: column))
        wantedColumn = column
        return .moved
    }

    /// Past what goes on the letter before it, which no cursor can stand between.
    private func placeBefore(_ place: EditorPlace) -> EditorPlace {
        let line = content.lines[place.line]
        guard place.column > 0 else {
            return place.line > 0
                ? EditorPlace(line: place.line - 1, column: content.lines[place.line - 1].count) : place
        }
        var column = place.column - 1
        while column > 0, EditorColumns.isJoined(line[column]) { column -= 1 }
        return EditorPlace(line: place.line, column: column)
    }

    private func placeAfter(_ place: EditorPlace) -> EditorPlace {
        let line = content.lines[place.line]
        guard place.column < line.count else {
            return place.line + 1 < content.lines.count
                ? EditorPlace(line: place.line + 1, column: 0) : place
        }
        var column = place.column + 1
        while column < line.count, EditorColumns.isJoined(line[column]) { column += 1 }
        return EditorPlace(line: place.line, column: column)
    }

    private var endOfLine: EditorPlace {
        EditorPlace(line: cursor.line, column: content.lines[cursor.line].count)
    }

    /// The first letter, or the margin when the cursor is there already.
    private var homeOfLine: EditorPlace {
        let first = content.lines[cursor.line].prefix { $0 == " " || $0 == "\t" }.count
        return EditorPlace(line: cursor.line, column: cursor.column == first ? 0 : first)
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
    }

    private var wordStart: EditorPlace {
        guard cursor.column > 0 else { return placeBefore(cursor) }
        let before = lineBeforeCursor
        var column = before.count
        while column > 0, !Self.isWord(before[column - 1]) { column -= 1 }
        while column > 0, Self.isWord(before[column - 1]) { column -= 1 }
        return EditorPlace(line: cursor.line, column: column)
    }

    private var wordEnd: EditorPlace {
        let line = content.lines[cursor.line]
        guard cursor.column < line.count else { return placeAfter(cursor) }
        var column = cursor.column
        while column < line.count, !Self.isWord(line[column]) { column += 1 }
        while column < line.count, Self.isWord(line[column]) { column += 1 }
        return EditorPlace(line: cursor.line, column: column)
    }

    /// To a line and column from 1, as errors name them.
    mutating func go(toLine line: Int, column: Int = 1) {
        _ = move(to: EditorPlace(line: max(line, 1) - 1, column: max(column, 1) - 1))
    }

    // MARK: Finding

    /// Where what is looked for stands in a line, as columns; capitals are all one unless it has some.
    func matches(inLine line: Int) -> [Range<Int>] {
        let wanted = Array(search.unicodeScalars)
        guard !wanted.isEmpty else { return [] }
        let isExact = wanted.contains { $0.properties.isUppercase }
        // Letter by letter, since a whole line in small letters may have another length.
        func fits(_ letter: Unicode.Scalar, _ other: Unicode.Scalar) -> Bool {
            letter == other || !isExact && letter.properties.lowercaseMapping == String(other)
        }
        let letters = content.lines[line]
        var found: [Range<Int>] = []
        var place = 0
        while place + wanted.count <= letters.count {
            let end = place + wanted.count
            if letters[place..<end].elementsEqual(wanted, by: fits) {
                found.append(place..<end)
                place = end
            } else {
                place += 1
            }
        }
        return found
    }

    /// Goes to the next match behind the cursor, or the one before it, around the ends of the text.
    ///
    /// - Parameters:
    ///   - forward: which way.
    ///   - stays: one under the cursor will do, as while it is being typed.
    /// - Returns: which of how many it is, from 1; nil when there is none.
    mutating func find(forward: Bool = true, stays: Bool = false) -> (number: Int, count: Int)? {
        let all = content.lines.indices.flatMap { line in
            matches(inLine: line).map { EditorPlace(line: line, column: $0.lowerBound) }
        }
        guard !all.isEmpty else { return nil }
        let index =
            forward
            ? all.firstIndex { stays ? $0 >= cursor : $0 > cursor } ?? 0
            : all.lastIndex { $0 < cursor } ?? all.count - 1
        _ = move(to: all[index])
        return (index + 1, all.count)
    }

    // MARK: Sight

    /// Scrolls so that the cursor is in sight of so many lines and columns.
    mutating func settle(height: Int, width: Int, glyphs: Glyphs) {
        guard height > 0, width > 0 else { return }
        if cursor.line < top { top = cursor.line }
        if cursor.line >= top + height { top = cursor.line - height + 1 }
        top = min(max(top, 0), max(content.lines.count - height, 0))
        let column = EditorColumns.width(of: lineBeforeCursor, glyphs)
        // By some columns at once, not with every letter.
        if column < left { left = max(0, column - width / 4) }
        if column >= left + width { left = column - width + 1 + width / 4 }
        if column < width { left = 0 }
    }
}
