/// What was done to a text, so that it can be taken back and done again.
struct EditorHistory: Equatable, Sendable {
    /// One stretch of text that took another's place.
    struct Edit: Equatable, Sendable {
        let start: EditorPlace
        var removed: String
        var inserted: String
        /// Where the cursor was before.
        let cursor: EditorPlace
        var kind: Kind
    }

    /// What belongs together when it follows itself.
    enum Kind: Sendable {
        case typing, erasing
        /// A step of its own: a paste, a line end, a line cut out.
        case single
    }

    /// How many steps can be taken back.
    static let limit = 1000

    private var done: [Edit] = []
    private var undone: [Edit] = []
    /// Whether the next edit may join the last one.
    private var isOpen = false

    var canUndo: Bool { !done.isEmpty }
    var canRedo: Bool { !undone.isEmpty }

    mutating func add(_ edit: Edit) {
        undone = []
        if isOpen, let last = done.last, let joined = Self.join(last, edit) {
            done[done.count - 1] = joined
        } else {
            done.append(edit)
            if done.count > Self.limit { done.removeFirst(done.count - Self.limit) }
        }
        isOpen = edit.kind != .single
    }

    /// The cursor was set elsewhere: what is typed next is another step.
    mutating func close() {
        isOpen = false
    }

    mutating func takeUndo() -> Edit? {
        isOpen = false
        guard let edit = done.popLast() else { return nil }
        undone.append(edit)
        return edit
    }

    mutating func takeRedo() -> Edit? {
        isOpen = false
        guard let edit = undone.popLast() else { return nil }
        done.append(edit)
        return edit
    }

    /// A word typed letter by letter is one step, and so are letters erased one after the other.
    private static func join(_ last: Edit, _ next: Edit) -> Edit? {
        guard last.kind == next.kind, last.start.line == next.start.line else { return nil }
        var joined = last
        switch next.kind {
        case .single: return nil
        case .typing:
            let isNewWord = last.inserted.last == " " && next.inserted != " "
            guard next.removed.isEmpty, !isNewWord,
                next.start == EditorText.end(of: last.inserted, from: last.start)
            else { return nil }
            joined.inserted += next.inserted
            return joined
        case .erasing:
            guard next.inserted.isEmpty else { return nil }
            if EditorText.end(of: next.removed, from: next.start) == last.start {
                let removed = next.removed + last.removed
                return Edit(
                    start: next.start,
                    removed: removed,
                    inserted: "",
                    cursor: last.cursor,
                    kind: .erasing
                )
            }
            guard next.start == last.start else { return nil }
            joined.removed += next.removed
            return joined
        }
    }
}
