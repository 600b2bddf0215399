/// Fields being filled in: checked as they are typed, kept when the gateway refuses them.
struct Form: Equatable, Sendable {
    struct Field: Equatable, Sendable {
        enum Kind: Equatable, Sendable {
            case text(LineEditor)
            case choices([Choice], cursor: Int)
            /// One of several.
            case option([String], chosen: Int)
        }

        struct Choice: Equatable, Sendable {
            let name: String
            var isOn: Bool
            /// Takes the others' place, as they take its.
            var isAll = false
        }

        let id: String
        let label: String
        var kind: Kind
        var placeholder = ""
        /// Whether only its length is shown.
        var isSecret = false

        /// `value`: the one that is chosen, else the first.
        static func choice(
            _ id: String,
            _ label: String,
            _ options: [String],
            _ value: String? = nil
        ) -> Field {
            let chosen = value.flatMap { options.firstIndex(of: $0) } ?? 0
            return Field(id: id, label: label, kind: .option(options, chosen: chosen))
        }

        static func secret(_ id: String, _ label: String, placeholder: String) -> Field {
            var field = text(id, label, placeholder: placeholder)
            field.isSecret = true
            return field
        }

        static func text(
            _ id: String,
            _ label: String,
            _ value: String = "",
            placeholder: String = "",
            limit: Int = 1000
        ) -> Field {
            // What is there already is never cut.
            let editor = LineEditor(value, limit: max(limit, value.count))
            return Field(id: id, label: label, kind: .text(editor), placeholder: placeholder)
        }
    }

    enum Outcome {
        case changed, moved, submit, cancel, ignored
    }

    let title: String
    let submitLabel: String
    var fields: [Field]
    /// Of a field, then the two buttons.
    private(set) var focus = 0
    private var initial: [String: String] = [:]
    /// What stands in fields, or stood there before others took their place.
    private var aside: [String: Field.Kind] = [:]
    /// What is wrong with a field, by its id.
    var errors: [String: String] = [:]
    /// What a field means, by its id.
    var notes: [String: String] = [:]
    var isChanged = false
    /// Sent, and not answered yet.
    var isBusy = false
    /// What the gateway has said against it as a whole.
    var failure: String?

    init(title: String, submitLabel: String, fields: [Field]) {
        self.title = title
        self.submitLabel = submitLabel
        self.fields = fields
        for field in fields {
            if case .text(let editor) = field.kind { initial[field.id] = editor.text }
        }
    }

    /// Whether a field of text is as it was.
    func isUntouched(_ id: String) -> Bool { initial[id] == text(id) }

    /// Takes other fields in the place of its own; what was typed into one of the same name stays, also while it is away.
    mutating func adopt(_ new: [Field]) {
        let focused = fields.indices.contains(focus) ? fields[focus].id : nil
        for field in fields { aside[field.id] = field.kind }
        let before = fields.map(\.id)
        fields = new.map { field in
            var field = field
            if let kind = aside[field.id] { field.kind = kind }
            return field
        }
        guard fields.map(\.id) != before else { return }
        for field in new where initial[field.id] == nil {
            if case .text(let editor) = field.kind { initial[field.id] = editor.text }
        }
        if let focused { focus(on: focused) }
    }

    var isFieldFocused: Bool { focus < fields.count }

    func text(_ id: String) -> String {
        guard case .text(let editor) = fields.first(where: { $0.id == id })?.kind else { return "" }
        return editor.text
    }

    /// The names of those chosen one by one; nil when it is all of them, whichever there will be.
    func choices(_ id: String) -> [String]? {
        guard case .choices(let choices, _) = fields.first(where: { $0.id == id })?.kind else { return [] }
        return choices.contains { $0.isAll && $0.isOn } ? nil : choices.filter(\.isOn).map(\.name)
    }

    /// The text of a field without spaces around it.
    func word(_ id: String) -> String { text(id).trimmingSpaces() }

    /// As `word`; nil when nothing stands there.
    func given(_ id: String) -> String? {
        let word = word(id)
        return word.isEmpty ? nil : word
    }

    /// What stands between commas.
    func list(_ id: String) -> [String] {
        text(id).split(separator: ",").map { String($0).trimmingSpaces() }.filter { !$0.isEmpty }
    }

