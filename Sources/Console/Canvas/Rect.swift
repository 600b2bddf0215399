/// A rectangle of cells; never of negative size.
struct Rect: Equatable, Sendable {
    var x: Int
    var y: Int
    var width: Int
    var height: Int

    init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = max(width, 0)
        self.height = max(height, 0)
    }

    var maxX: Int { x + width }
    var maxY: Int { y + height }
    var isEmpty: Bool { width == 0 || height == 0 }

    func contains(x: Int, y: Int) -> Bool {
        x >= self.x && x < maxX && y >= self.y && y < maxY
    }

    func clipped(to other: Rect) -> Rect {
        let left = max(x, other.x)
        let top = max(y, other.y)
        return Rect(x: left, y: top, width: min(maxX, other.maxX) - left, height: min(maxY, other.maxY) - top)
    }

    func inset(x dx: Int, y dy: Int = 0) -> Rect {
        Rect(x: x + min(dx, width), y: y + min(dy, height), width: width - 2 * dx, height: height - 2 * dy)
    }

    /// A rectangle of at most this size in the middle.
    func centered(width wanted: Int, height tall: Int) -> Rect {
        let (wide, high) = (min(wanted, width), min(tall, height))
        return Rect(x: x + (width - wide) / 2, y: y + (height - high) / 2, width: wide, height: high)
    }

    // MARK: Cutting off

    mutating func cutTop(_ lines: Int) -> Rect {
        let lines = min(max(lines, 0), height)
        defer { (y, height) = (y + lines, height - lines) }
        return Rect(x: x, y: y, width: width, height: lines)
    }

    mutating func cutBottom(_ lines: Int) -> Rect {
        let lines = min(max(lines, 0), height)
        height -= lines
        return Rect(x: x, y: y + height, width: width, height: lines)
    }

    mutating func cutLeft(_ columns: Int) -> Rect {
        let columns = min(max(columns, 0), width)
        defer { (x, width) = (x + columns, width - columns) }
        return Rect(x: x, y: y, width: columns, height: height)
    }

    mutating func cutRight(_ columns: Int) -> Rect {
        let columns = min(max(columns, 0), width)
        width -= columns
        return Rect(x: x + width, y: y, width: columns, height: height)
    }
}
