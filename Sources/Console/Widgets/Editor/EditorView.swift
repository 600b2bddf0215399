/// Draws an editor: numbers of lines, colours, what is looked for, and the line at fault.
struct EditorView {
    /// A line that a mark stands at, from 1, and the column when it is known.
    struct Fault: Equatable, Sendable {
        let line: Int
        var column: Int?
    }

    let syntax: Syntax
    var fault: Fault?
    /// Whether keys go into the text.
    var isTyping = false

    /// How much of a width the numbers take.
    static func gutter(_ editor: Editor) -> Int {
        max(3, "\(editor.content.lines.count)".count) + 3
    }

    /// Draws what is in sight and returns where the cursor is.
    func draw(_ editor: Editor, on canvas: inout Canvas, in rect: Rect) -> (x: Int, y: Int)? {
        guard !rect.isEmpty else { return nil }
        var text = rect
        let gutter = text.cutLeft(Self.gutter(editor))
        var start = Syntax.Start.code
        for line in editor.content.lines.prefix(editor.top) { start = syntax.pieces(of: line, start).next }
        var cursor: (x: Int, y: Int)?
        for row in 0..<rect.height {
            let index = editor.top + row
            guard index < editor.content.lines.count else { break }
            let line = editor.content.lines[index]
            let (pieces, next) = syntax.pieces(of: line, start)
            start = next
            let y = rect.y + row
            drawNumber(index + 1, of: editor, on: &canvas, x: gutter.x, y: y, width: gutter.width)
            let roles = roles(of: line, pieces, editor.matches(inLine: index))
            let columns = draw(
                line,
                roles,
                on: &canvas,
                left: editor.left,
                x: text.x,
                y: y,
                width: text.width
            )
            if index == editor.cursor.line {
                let column = columns[editor.cursor.column] - editor.left
                cursor = (text.x + min(max(column, 0), text.width - 1), y)
            }
            if let fault, fault.line == index + 1 {
                mark(fault, columns, on: &canvas, left: editor.left, in: text, y: y)
            }
        }
        return isTyping ? cursor : nil
    }

    private func drawNumber(
        _ number: Int,
        of editor: Editor,
        on canvas: inout Canvas,
        x: Int,
        y: Int,
        width: Int
    ) {
        let isCurrent = number == editor.cursor.line + 1
        let isFault = number == fault?.line
        let role: StyleRole = isFault ? .error : isCurrent ? .accent : .muted
        if isFault {
            canvas.put(canvas.glyphs.bad, x: x, y: y, canvas.look.style(.error))
        } else if isCurrent, !isTyping {
            canvas.put(canvas.glyphs.chosen, x: x, y: y, canvas.look.style(.accent))
        }
        canvas.write("\(number)", x: x + 1, y: y, role, width: width - 2, align: .right)
    }

    private func roles(
        of line: EditorText.Line,
        _ pieces: [Syntax.Piece],
        _ matches: [Range<Int>]
    ) -> [StyleRole] {
        var roles = Array(repeating: StyleRole.text, count: line.count)
        for piece in pieces { roles.replaceSubrange(piece.range, with: piece.range.map { _ in piece.role }) }
        for match in matches { roles.replaceSubrange(match, with: match.map { _ in .match }) }
        return roles
    }

    /// Draws a line and returns the column of each scalar, and of the end.
    private func draw(
        _ line: EditorText.Line,
        _ roles: [StyleRole],
        on canvas: inout Canvas,
        left: Int,
        x: Int,
        y: Int,
        width: Int
    ) -> [Int] {
        var columns = [0]
        columns.reserveCapacity(line.count + 1)
        for scalar in line {
            columns.append(
                columns[columns.count - 1]
                    + EditorColumns.width(of: scalar, at: columns[columns.count - 1], canvas.glyphs)
            )
        }
        var place = 0
        while place < line.count {
            // A stretch of one look; marks go with the letter they stand on, and a tab is a stretch of its own.
            var end = place + 1
            while end < line.count, line[place] != "\t", line[end] != "\t",
                roles[end] == roles[place] || columns[end] == columns[end + 1]
            {
                end += 1
            }
            let column = columns[place] - left
            if line[place] != "\t", column < width, columns[end] > left {
                let shown = (place..<end).drop { columns[$0] < left }.prefix {
                    columns[$0 + 1] - left <= width
                }
                if let first = shown.first {
                    let text = String(String.UnicodeScalarView(shown.map { line[$0] }))
                    canvas.write(text, x: x + columns[first] - left, y: y, roles[place])
                }
            }
            place = end
        }
        let style = canvas.look.style(.muted)
        if left > 0, !line.isEmpty { canvas.put(canvas.glyphs.left, x: x, y: y, style) }
        if columns[line.count] - left > width {
            canvas.put(canvas.glyphs.right, x: x + width - 1, y: y, style)
        }
        return columns
    }

    private func mark(
        _ fault: Fault,
        _ columns: [Int],
        on canvas: inout Canvas,
        left: Int,
        in rect: Rect,
        y: Int
    ) {
        let length = max(columns[columns.count - 1] - left, 1)
        canvas.highlight(Rect(x: rect.x, y: y, width: min(length, rect.width), height: 1), .fault)
        guard let column = fault.column, columns.indices.contains(column - 1) else { return }
        let place = columns[column - 1] - left
        guard (0..<rect.width).contains(place) else { return }
        canvas.highlight(Rect(x: rect.x + place, y: y, width: 1, height: 1), .faultPlace)
    }
}
