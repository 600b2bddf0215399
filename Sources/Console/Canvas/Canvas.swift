/// A buffer with a theme and a set of glyphs to draw into it with.
struct Canvas {
    private(set) var buffer: CellBuffer
    let look: Look
    var glyphs: Glyphs { look.glyphs }

    init(size: Size, look: Look) {
        buffer = CellBuffer(width: size.columns, height: size.lines)
        self.look = look
        if look.style(.text).background != .standard {
            let style = look.style(.text)
            buffer.restyle(buffer.bounds) { _ in style }
        }
    }

    var bounds: Rect { buffer.bounds }

    enum Alignment {
        case left, right
    }

    // MARK: Text

    /// Writes text on one line, cut with an ellipsis where it does not fit, and returns the columns taken.
    @discardableResult
    mutating func write(
        _ text: String,
        x: Int,
        y: Int,
        _ role: StyleRole = .text,
        width: Int = .max,
        align: Alignment = .left
    ) -> Int {
        guard y >= 0, y < buffer.height, !text.isEmpty else { return 0 }
        let room = min(width, buffer.width - x)
        guard room > 0 else { return 0 }
        let style = look.style(role)
        let visible = VisibleText(text, glyphs: glyphs)
        let isCut = visible.width > room
        var column = !isCut && align == .right && width != .max ? x + room - visible.width : x
        let start = column
        let end = x + room - (isCut ? 1 : 0)
        for piece in visible.pieces {
            guard column + piece.width <= end else { break }
            let cell = Cell(scalar: piece.scalar, mark: piece.mark, style: style, width: UInt8(piece.width))
            buffer.put(cell, x: column, y: y)
            column += piece.width
        }
        if isCut {
            put(glyphs.ellipsis, x: column, y: y, style)
            column += 1
        }
        return column - start
    }

    /// Writes pieces of different looks after one another.
    @discardableResult
    mutating func write(_ text: StyledText, x: Int, y: Int, width: Int = .max) -> Int {
        var column = x
        for run in text.runs {
            let room = width == .max ? Int.max : x + width - column
            guard room > 0 else { break }
            column += write(run.text, x: column, y: y, run.role, width: room)
        }
        return column - x
    }

    mutating func put(_ character: Character, x: Int, y: Int, _ style: Style) {
        guard let scalar = character.unicodeScalars.first else { return }
        buffer.put(Cell(scalar: scalar.value, style: style), x: x, y: y)
    }

    mutating func put(scalar: UInt32, x: Int, y: Int, _ style: Style) {
        buffer.put(Cell(scalar: scalar, style: style), x: x, y: y)
    }

    func columns(of text: String) -> Int {
        VisibleText(text, glyphs: glyphs).width
    }

    // MARK: Surfaces

    mutating func fill(_ rect: Rect, _ role: StyleRole = .text) {
        let rect = rect.clipped(to: bounds)
        let cell = Cell(style: look.style(role))
        for y in rect.y..<rect.maxY {
            for x in rect.x..<rect.maxX {
                buffer.put(cell, x: x, y: y)
            }
        }
    }

    /// Lays a look over what is drawn, as a selection does.
    mutating func highlight(_ rect: Rect, _ role: StyleRole) {
        let over = look.style(role)
        buffer.restyle(rect) { $0.overlaid(with: over) }
    }

    mutating func horizontalLine(x: Int, y: Int, width: Int, _ role: StyleRole = .rule) {
        let style = look.style(role)
        for column in x..<max(x, x + width) {
            put(glyphs.horizontal, x: column, y: y, style)
        }
    }

    /// A rule with a title and a note in it: `─ Heading ───────── note ─`.
    mutating func heading(_ title: String, note: String = "", noteRole: StyleRole = .muted, in rect: Rect) {
        guard !rect.isEmpty else { return }
        horizontalLine(x: rect.x, y: rect.y, width: rect.width)
        let titleWidth = columns(of: title)
        if rect.width > 4 {
            write(" \(title) ", x: rect.x + 1, y: rect.y, .heading, width: rect.width - 2)
        }
        let room = rect.width - titleWidth - 6
        guard !note.isEmpty, room > 4 else { return }
        let shown = min(columns(of: note) + 2, room)
        write(" \(note) ", x: rect.maxX - 1 - shown, y: rect.y, noteRole, width: shown)
    }

    /// A frame with a title and everything inside it cleared; returns the inside.
    mutating func box(_ rect: Rect, title: String, _ role: StyleRole = .border) -> Rect {
        fill(rect, .floating)
        guard rect.width >= 2, rect.height >= 2 else { return rect }
        let style = look.style(role)
        horizontalLine(x: rect.x, y: rect.y, width: rect.width, role)
        horizontalLine(x: rect.x, y: rect.maxY - 1, width: rect.width, role)
        for y in rect.y..<rect.maxY {
            put(glyphs.vertical, x: rect.x, y: y, style)
            put(glyphs.vertical, x: rect.maxX - 1, y: y, style)
        }
        let places = [
            (rect.x, rect.y), (rect.maxX - 1, rect.y), (rect.x, rect.maxY - 1),
            (rect.maxX - 1, rect.maxY - 1),
        ]
        for (corner, place) in zip(glyphs.corners, places) {
            put(corner, x: place.0, y: place.1, style)
        }
        write(" \(title) ", x: rect.x + 2, y: rect.y, .title, width: rect.width - 4)
        return rect.inset(x: 2, y: 1)
    }
}

/// Columns and lines of a terminal.
struct Size: Equatable, Sendable {
    var columns: Int
    var lines: Int
}

/// A line of text in several looks.
struct StyledText: Equatable, Sendable {
    struct Run: Equatable, Sendable {
        var text: String
        var role: StyleRole
    }

    var runs: [Run] = []

    init(_ text: String = "", _ role: StyleRole = .text) {
        if !text.isEmpty { runs = [Run(text: text, role: role)] }
    }

    mutating func append(_ text: String, _ role: StyleRole = .text) {
        runs.append(Run(text: text, role: role))
    }

    func appending(_ text: String, _ role: StyleRole = .text) -> StyledText {
        var copy = self
        copy.append(text, role)
        return copy
    }

    var text: String { runs.map(\.text).joined() }
}
