import Operations

/// Draws a whole state; pure, so that a screen is a value that tests compare.
enum ConsoleView {
    struct Frame: Equatable, Sendable {
        let buffer: CellBuffer
        /// Where typing goes; nil hides the cursor.
        let cursor: Place?
    }

    struct Place: Equatable, Sendable {
        let x: Int
        let y: Int
    }

    static func draw(_ state: ConsoleState) -> Frame {
        var canvas = Canvas(size: state.size, look: state.look)
        guard state.size.columns >= 20, state.size.lines >= 3 else {
            canvas.write("FastGate: at least 20x3", x: 0, y: 0, width: state.size.columns)
            return Frame(buffer: canvas.buffer, cursor: nil)
        }
        let layout = ConsoleLayout(state)
        /// Where a pane is typed into.
        var typing: (x: Int, y: Int)?
        if layout.kind == .line {
            SummaryView.draw(state, on: &canvas)
        } else {
            BreadcrumbView.draw(state, on: &canvas, in: layout.breadcrumb)
            TabBar.draw(state, on: &canvas, in: layout.tabs)
            for (index, line) in state.welcome.prefix(layout.welcome.height).enumerated() {
                canvas.write(line, x: 1, y: layout.welcome.y + index, .info, width: layout.welcome.width - 2)
            }
            switch state.pane {
            case .dashboard: DashboardView.draw(state, layout, on: &canvas)
            case .live: InFlightView.draw(state, layout, on: &canvas)
            case .logs: LogsView.draw(state, layout, on: &canvas)
            case .keys: KeysView.draw(state, layout, on: &canvas)
            case .pool: PoolView.draw(state, layout, on: &canvas)
            case .upstreams: UpstreamsView.draw(state, layout, on: &canvas)
            case .rules: RulesView.draw(state, layout, on: &canvas)
            case .scripts: typing = ScriptsView.draw(state, layout, on: &canvas)
            case .alerts: AlertsView.draw(state, layout, on: &canvas)
            case .system: SystemView.draw(state, layout, on: &canvas)
            }
            FooterView.draw(state, on: &canvas, in: layout.footer)
        }
        let cursor = state.overlays.isEmpty ? typing : drawOverlays(state, on: &canvas, layout)
        return Frame(
            buffer: canvas.buffer,
            cursor: cursor.map { Place(x: min($0.x, state.size.columns - 1), y: $0.y) }
        )
    }

    private static func drawOverlays(
        _ state: ConsoleState,
        on canvas: inout Canvas,
        _ layout: ConsoleLayout
    ) -> (x: Int, y: Int)? {
        var cursor: (x: Int, y: Int)?
        let area =
            layout.body.isEmpty
            ? canvas.bounds : canvas.bounds.inset(x: 0, y: canvas.bounds.height > 12 ? 1 : 0)
        for overlay in state.overlays {
            switch overlay {
            case .palette(let picker), .help(let picker), .sort(let picker), .columns(let picker),
                .themes(let picker, _), .scripts(let picker), .templates(let picker, _):
                cursor = picker.draw(on: &canvas, in: area)
            case .form(let form, _): cursor = form.draw(on: &canvas, in: area)
            case .dialog(let dialog, _): cursor = dialog.draw(on: &canvas, in: area)
            case .secret(let secret): cursor = SecretView.draw(secret, on: &canvas, in: area)
            case .prompt(let prompt): cursor = PromptView.draw(prompt, on: &canvas)
            case .text(let title, let view):
                let inside = canvas.box(area.inset(x: min(4, area.width / 8), y: 1), title: title)
                view.draw(on: &canvas, in: inside, isFocused: true)
                cursor = nil
            }
        }
        return cursor
    }
}

