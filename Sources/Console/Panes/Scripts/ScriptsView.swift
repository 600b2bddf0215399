import Operations

/// A script being written, the request that it is tried with, and what came of it.
enum ScriptsView {
    static func draw(
        _ state: ConsoleState,
        _ layout: ConsoleLayout,
        on canvas: inout Canvas
    ) -> (x: Int, y: Int)? {
        let rects = layout.scripts
        let scripts = state.scripts
        drawHeading(state, on: &canvas, in: rects.heading)
        var view = EditorView(syntax: scripts.language.syntax, fault: scripts.fault)
        view.isTyping = scripts.isTyping
        let cursor = view.draw(scripts.editor, on: &canvas, in: rects.editor)
        drawResult(state, on: &canvas, rects.resultHeading, rects.result)
        drawContext(state, on: &canvas, in: rects.context)
        drawStatus(state, on: &canvas, in: rects.status)
        return cursor
    }

    private static func drawHeading(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let scripts = state.scripts
        let dot = " \(canvas.glyphs.middleDot) "
        var title = scripts.title
        if let rule = scripts.rule { title += " of \(state.upstreams.slug(rule.upstreamId))" }
        canvas.heading(
            "\(title)\(dot)\(scripts.language.title)",
            note: scripts.isChanged ? "not saved" : scripts.rule == nil ? "" : "saved",
            noteRole: scripts.isChanged ? .warning : .muted,
            in: rect
        )
    }

    // MARK: Result

    private static func drawResult(
        _ state: ConsoleState,
        on canvas: inout Canvas,
        _ heading: Rect,
        _ rect: Rect
    ) {
        let scripts = state.scripts
        let (note, role) = resultNote(scripts.run)
        canvas.heading("Result", note: note, noteRole: role, in: heading)
        switch scripts.run {
        case .none:
            let key = state.keymap.key(for: .runScript)?.description ?? "the palette"
            canvas.write("\(key) runs it", x: rect.x + 1, y: rect.y, .muted, width: rect.width - 1)
            drawHelp(scripts.language, on: &canvas, in: rect)
        case .running:
            canvas.write("running \(canvas.glyphs.ellipsis)", x: rect.x + 1, y: rect.y, .muted)
        case .done, .refused:
            scripts.result.draw(on: &canvas, in: rect, isFocused: scripts.part == .result)
        }
    }

    private static func drawHelp(_ language: ScriptLanguage, on canvas: inout Canvas, in rect: Rect) {
        let width = rect.width - 12
        guard width >= 10 else { return }
        var y = rect.y + 2
        for row in ScriptHelp.rows(language) {
            let lines = Wrap.lines(row.text, width: width)
            guard y + lines.count <= rect.y + rect.height else { return }
            canvas.write(row.name, x: rect.x + 1, y: y, .name, width: 9)
            for line in lines {
                canvas.write(line, x: rect.x + 11, y: y, .muted, width: width)
                y += 1
            }
        }
    }

    private static func resultNote(_ run: ScriptsState.Run) -> (String, StyleRole) {
        switch run {
        case .none, .running: return ("", .muted)
        case .refused: return ("not run", .error)
        case .done(let result):
            let time = NumberText.latency(result.durationMs)
            let memory = result.memoryBytes.map { "  \(ByteText.short($0))" } ?? ""
            return (time + memory, result.success ? .ok : .error)
        }
    }

    /// `width`: of each line.
    static func resultLines(_ run: ScriptsState.Run, width: Int) -> [TextView.Line] {
        var lines: [TextView.Line] = []
        func add(_ text: String, _ role: StyleRole, copy: String) {
            for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
                lines += Wrap.lines(String(part), width: max(10, width - 1)).map {
                    TextView.Line(StyledText($0, role), copy: copy)
                }
            }
        }
        switch run {
        case .none, .running: break
        case .refused(let error): add(error.description, .error, copy: error.description)
        case .done(let result):
            if let fault = result.error {
                let place = fault.line.map { line in
                    "line \(line)\(fault.column.map { ", column \($0)" } ?? ""): "
                }
                add((place ?? "") + fault.message, .error, copy: fault.message)
            }
            if let value = result.result {
                add(value.isEmpty ? "(an empty value)" : value, .ok, copy: value)
            }
            guard !result.output.isEmpty else { break }
            lines.append(TextView.Line(StyledText("printed", .muted), copy: result.output))
            add(result.output, .text, copy: result.output)
        }
        return lines
    }

    // MARK: Around it

    private static func drawContext(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        guard !rect.isEmpty else { return }
        var rest = rect
        let key = state.keymap.key(for: .scriptContext)?.description ?? ""
        canvas.heading("context", note: "\(key) changes it", in: rest.cutTop(1))
        for (index, row) in state.scripts.context.rows(now: state.now).prefix(rest.height).enumerated() {
            let y = rest.y + index
            canvas.write(row.name, x: rest.x + 1, y: y, .muted, width: 11)
            let value = row.value.isEmpty ? String(canvas.glyphs.dash) : row.value
            canvas.write(value, x: rest.x + 13, y: y, width: rest.width - 14)
        }
    }

    private static func drawStatus(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let editor = state.scripts.editor
        let dot = " \(canvas.glyphs.middleDot) "
        var text = StyledText()
        if state.scripts.isTyping {
            text.append("typing", .badge)
            text.append("\(dot)Esc for commands", .muted)
        } else {
            text.append("commands", .muted)
            text.append("\(dot)i or Enter to type", .muted)
        }
        let place =
            "\(dot)line \(editor.cursor.line + 1) of \(editor.content.lines.count), column \(editor.cursor.column + 1)"
        text.append(place, .muted)
        let count = editor.content.byteCount
        let isTight = count > ScriptTest.sizeLimit * 9 / 10
        text.append("\(dot)\(ByteText.short(count)) of 64 kB", isTight ? .warning : .muted)
        canvas.write(text, x: rect.x + 3, y: rect.y, width: rect.width - 4)
    }
}