    /// The one that is chosen; nil when there is none to choose.
    func choice(_ id: String) -> String? {
        guard case .option(let options, let chosen) = fields.first(where: { $0.id == id })?.kind else {
            return nil
        }
        return options.indices.contains(chosen) ? options[chosen] : nil
    }

    func has(_ id: String) -> Bool { fields.contains { $0.id == id } }

    mutating func focus(on id: String) {
        if let index = fields.firstIndex(where: { $0.id == id }) { focus = index }
    }

    // MARK: Keys

    mutating func handle(_ key: Key) -> Outcome {
        switch key {
        case Key("ctrl-s"): return .submit
        // What has been handed in is answered first.
        case .escape: return isBusy ? .ignored : .cancel
        case .tab, .down: return moveFocus(by: 1)
        case .backTab, .up: return moveFocus(by: -1)
        case .enter:
            if focus == fields.count { return .submit }
            if focus == fields.count + 1 { return isBusy ? .ignored : .cancel }
            return moveFocus(by: 1)
        default: break
        }
        guard fields.indices.contains(focus) else {
            if key == .left || key == .right { return moveFocus(by: focus == fields.count ? 1 : -1) }
            return .ignored
        }
        return edit(key)
    }

    private mutating func moveFocus(by step: Int) -> Outcome {
        let count = fields.count + 2
        focus = (focus + step + count) % count
        return .moved
    }

    private mutating func edit(_ key: Key) -> Outcome {
        switch fields[focus].kind {
        case .text(var editor):
            let outcome = editor.handle(key)
            fields[focus].kind = .text(editor)
            return outcome == .changed ? changed() : outcome == .moved ? .moved : .ignored
        case .option(let options, let chosen):
            // What is typed here by mistake must not choose anything.
            guard options.count > 1, key == .left || key == .right else { return .ignored }
            let next = (chosen + (key == .left ? options.count - 1 : 1)) % options.count
            fields[focus].kind = .option(options, chosen: next)
            return changed()
        case .choices(var choices, var cursor):
            switch key {
            case .left: cursor = max(0, cursor - 1)
            case .right: cursor = min(choices.count - 1, cursor + 1)
            case .space:
                guard choices.indices.contains(cursor) else { return .ignored }
                choices[cursor].isOn.toggle()
                for index in choices.indices
                where choices[cursor].isOn && choices[index].isAll != choices[cursor].isAll {
                    choices[index].isOn = false
                }
                fields[focus].kind = .choices(choices, cursor: cursor)
                return changed()
            default: return .ignored
            }
            fields[focus].kind = .choices(choices, cursor: cursor)
            return .moved
        }
    }

    private mutating func changed() -> Outcome {
        isChanged = true
        errors[fields[focus].id] = nil
        failure = nil
        return .changed
    }

    mutating func paste(_ text: String) -> Outcome {
        guard fields.indices.contains(focus), case .text(var editor) = fields[focus].kind else {
            return .ignored
        }
        editor.insert(text)
        fields[focus].kind = .text(editor)
        return changed()
    }

    // MARK: Drawing

    /// Draws it in the middle and returns where the cursor is.
    func draw(on canvas: inout Canvas, in area: Rect) -> (x: Int, y: Int)? {
        let labels = (fields.map { canvas.columns(of: $0.label) }.max() ?? 0) + 3
        // Small screens get no empty lines.
        let isDense = area.height < fields.count + 8
        // Room for what is wrong with a field in more words than fit beside it: kept free, so that nothing jumps.
        let faultHeight = isDense ? 1 : 2
        let height = fields.count + (isDense ? 4 : 8) + (failure == nil ? 0 : 1)
        var inside = canvas.box(area.centered(width: 76, height: height), title: title)
        if !isDense { _ = inside.cutTop(1) }
        let buttons = inside.cutBottom(isDense ? 1 : 2)
        if let failure {
            let line = inside.cutBottom(1)
            canvas.write("\(canvas.glyphs.bad) \(failure)", x: line.x, y: line.y, .error, width: line.width)
        }
        drawFault(on: &canvas, in: inside.cutBottom(faultHeight))
        let shown = min(max(focus - inside.height + 1, 0), max(fields.count - inside.height, 0))
        var cursor: (x: Int, y: Int)?
        for (index, field) in fields.enumerated().dropFirst(shown).prefix(inside.height) {
            let y = inside.y + index - shown
            let isActive = index == focus
            canvas.write(field.label, x: inside.x, y: y, isActive ? .accent : .muted, width: labels)
            let place = Rect(x: inside.x + labels, y: y, width: inside.width - labels, height: 1)
            if let column = draw(field, isActive: isActive, on: &canvas, in: place), isActive {
                cursor = (column, y)
            }
        }
        drawButtons(on: &canvas, buttons)
        return cursor
    }