/// Where one is, what is filtered, and how the gateway is.
///
/// `FastGate ▸ Logs ▸ status>=400            ● serving · 3 operators · up 12d · 14:22:09`
enum BreadcrumbView {
    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let glyphs = canvas.glyphs
        let right = condition(state, glyphs, isShort: rect.width < 100)
        let width = right.runs.reduce(0) { $0 + canvas.columns(of: $1.text) }
        let start = max(rect.maxX - width - 1, rect.width / 3)
        canvas.write(right, x: start, y: rect.y, width: rect.maxX - start)
        var left = StyledText(" FastGate ", .title).appending("\(glyphs.crumb) ", .rule)
        left.append(state.pane.rawValue, .heading)
        if state.pane == .logs, state.logs.isRecordFull, let record = state.logs.record {
            left.append(" \(glyphs.crumb) ", .rule)
            left.append(record.record.requestId)
        }
        if state.pane == .live, state.inFlight.isTextFull, let watched = state.inFlight.watched {
            left.append(" \(glyphs.crumb) ", .rule)
            left.append(watched.exchange.requestId)
        }
        if !state.filter.text.isEmpty {
            left.append(" \(glyphs.crumb) ", .rule)
            left.append(state.filter.text, .match)
        }
        canvas.write(left, x: rect.x, y: rect.y, width: max(0, start - rect.x - 1))
    }

    private static func condition(_ state: ConsoleState, _ glyphs: Glyphs, isShort: Bool) -> StyledText {
        let dot = isShort ? "  " : " \(glyphs.middleDot) "
        var text = StyledText()
        if state.isReadOnly { text = StyledText("READ-ONLY", .badge).appending(dot, .muted) }
        if state.outage != nil {
            text.append("\(glyphs.bad) gateway gone", .error)
        } else if let live = state.live {
            let isOK = live.dashboard.state == "ok"
            text.append("\(isOK ? glyphs.good : glyphs.warning)", isOK ? .ok : .warning)
            text.append(isOK ? " serving" : " \(live.dashboard.state)")
            text.append(
                "\(dot)\(live.operators) \(isShort ? "ops" : live.operators == 1 ? "operator" : "operators")",
                .muted
            )
            text.append("\(dot)up \(TimeText.uptime(live.uptimeSeconds))", .muted)
        } else {
            text.append("connecting \(glyphs.ellipsis)", .muted)
        }
        text.append(dot, .muted)
        text.append(TimeText.clock(state.now, zone: state.zone))
        return text
    }
}

/// The panes and their keys.
enum TabBar {
    static func places(_ state: ConsoleState, _ rect: Rect) -> [(pane: PaneID, rect: Rect)] {
        let gap = width(\.rawValue, gap: 2) > rect.width ? 1 : 2
        var x = rect.x + gap - 1
        return PaneID.allCases.map { pane in
            let width = pane.number.count + 1 + title(pane, rect).count
            defer { x += width + gap }
            return (pane, Rect(x: x, y: rect.y, width: width, height: 1))
        }
    }

    /// Where they would not all fit they stand closer, and some are shorter.
    private static func title(_ pane: PaneID, _ rect: Rect) -> String {
        width(\.rawValue, gap: 1) > rect.width ? pane.shortName : pane.rawValue
    }

    private static func width(_ name: (PaneID) -> String, gap: Int) -> Int {
        PaneID.allCases.reduce(-1) { $0 + $1.number.count + 1 + name($1).count + gap }
    }

    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        guard !rect.isEmpty else { return }
        for (pane, place) in places(state, rect) where place.x < rect.maxX {
            let isActive = pane == state.pane
            let key = state.keymap.key(for: pane.command)?.description ?? pane.number
            let x = place.x + canvas.write(key, x: place.x, y: place.y, isActive ? .tabActive : .key)
            canvas.write(
                " \(title(pane, rect))",
                x: x,
                y: place.y,
                isActive ? .tabActive : .tab,
                width: rect.maxX - x
            )
        }
    }
}

