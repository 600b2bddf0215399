/// A question with what will happen, where doing nothing is the answer at hand.
struct Dialog: Equatable, Sendable {
    struct Button: Equatable, Sendable {
        let label: String
        /// Never the key that the question began with.
        let key: Key
    }

    enum Outcome: Equatable {
        case chosen(Int)
        case changed, ignored
    }

    let title: String
    let text: [String]
    /// The first cancels.
    let buttons: [Button]
    /// What has to be typed before anything but cancelling is possible, for what cannot be undone on many.
    var typed: (wanted: String, editor: LineEditor)?
    private(set) var focus = 0
    /// Whether a button was chosen by Tab or an arrow.
    private var hasMoved = false
    private var isMistyped = false

    init(title: String, text: [String], buttons: [Button], typing wanted: String? = nil) {
        self.title = title
        self.text = text
        self.buttons = [Button(label: "Cancel", key: .escape)] + buttons
        typed = wanted.map { ($0, LineEditor()) }
    }

    static func == (left: Dialog, right: Dialog) -> Bool {
        left.title == right.title && left.text == right.text && left.focus == right.focus
            && left.buttons == right.buttons && left.typed?.editor == right.typed?.editor
    }

    private var isLocked: Bool { typed.map { $0.wanted != $0.editor.text } ?? false }

    mutating func handle(_ key: Key) -> Outcome {
        switch key {
        case .escape: return .chosen(0)
        case .tab, .right, .down: return moveFocus(by: 1)
        case .backTab, .left, .up: return moveFocus(by: -1)
        case .enter:
            // What was typed as wanted is the decision; Tab to Cancel still takes it back.
            if typed != nil, !isLocked, !hasMoved { return .chosen(1) }
            // What was typed wrongly is no answer: keys that follow must not become commands.
            if isLocked, !hasMoved, typed?.editor.text.isEmpty == false {
                isMistyped = true
                return .changed
            }
            return focus == 0 || !isLocked ? .chosen(focus) : .ignored
        default: break
        }
        if typed != nil { return typed?.editor.handle(key) == .ignored ? .ignored : .changed }
        guard let index = buttons.firstIndex(where: { $0.key == key }) else { return .ignored }
        return .chosen(index)
    }

    private mutating func moveFocus(by step: Int) -> Outcome {
        hasMoved = true
        focus = (focus + step + buttons.count) % buttons.count
        return .changed
    }

    func draw(on canvas: inout Canvas, in area: Rect) -> (x: Int, y: Int)? {
        let lines = text.flatMap { Wrap.lines($0, width: min(68, area.width - 6)) }
        let height = lines.count + 5 + (typed == nil ? 0 : 2)
        var inside = canvas.box(area.centered(width: 72, height: height), title: title, .border)
        if inside.height > lines.count + 1 { _ = inside.cutTop(1) }
        let footer = inside.cutBottom(1)
        var cursor: (x: Int, y: Int)?
        if let typed {
            let line = inside.cutBottom(2)
            let label = "\(isMistyped && isLocked ? "Type exactly" : "Type") \(typed.wanted) to go on: "
            let x =
                line.x
                + canvas.write(
                    label,
                    x: line.x,
                    y: line.y,
                    isMistyped && isLocked ? .error : .warning,
                    width: line.width
                )
            let column = typed.editor.draw(
                on: &canvas,
                x: x,
                y: line.y,
                width: max(0, line.maxX - x),
                isActive: true
            )
            cursor = (column, line.y)
        }
        for (index, line) in lines.prefix(inside.height).enumerated() {
            canvas.write(line, x: inside.x, y: inside.y + index, width: inside.width)
        }
        var x = footer.x
        for (index, button) in buttons.enumerated() {
            let role: StyleRole = index == focus ? .buttonActive : index > 0 && isLocked ? .disabled : .button
            x +=
                canvas.write(
                    "[ \(button.label)\(index > 0 && typed != nil ? "" : "  \(button.key)") ]",
                    x: x,
                    y: footer.y,
                    role,
                    width: max(0, footer.maxX - x)
                ) + 2
        }
        return cursor
    }
}

/// Breaks text into lines at spaces.
enum Wrap {
    static func lines(_ text: String, width: Int) -> [String] {
        guard width > 0 else { return [] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            var rest = word[...]
            if !line.isEmpty, line.count + 1 + rest.count > width {
                lines.append(line)
                line = ""
            }
            // Step by step: to count what is left each time would take as long as the text is long, squared.
            while let end = rest.index(rest.startIndex, offsetBy: width, limitedBy: rest.endIndex),
                end < rest.endIndex
            {
                lines.append(String(rest[..<end]))
                rest = rest[end...]
            }
            line += line.isEmpty ? rest : " " + rest
        }
        lines.append(line)
        return lines
    }
}
