/// Lines of a record, with a cursor on one of them that says what to copy.
struct TextView: Equatable, Sendable {
    struct Line: Equatable, Sendable {
        var text: StyledText
        /// What `y` copies; nil where there is nothing worth it.
        var copy: String?

        init(_ text: StyledText, copy: String? = nil) {
            self.text = text
            self.copy = copy
        }
    }

    private(set) var lines: [Line]
    private(set) var cursor = 0
    private(set) var top = 0

    init(_ lines: [Line] = []) {
        self.lines = lines
    }

    var copyText: String? { lines.indices.contains(cursor) ? lines[cursor].copy : nil }

    mutating func replace(_ new: [Line]) {
        lines = new
        cursor = min(cursor, max(lines.count - 1, 0))
    }

    mutating func move(_ movement: Movement, page: Int) {
        switch movement {
        case .up: cursor -= 1
        case .down: cursor += 1
        case .pageUp: cursor -= page
        case .pageDown: cursor += page
        case .halfUp: cursor -= max(page / 2, 1)
        case .halfDown: cursor += max(page / 2, 1)
        case .top: cursor = 0
        case .bottom: cursor = lines.count - 1
        case .lines(let count): cursor += count
        }
        cursor = min(max(cursor, 0), max(lines.count - 1, 0))
    }

    mutating func settle(height: Int) {
        guard height > 0 else { return }
        if cursor < top { top = cursor }
        if cursor >= top + height { top = cursor - height + 1 }
        top = min(max(top, 0), max(lines.count - height, 0))
    }

    func draw(on canvas: inout Canvas, in rect: Rect, isFocused: Bool) {
        for line in 0..<rect.height {
            let index = top + line
            guard index < lines.count else { break }
            canvas.write(lines[index].text, x: rect.x + 1, y: rect.y + line, width: rect.width - 2)
            guard index == cursor, isFocused else { continue }
            canvas.put(canvas.glyphs.chosen, x: rect.x, y: rect.y + line, canvas.look.style(.accent))
            canvas.highlight(Rect(x: rect.x, y: rect.y + line, width: rect.width, height: 1), .selection)
        }
        let style = canvas.look.style(.accent)
        if top > 0 { canvas.put(canvas.glyphs.up, x: rect.maxX - 1, y: rect.y, style) }
        if top + rect.height < lines.count {
            canvas.put(canvas.glyphs.down, x: rect.maxX - 1, y: rect.maxY - 1, style)
        }
    }
}