/// The keys that are useful next, fewer where there is less room; a message while there is one.
enum FooterView {
    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        if let toast = state.toast {
            let glyphs = canvas.glyphs
            let mark: Character =
                switch toast.role {
                case .error: glyphs.bad
                case .warning: glyphs.warning
                case .ok: glyphs.good
                default: glyphs.arrow
                }
            canvas.write("\(mark) \(toast.text)", x: rect.x + 1, y: rect.y, toast.role, width: rect.width - 2)
            return
        }
        let hints = state.overlays.last.map { overlayHints($0, canvas.glyphs) } ?? hints(state)
        var x = rect.x + 1
        func width(_ hint: (key: String, text: String)) -> Int {
            canvas.columns(of: hint.key + hint.text) + 4
        }
        // The last ones lead everywhere else, so they stay; of the others those that still fit.
        let last = hints.suffix(state.scripts.isTyping && state.pane == .scripts ? 3 : 4)
        var left = rect.width - last.reduce(0) { $0 + width($1) }
        let first = hints.dropLast(last.count).filter { hint in
            guard width(hint) <= left else { return false }
            left -= width(hint)
            return true
        }
        let kept = first + last
        for hint in kept {
            guard x < rect.maxX - 2 else { return }
            x += canvas.write(hint.key, x: x, y: rect.y, .key, width: rect.maxX - x)
            x += canvas.write(" \(hint.text)", x: x, y: rect.y, .hint, width: max(0, rect.maxX - x)) + 3
        }
    }

    /// What the keys mean in what is open.
    private static func overlayHints(_ overlay: Overlay, _ glyphs: Glyphs) -> [(key: String, text: String)] {
        let arrows = "\(glyphs.up)\(glyphs.down)"
        return switch overlay {
        case .palette, .help, .sort, .themes, .columns, .scripts, .templates:
            [(arrows, "choose"), ("Enter", "take"), ("Esc", "back")]
        case .form:
            [
                ("Tab", "next field"), ("\(glyphs.left)\(glyphs.right)", "choose"), ("Space", "tick"),
                ("Ctrl-S", "hand in"), ("Esc", "cancel"),
            ]
        case .dialog: [("Tab", "next button"), ("Enter", "take"), ("Esc", "cancel")]
        case .secret: [("y", "copy"), ("Esc", "close")]
        case .text: [(arrows, "scroll"), ("y", "copy"), ("Esc", "back")]
        case .prompt: []
        }
    }

    private static func hints(_ state: ConsoleState) -> [(key: String, text: String)] {
        // What letters mean is of no use to who types them.
        let isTyping = state.pane == .scripts && state.scripts.isTyping
        let fixed: [CommandID] =
            isTyping ? [.palette, .help, .back] : [.filter, .palette, .help, .quit]
        let order: [CommandContext] =
            isTyping
            ? [.editor]
            : state.contexts.filter { $0 != .everywhere && $0 != .list } + [.list]
        let local = order.flatMap { context in
            CommandRegistry.all.filter { $0.context == context && $0.hint != nil }
        }
        .filter { state.refusal(of: $0.id) == nil }
        let commands = local + fixed.compactMap { CommandRegistry.byID[$0] }
        return commands.compactMap { command in
            let keys = state.keymap.keys[command.id] ?? []
            guard let key = isTyping ? keys.first(where: { $0.text == nil }) : keys.first else { return nil }
            if command.id == .back { return (key.description, "stop typing") }
            guard let hint = command.hint else { return nil }
            if command.id == .cursorLeft { return ("\(state.glyphs.left)\(state.glyphs.right)", hint) }
            if command.id == .shorterWindow, let longer = state.keymap.key(for: .longerWindow) {
                return ("\(key) \(longer)", hint)
            }
            if command.id == .quit, case .attached = state.mode { return (key.description, "detach") }
            if command.id == .toggleKey, state.keys.table.selection?.enabled == false {
                return (key.description, "enable")
            }
            if command.id == .pauseLive, state.inFlight.isPaused { return (key.description, "go on") }
            if command.id == .rawText, state.inFlight.watched?.isRaw == true {
                return (key.description, "words")
            }
            if command.id == .toggleUpstream, state.upstreams.table.selection?.enabled == false {
                return (key.description, "enable")
            }
            if command.id == .toggleHeader, state.upstreams.headers.table.selection?.enabled == false {
                return (key.description, "on")
            }
            if command.id == .toggleChannel, state.alerts.channels.selection?.enabled == false {
                return (key.description, "on")
            }
            if command.id == .toggleRule, state.rules.table.selection?.enabled == false {
                return (key.description, "on")
            }
            return (key.description, hint)
        }
    }
}