    /// What does not hold in the field where the cursor is, in full.
    private func drawFault(on canvas: inout Canvas, in rect: Rect) {
        guard fields.indices.contains(focus), let fault = errors[fields[focus].id] else { return }
        let text = "\(canvas.glyphs.warning) \(fault)"
        guard canvas.columns(of: text) > Self.remarkWidth else { return }
        let lines = Wrap.lines(text, width: rect.width)
        for (index, line) in lines.prefix(rect.height).enumerated() {
            let isCut = index == rect.height - 1 && lines.count > rect.height
            let shown = isCut ? line + String(canvas.glyphs.ellipsis) : line
            canvas.write(shown, x: rect.x, y: rect.y + index, .error, width: rect.width)
        }
    }

    /// A remark that is longer stands below instead of beside its field.
    private static let remarkWidth = 34

    private func draw(_ field: Field, isActive: Bool, on canvas: inout Canvas, in place: Rect) -> Int? {
        var place = place
        let remark = errors[field.id] ?? notes[field.id] ?? ""
        let mark = errors[field.id] == nil ? canvas.glyphs.arrow : canvas.glyphs.warning
        if !remark.isEmpty {
            let isLong = canvas.columns(of: remark) + 2 > Self.remarkWidth
            let text = isLong ? " \(mark)" : " \(mark) \(remark)"
            let side = place.cutRight(min(canvas.columns(of: text), place.width * 3 / 5))
            canvas.write(
                text,
                x: side.x,
                y: side.y,
                errors[field.id] == nil ? .info : .error,
                width: side.width
            )
        }
        switch field.kind {
        case .option(let options, let chosen):
            let text = options.indices.contains(chosen) ? options[chosen] : "none"
            let arrows =
                options.count > 1 ? (String(canvas.glyphs.left), String(canvas.glyphs.right)) : (" ", " ")
            canvas.write(
                "\(arrows.0) \(text) \(arrows.1)",
                x: place.x,
                y: place.y,
                isActive ? .inputActive : .input,
                width: place.width
            )
            return nil
        case .text(let editor) where field.isSecret && !editor.text.isEmpty:
            // Whoever looks over a shoulder sees how long it is.
            let dots = LineEditor(String(repeating: "*", count: editor.text.count))
            return dots.draw(on: &canvas, x: place.x, y: place.y, width: place.width, isActive: isActive)
        case .text(let editor):
            return editor.draw(
                on: &canvas,
                x: place.x,
                y: place.y,
                width: place.width,
                isActive: isActive,
                placeholder: field.placeholder
            )
        case .choices(let choices, let cursor):
            var x = place.x
            for (index, choice) in choices.enumerated() {
                let text = "[\(choice.isOn ? "x" : " ")] \(choice.name)"
                let role: StyleRole = isActive && index == cursor ? .inputActive : .input
                x += canvas.write(text, x: x, y: place.y, role, width: max(0, place.maxX - x)) + 2
            }
            if choices.isEmpty {
                canvas.write(field.placeholder, x: x, y: place.y, .placeholder, width: place.width)
            }
            return nil
        }
    }

    private func drawButtons(on canvas: inout Canvas, _ rect: Rect) {
        let texts = ["[ \(isBusy ? "…" : submitLabel)  Ctrl-S ]", "[ Cancel  Esc ]"]
        let width = texts.reduce(3) { $0 + canvas.columns(of: $1) }
        var x = rect.x + max(0, (rect.width - width) / 2)
        for (index, text) in texts.enumerated() {
            let role: StyleRole = focus == fields.count + index ? .buttonActive : .button
            x += canvas.write(text, x: x, y: rect.y, role, width: max(0, rect.maxX - x)) + 3
        }
    }
}
