/// A list to choose from by typing a part of what is wanted.
struct Picker: Equatable, Sendable {
    struct Item: Equatable, Sendable {
        let id: String
        let title: String
        /// To the right: a key, or a remark.
        var note = ""
        /// Why it cannot be chosen now.
        var refusal: String?
        /// For lists of switches.
        var isOn: Bool?
    }

    enum Outcome: Equatable {
        case chosen(String)
        case cancel, changed, ignored
    }

    let title: String
    let prompt: String
    var items: [Item]
    private(set) var query = LineEditor()
    private(set) var selected = 0
    /// Whether letters go into the query, rather than moving.
    var isSearchable = true

    init(title: String, prompt: String, items: [Item], isSearchable: Bool = true) {
        self.title = title
        self.prompt = prompt
        self.items = items
        self.isSearchable = isSearchable
    }

    /// Those that fit the query, best first.
    var found: [Item] {
        let query = query.text.trimmingSpaces()
        guard !query.isEmpty else { return items }
        return items.compactMap { item in
            FuzzyMatch.score(query, in: item.title + " " + item.id).map { ($0, item) }
        }
        .enumerated().sorted { ($0.element.0, $1.offset) > ($1.element.0, $0.offset) }.map(\.element.1)
    }

    var selection: Item? {
        let found = found
        return found.indices.contains(selected) ? found[selected] : nil
    }

    mutating func select(_ index: Int) {
        selected = min(max(index, 0), max(items.count - 1, 0))
    }

    mutating func handle(_ key: Key) -> Outcome {
        let count = found.count
        switch key {
        case .escape: return .cancel
        case .enter: return selection.map { .chosen($0.id) } ?? .ignored
        case .space where !isSearchable: return selection.map { .chosen($0.id) } ?? .ignored
        case .down, Key("ctrl-n"), .tab: return moved(to: selected + 1, count)
        case .up, Key("ctrl-p"), .backTab: return moved(to: selected - 1, count)
        case .pageDown: return moved(to: selected + 10, count)
        case .pageUp: return moved(to: selected - 10, count)
        case .home where !isSearchable: return moved(to: 0, count)
        case .end where !isSearchable: return moved(to: count, count)
        default: break
        }
        if !isSearchable {
            if key == Key("j") { return moved(to: selected + 1, count) }
            if key == Key("k") { return moved(to: selected - 1, count) }
            return .ignored
        }
        switch query.handle(key) {
        case .changed:
            selected = 0
            return .changed
        case .moved: return .changed
        case .ignored: return .ignored
        }
    }

    mutating func paste(_ text: String) {
        query.insert(text)
        selected = 0
    }

    private mutating func moved(to index: Int, _ count: Int) -> Outcome {
        selected = min(max(index, 0), max(count - 1, 0))
        return .changed
    }

    func draw(on canvas: inout Canvas, in area: Rect) -> (x: Int, y: Int)? {
        let height = min(items.count + (isSearchable ? 4 : 2), area.height - 2, 24)
        var inside = canvas.box(area.centered(width: 72, height: max(height, 3)), title: title)
        var cursor: (x: Int, y: Int)?
        if isSearchable {
            let line = inside.cutTop(inside.height > 3 ? 2 : 1)
            let x = line.x + canvas.write(prompt, x: line.x, y: line.y, .key)
            let column = query.draw(
                on: &canvas,
                x: x,
                y: line.y,
                width: max(0, line.maxX - x),
                isActive: true
            )
            cursor = (column, line.y)
        }
        let found = found
        if found.isEmpty {
            canvas.write("nothing fits", x: inside.x, y: inside.y, .muted, width: inside.width)
        }
        let top = max(0, min(selected - inside.height / 2, found.count - inside.height))
        for (index, item) in found.enumerated().dropFirst(top).prefix(inside.height) {
            draw(
                item,
                on: &canvas,
                Rect(x: inside.x, y: inside.y + index - top, width: inside.width, height: 1)
            )
            if index == selected {
                canvas.highlight(
                    Rect(x: inside.x, y: inside.y + index - top, width: inside.width, height: 1),
                    .selection
                )
                canvas.put(
                    canvas.glyphs.chosen,
                    x: inside.x,
                    y: inside.y + index - top,
                    canvas.look.style(.accent)
                )
            }
        }
        return cursor
    }

    private func draw(_ item: Item, on canvas: inout Canvas, _ line: Rect) {
        let note = item.refusal ?? item.note
        let noteWidth = min(canvas.columns(of: note), line.width / 2)
        let box = item.isOn.map { "[\($0 ? "x" : " ")] " } ?? ""
        let role: StyleRole = item.refusal == nil ? .text : .disabled
        canvas.write(box + item.title, x: line.x + 2, y: line.y, role, width: line.width - noteWidth - 3)
        canvas.write(
            note,
            x: line.maxX - noteWidth,
            y: line.y,
            item.refusal == nil ? .key : .disabled,
            width: noteWidth
        )
    }
}

/// How well a text fits what was typed: its letters in order, best at the beginnings of words.
enum FuzzyMatch {
    /// nil when it does not fit; higher is better.
    static func score(_ query: String, in text: String) -> Int? {
        let letters = Array(query.lowercased().filter { $0 != " " })
        let characters = Array(text.lowercased())
        // What was typed as it stands is worth more than letters found here and there.
        if let found = text.lowercased().firstRange(of: query.lowercased()) {
            let isStart = !(text.lowercased()[..<found.lowerBound].last?.isLetter ?? false)
            return 100_000 + (isStart ? 50_000 : 0) - characters.count
        }
        var (score, place, last) = (0, 0, -2)
        for letter in letters {
            var best: Int?
            for index in place..<max(place, characters.count) where characters[index] == letter {
                let isStart = index == 0 || " .:-_".contains(characters[index - 1])
                if index == last + 1 || isStart {
                    best = index
                    break
                }
                if best == nil { best = index }
            }
            guard let best else { return nil }
            let isStart = best == 0 || " .:-_".contains(characters[best - 1])
            score += best == last + 1 ? 8 : isStart ? 6 : 1
            (last, place) = (best, best + 1)
        }
        return score * 100 - characters.count
    }
}

extension String {
    func trimmingSpaces() -> String {
        var text = self[...]
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
