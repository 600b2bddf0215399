/// A chart over time, filled from below, one or several lines deep, with an axis, times and a cursor.
struct Chart {
    /// Values from old to new, one a step; nil is a gap, which stays empty.
    struct Line {
        let values: [Double?]
        let role: StyleRole
    }

    /// From the lowest to the highest, as percentiles are: each covers what is below it.
    let lines: [Line]
    let low: Double
    let high: Double
    let label: (Double) -> String
    /// Labels of the time axis: a share of the width from the left, and the text.
    var times: [(share: Double, text: String)] = []
    /// The step that the cursor is on.
    var cursor: Int?
    var axisWidth = 6

    func draw(on canvas: inout Canvas, in rect: Rect) {
        guard rect.height >= 2, rect.width > axisWidth + 4 else { return }
        var plot = rect
        let foot = plot.cutBottom(times.isEmpty ? 0 : rect.height >= 6 ? 2 : 1)
        let axis = plot.cutLeft(axisWidth + 1)
        drawAxis(on: &canvas, axis, plot, foot)
        drawLines(on: &canvas, plot)
        drawCursor(on: &canvas, plot)
    }

    private func drawAxis(on canvas: inout Canvas, _ axis: Rect, _ plot: Rect, _ foot: Rect) {
        let style = canvas.look.style(.axis)
        for y in axis.y..<axis.maxY {
            canvas.put(canvas.glyphs.axis, x: axis.maxX - 1, y: y, style)
        }
        var marks = [(0, high), (axis.height - 1, low)]
        if axis.height >= 5 {
            marks.append(
                (axis.height / 2, high - (high - low) * Double(axis.height / 2) / Double(axis.height))
            )
        }
        for (line, value) in marks {
            let text = line == axis.height / 2 && axis.height >= 5 ? label((high + low) / 2) : label(value)
            canvas.write(text, x: axis.x, y: axis.y + line, .axis, width: axisWidth, align: .right)
        }
        guard !foot.isEmpty else { return }
        var y = foot.y
        if foot.height == 2 {
            canvas.put(canvas.glyphs.axisCorner, x: axis.maxX - 1, y: y, style)
            canvas.horizontalLine(x: plot.x, y: y, width: plot.width, .axis)
            y += 1
        }
        var end = plot.x - 1
        for (share, text) in times {
            let width = canvas.columns(of: text)
            let wanted =
                plot.x + Int(Double(plot.width - 1) * share)
                - (share > 0.9 ? width - 1 : share > 0.1 ? width / 2 : 0)
            guard wanted > end, wanted + width <= plot.maxX else { continue }
            canvas.write(text, x: wanted, y: y, .axis)
            end = wanted + width
        }
    }

    // MARK: Filling

    private func drawLines(on canvas: inout Canvas, _ plot: Rect) {
        let (across, deep) = Self.dots(canvas.glyphs.kind)
        let columns = plot.width * across
        let heights = lines.map { line in
            Self.resample(line.values, columns).map { value in value.map { height($0, plot.height * deep) } }
        }
        let styles = lines.map { canvas.look.style($0.role) }
        for x in 0..<plot.width {
            for y in 0..<plot.height {
                let below = (plot.height - 1 - y) * deep
                var filled = [0, 0]
                var owner: Int?
                for half in 0..<across {
                    for (index, line) in heights.enumerated() {
                        guard let height = line[x * across + half] else { continue }
                        let dots = min(max(height - below, 0), deep)
                        if dots > 0, owner == nil || index < owner ?? 0 { owner = index }
                        filled[half] = max(filled[half], dots)
                    }
                }
                guard let owner else { continue }
                let scalar = Self.glyph(filled, canvas.glyphs, line: owner, of: lines.count)
                canvas.put(scalar: scalar, x: plot.x + x, y: plot.y + y, styles[owner])
            }
        }
    }

    /// Dots of a column, at least one for a value, so that zero is not a gap.
    private func height(_ value: Double, _ dots: Int) -> Int {
        guard high > low else { return 1 }
        let share = (value - low) / (high - low)
        return min(max(Int((share * Double(dots)).rounded()), 1), dots)
    }

    /// Dots of a cell across and deep.
    static func dots(_ set: Glyphs.Kind) -> (across: Int, deep: Int) {
        switch set {
        case .unicode: (2, 4)
        case .blocks: (1, 8)
        case .ascii: (1, 3)
        }
    }

    private static let left: [UInt32] = [0, 0x40, 0x44, 0x46, 0x47]
    private static let right: [UInt32] = [0, 0x80, 0xA0, 0xB0, 0xB8]

    private static func glyph(_ filled: [Int], _ glyphs: Glyphs, line: Int, of count: Int) -> UInt32 {
        switch glyphs.kind {
        case .unicode: return 0x2800 + left[filled[0]] + right[filled[1]]
        case .blocks: return glyphs.levels[filled[0]].unicodeScalars.first?.value ?? 0x20
        case .ascii:
            // Without colours the lines are told apart by their filling.
            let full: [Character] = count > 1 ? ["#", "=", ":"] : ["#", "#", "#"]
            let character: Character = filled[0] == 1 ? "." : filled[0] == 2 ? ":" : full[min(line, 2)]
            return character.unicodeScalars.first?.value ?? 0x20
        }
    }

    /// As many columns as wanted: the highest of the steps that fall into one, since a spike must not vanish.
    static func resample(_ values: [Double?], _ columns: Int) -> [Double?] {
        guard !values.isEmpty, columns > 0 else { return Array(repeating: nil, count: columns) }
        return (0..<columns).map { column in
            let start = column * values.count / columns
            let end = max(start + 1, (column + 1) * values.count / columns)
            return values[start..<min(end, values.count)].compactMap { $0 }.max()
        }
    }

    private func drawCursor(on canvas: inout Canvas, _ plot: Rect) {
        guard let cursor, let count = lines.first?.values.count, count > 0 else { return }
        let x = plot.x + min(cursor * plot.width / count, plot.width - 1)
        for y in plot.y..<plot.maxY {
            if canvas.buffer[x, y].scalar == 0x20 {
                canvas.put(canvas.glyphs.vertical, x: x, y: y, canvas.look.style(.muted))
            }
        }
        canvas.highlight(Rect(x: x, y: plot.y, width: 1, height: plot.height), .cursor)
    }
}

/// A chart of one line's height: eight samples in eight characters.
enum Sparkline {
    static func text(_ values: [Double], _ glyphs: Glyphs) -> String {
        let high = values.max() ?? 0
        return String(
            values.map { value in
                guard high > 0, value > 0 else { return glyphs.levels[1] }
                return glyphs.levels[min(max(Int((value / high * 8).rounded(.up)), 1), 8)]
            }
        )
    }
}
