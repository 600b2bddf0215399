/// A column of a table: what stands in it, how wide, and how soon it gives way when there is little room.
struct Column<Row>: Sendable {
    enum Order: Sendable {
        case text(@Sendable (Row) -> String)
        case number(@Sendable (Row) -> Double)
    }

    let id: String
    let title: String
    let width: Int
    /// Columns that share what is left; 0 keeps the width.
    var stretch = 0
    var isRight = false
    /// Higher ones go first.
    var priority = 0
    /// nil where sorting means nothing.
    var order: Order?
    let cell: @Sendable (Row) -> StyledText
}

/// The order that an operator has chosen.
struct SortOrder: Equatable, Sendable {
    var column: String
    var isDescending: Bool

    func apply<Row>(_ rows: [Row], _ columns: [Column<Row>]) -> [Row] {
        guard let order = columns.first(where: { $0.id == column })?.order else { return rows }
        switch order {
        case .text(let key):
            let sorted = rows.map { (key($0).lowercased(), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
            return isDescending ? sorted.reversed() : sorted
        case .number(let key):
            let sorted = rows.map { (key($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
            return isDescending ? sorted.reversed() : sorted
        }
    }
}

/// Draws a table: a heading line, then rows.
struct Table<Row: Identifiable & Sendable> where Row.ID == Int {
    let columns: [Column<Row>]
    var hidden: Set<String> = []
    var sort: SortOrder?
    var isFocused = true
    /// What is said when there are no rows.
    var empty = "nothing here"
    /// Text that is set off, in small letters.
    var match = ""

    /// The first column is the margin of marks and the selection's bar.
    private static var margin: Int { 3 }

    func draw(_ state: TableState<Row>, on canvas: inout Canvas, in rect: Rect) {
        guard !rect.isEmpty else { return }
        var body = rect
        let head = body.cutTop(1)
        let placed = layout(width: rect.width - Self.margin)
        for (column, x, width) in placed {
            var title = column.title
            if sort?.column == column.id {
                title += String(sort?.isDescending == true ? canvas.glyphs.down : canvas.glyphs.up)
            }
            canvas.write(
                title,
                x: rect.x + Self.margin + x,
                y: head.y,
                .tableHeader,
                width: width,
                align: column.isRight ? .right : .left
            )
        }
        guard !state.rows.isEmpty else {
            canvas.write(empty, x: rect.x + Self.margin, y: body.y, .muted, width: rect.width - Self.margin)
            return
        }
        for line in 0..<body.height {
            let index = state.top + line
            guard index < state.rows.count else { break }
            drawRow(
                state,
                index,
                on: &canvas,
                Rect(x: rect.x, y: body.y + line, width: rect.width, height: 1),
                placed
            )
        }
    }

    private func drawRow(
        _ state: TableState<Row>,
        _ index: Int,
        on canvas: inout Canvas,
        _ line: Rect,
        _ placed: [(column: Column<Row>, x: Int, width: Int)]
    ) {
        let row = state.rows[index]
        let isSelected = index == state.selected
        if state.isMarked(row.id) {
            canvas.put(canvas.glyphs.marked, x: line.x + 1, y: line.y, canvas.look.style(.marked))
        }
        for (column, x, width) in placed {
            let text = column.cell(row)
            let start = line.x + Self.margin + x
            let columns = column.isRight ? min(width, canvas.columns(of: text.text)) : width
            canvas.write(text, x: start + width - columns, y: line.y, width: columns)
        }
        guard isSelected else { return }
        canvas.put(canvas.glyphs.chosen, x: line.x, y: line.y, canvas.look.style(.accent))
        if isFocused { canvas.highlight(line, .selection) }
    }

    /// Which columns fit, from which place and how wide.
    private func layout(width: Int) -> [(column: Column<Row>, x: Int, width: Int)] {
        var shown = columns.filter { !hidden.contains($0.id) }
        func needed() -> Int { shown.reduce(0) { $0 + $1.width + 2 } - 2 }
        while shown.count > 1, needed() > width {
            let worst = shown.map(\.priority).max() ?? 0
            guard worst > 0, let index = shown.lastIndex(where: { $0.priority == worst }) else { break }
            shown.remove(at: index)
        }
        let shares = shown.reduce(0) { $0 + $1.stretch }
        var left = max(0, width - needed())
        var sharesLeft = shares
        var x = 0
        return shown.map { column in
            let extra = sharesLeft == 0 ? 0 : left * column.stretch / sharesLeft
            left -= extra
            sharesLeft -= column.stretch
            defer { x += column.width + extra + 2 }
            return (column, x, column.width + extra)
        }
    }
}
