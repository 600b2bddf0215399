/// Where an operator goes in a list.
enum Movement: Sendable {
    case up, down, pageUp, pageDown, halfUp, halfDown, top, bottom
    case lines(Int)

    var isDown: Bool {
        switch self {
        case .down, .pageDown, .halfDown, .bottom: true
        case .lines(let count): count > 0
        case .up, .pageUp, .halfUp, .top: false
        }
    }
}

/// Rows with a selection that stays on its row, marks, and what of it is in sight.
struct TableState<Row: Identifiable & Sendable>: Sendable where Row.ID == Int {
    private(set) var rows: [Row] = []
    private(set) var selected = 0
    private(set) var top = 0
    private(set) var marks: Set<Int> = []
    /// Where a range being marked began.
    private(set) var anchor: Int?

    var selection: Row? { rows.indices.contains(selected) ? rows[selected] : nil }
    var isAtEnd: Bool { selected >= rows.count - 1 }

    /// The marked rows, or the selected one.
    var targets: [Row] {
        let marked = rows.filter { isMarked($0.id) }
        return marked.isEmpty ? selection.map { [$0] } ?? [] : marked
    }

    var markCount: Int { rows.count { isMarked($0.id) } }

    func isMarked(_ id: Int) -> Bool {
        if marks.contains(id) { return true }
        guard let anchor, let from = index(of: anchor) else { return false }
        return index(of: id).map { min(from, selected)...max(from, selected) ~= $0 } ?? false
    }

    func index(of id: Int) -> Int? {
        rows.firstIndex { $0.id == id }
    }

    /// Takes new rows; the selection stays on the same one while it is there, else at the same place.
    ///
    /// At the top of a list that grows there it stays at the top.
    mutating func replace(_ new: [Row], isNewestFirst: Bool = false) {
        let id = isNewestFirst && selected == 0 ? nil : selection?.id
        rows = new
        if let id, let place = index(of: id) {
            selected = place
        } else {
            selected = min(max(selected, 0), max(rows.count - 1, 0))
        }
    }

    /// New rows behind the old ones, and old ones gone from the front.
    mutating func append(_ new: [Row], limit: Int) {
        rows += new
        let surplus = rows.count - limit
        guard surplus > 0 else { return }
        rows.removeFirst(surplus)
        selected = max(0, selected - surplus)
        top = max(0, top - surplus)
    }

    /// Older rows before the others: what is in sight stays there.
    mutating func prepend(_ older: [Row]) {
        rows = older + rows
        selected += older.count
        top += older.count
    }

    mutating func move(_ movement: Movement, page: Int) {
        let page = max(page, 1)
        switch movement {
        case .up: selected -= 1
        case .down: selected += 1
        case .pageUp: selected -= page
        case .pageDown: selected += page
        case .halfUp: selected -= max(page / 2, 1)
        case .halfDown: selected += max(page / 2, 1)
        case .top: selected = 0
        case .bottom: selected = rows.count - 1
        case .lines(let count): selected += count
        }
        selected = min(max(selected, 0), max(rows.count - 1, 0))
    }

    mutating func select(_ index: Int) {
        selected = min(max(index, 0), max(rows.count - 1, 0))
    }

    /// Scrolls so that the selection is in sight of so many lines.
    mutating func settle(height: Int) {
        guard height > 0 else { return }
        if selected < top { top = selected }
        if selected >= top + height { top = selected - height + 1 }
        top = min(max(top, 0), max(rows.count - height, 0))
    }

    // MARK: Marks

    mutating func toggleMark() {
        guard let id = selection?.id else { return }
        if marks.remove(id) == nil { marks.insert(id) }
    }

    /// Begins a range, or ends it and keeps its marks.
    mutating func toggleRange() {
        guard anchor != nil else {
            anchor = selection?.id
            return
        }
        for row in rows where isMarked(row.id) {
            marks.insert(row.id)
        }
        anchor = nil
    }

    mutating func unmark(_ ids: [Int]) {
        marks.subtract(ids)
        anchor = nil
    }

    /// Whether there was anything to take away.
    mutating func clearMarks() -> Bool {
        defer { (marks, anchor) = ([], nil) }
        return !marks.isEmpty || anchor != nil
    }
}
