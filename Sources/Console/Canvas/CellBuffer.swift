/// One place of the screen.
struct Cell: Hashable, Sendable {
    var scalar: UInt32 = 0x20
    /// A combining mark on it, or 0.
    var mark: UInt32 = 0
    var style = Style.plain
    /// 1 or 2 columns; 0 is the right half of the wide character before it.
    var width: UInt8 = 1

    static let blank = Cell()
}

/// A screen's worth of cells: what a view makes, a test compares and the terminal paints.
struct CellBuffer: Equatable, Sendable {
    let width: Int
    let height: Int
    private(set) var cells: [Cell]

    init(width: Int, height: Int) {
        self.width = max(width, 0)
        self.height = max(height, 0)
        cells = Array(repeating: .blank, count: self.width * self.height)
    }

    var bounds: Rect { Rect(x: 0, y: 0, width: width, height: height) }

    subscript(x: Int, y: Int) -> Cell {
        cells[y * width + x]
    }

    /// Puts a cell where it fits; a wide character that would be cut becomes a space, and so does the rest of one
    /// that is covered in part.
    mutating func put(_ cell: Cell, x: Int, y: Int) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        let place = y * width + x
        var cell = cell
        if cell.width == 2, x + 1 >= width {
            cell = Cell(style: cell.style)
        }
        // What has no ground of its own stands on what is there.
        if cell.style.background == .standard { cell.style.background = cells[place].style.background }
        if cells[place].width == 0, x > 0 { cells[place - 1] = Cell(style: cells[place - 1].style) }
        if cells[place].width == 2, x + 1 < width { cells[place + 1] = Cell(style: cells[place + 1].style) }
        cells[place] = cell
        guard cell.width == 2 else { return }
        if cells[place + 1].width == 2, x + 2 < width {
            cells[place + 2] = Cell(style: cells[place + 2].style)
        }
        cells[place + 1] = Cell(scalar: 0, style: cell.style, width: 0)
    }

    /// Changes the look of what stands in a rectangle.
    mutating func restyle(_ rect: Rect, _ change: (Style) -> Style) {
        let rect = rect.clipped(to: bounds)
        for y in rect.y..<rect.maxY {
            for x in rect.x..<rect.maxX {
                cells[y * width + x].style = change(cells[y * width + x].style)
            }
        }
    }

    /// The text of a line, as an eye reads it.
    func text(line y: Int) -> String {
        var text = String.UnicodeScalarView()
        for x in 0..<width where self[x, y].width > 0 {
            text.append(Unicode.Scalar(self[x, y].scalar) ?? " ")
            if self[x, y].mark != 0, let mark = Unicode.Scalar(self[x, y].mark) { text.append(mark) }
        }
        return String(text)
    }
}