/// What fits where nothing else does: a line or two of figures.
enum SummaryView {
    static func draw(_ state: ConsoleState, on canvas: inout Canvas) {
        let glyphs = canvas.glyphs
        guard state.outage == nil, let live = state.live else {
            canvas.write(
                state.outage.map { "\(glyphs.bad) \($0)" } ?? "connecting",
                x: 0,
                y: 0,
                width: state.size.columns
            )
            return
        }
        let figures = live.dashboard
        let lines = [
            "\(figures.state == "ok" ? glyphs.good : glyphs.warning) \(NumberText.rate(figures.requestsPerSecond))/s \(NumberText.percent(figures.successRate))",
            "p95 \(NumberText.latency(figures.latencyP95Ms))  \(live.exchanges.count) open",
            figures.problems.first.map { "\(glyphs.bad) \($0.kind) \($0.name) \($0.state)" } ?? "all well",
        ]
        for (index, line) in lines.prefix(state.size.lines).enumerated() {
            canvas.write(line, x: 0, y: index, width: state.size.columns)
        }
    }
}

/// A value that is shown once.
enum SecretView {
    static func draw(_ secret: Overlay.Secret, on canvas: inout Canvas, in area: Rect) -> (x: Int, y: Int)? {
        let width = max(canvas.columns(of: secret.value) + 6, 66)
        let inside = canvas.box(
            area.centered(width: width, height: secret.lines.count + 6),
            title: secret.title
        )
        var y = inside.y
        if inside.height > secret.lines.count + 3 { y += 1 }
        canvas.write(secret.value, x: inside.x, y: y, .accent, width: inside.width)
        y += inside.height > secret.lines.count + 3 ? 2 : 1
        for line in secret.lines where y < inside.maxY - 1 {
            canvas.write(line, x: inside.x, y: y, .muted, width: inside.width)
            y += 1
        }
        let state = secret.isCopied ? "copied" : "copy"
        var text = StyledText("y", .key).appending(" \(state)   ", secret.isCopied ? .ok : .hint)
        text.append("Esc", .key)
        text.append(
            secret.isWarned ? " again: not copied with y, and gone for ever" : " close for ever",
            secret.isWarned ? .warning : .hint
        )
        canvas.write(text, x: inside.x, y: inside.maxY - 1, width: inside.width)
        return nil
    }
}

/// The line in which a filter or a time is typed.
enum PromptView {
    static func draw(_ prompt: Prompt, on canvas: inout Canvas) -> (x: Int, y: Int)? {
        let y = canvas.bounds.maxY - 1
        let line = Rect(x: 0, y: y, width: canvas.bounds.width, height: 1)
        canvas.fill(line)
        let (label, example) = words(prompt.kind, canvas.glyphs)
        let start = canvas.write(label, x: 0, y: y, .key)
        // A fault has to be read whole.
        if let fault = prompt.fault, y > 0 {
            canvas.fill(Rect(x: 0, y: y - 1, width: line.width, height: 1))
            canvas.write("\(canvas.glyphs.bad) \(fault)", x: 1, y: y - 1, .error, width: line.width - 2)
        }
        let hint = prompt.note ?? example
        let hintWidth = min(canvas.columns(of: hint) + 1, line.width / 2)
        canvas.write(
            hint,
            x: line.maxX - hintWidth,
            y: y,
            .placeholder,
            width: hintWidth
        )
        let column = prompt.editor.draw(
            on: &canvas,
            x: start,
            y: y,
            width: max(4, line.width - start - hintWidth - 2),
            isActive: true
        )
        return (column, y)
    }

    private static func words(_ kind: Prompt.Kind, _ glyphs: Glyphs) -> (label: String, hint: String) {
        switch kind {
        case .filter: (" / ", "status>=400 and owner:team-a and latency>2s")
        case .time: (" time ", "14:05, -10m, 2026-11-21 or RFC 3339")
        case .find: (" find ", "Enter next, \(glyphs.up) the one before, Esc back")
        case .line: (" line ", "12, or 12:5 for its fifth column")
        }
    }
}
