import Operations

/// The headers that an upstream is sent besides the callers': in order, and how they do.
enum HeadersView {
    static func columns(_ state: ConsoleState) -> [Column<HeaderRule>] {
        let glyphs = state.glyphs
        return [
            Column(id: "place", title: "#", width: 3, isRight: true) { StyledText("\($0.position)", .muted) },
            Column(id: "header", title: "HEADER", width: 16, stretch: 1) { rule in
                StyledText("\(mark(rule, glyphs)) ", role(rule))
                    .appending(rule.name, rule.enabled ? .name : .muted)
            },
            Column(id: "kind", title: "KIND", width: 10, priority: 2) {
                StyledText($0.kind.rawValue, .muted)
            },
            Column(id: "value", title: "VALUE", width: 20, stretch: 4, priority: 1) { rule in
                StyledText(summary(rule), rule.enabled ? .text : .muted)
            },
            Column(id: "on_failure", title: "ON FAILURE", width: 10, priority: 5) {
                StyledText($0.kind == .static ? "" : $0.onFailure.rawValue, .muted)
            },
            Column(id: "kept", title: "KEPT", width: 5, priority: 6) {
                StyledText(HeaderForm.seconds($0.cacheSeconds), .muted)
            },
            Column(id: "runs", title: "RUNS", width: 6, isRight: true, priority: 3) {
                StyledText($0.runs == 0 ? "" : NumberText.count($0.runs))
            },
            Column(id: "errors", title: "FAILED", width: 6, isRight: true) {
                StyledText($0.errors == 0 ? "" : NumberText.count($0.errors), .warning)
            },
            Column(id: "p95", title: "P95", width: 7, isRight: true, priority: 4) {
                StyledText($0.p95Ms.map(NumberText.latency) ?? "", .muted)
            },
        ]
    }

    private static func role(_ rule: HeaderRule) -> StyleRole {
        !rule.enabled ? .muted : rule.failing ? .error : .ok
    }

    private static func mark(_ rule: HeaderRule, _ glyphs: Glyphs) -> Character {
        !rule.enabled ? glyphs.idle : rule.failing ? glyphs.bad : glyphs.good
    }

    /// What it is sent as, or the first line of how that comes about.
    private static func summary(_ rule: HeaderRule) -> String {
        if let error = rule.lastError, rule.failing { return error }
        guard let script = rule.script else { return rule.value ?? "" }
        let lines = script.split(separator: "\n")
        let first = lines.first.map { String($0).trimmingSpaces() } ?? ""
        return lines.count > 1 ? "\(first) (\(lines.count) lines)" : first
    }

    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        var rest = rect
        guard !rest.isEmpty else { return }
        let heading = rest.cutTop(1)
        let headers = state.upstreams.headers
        let slug = state.upstreams.table.selection?.slug
        let failing = headers.table.rows.count { $0.failing }
        canvas.heading(
            slug.map { "Headers that \($0) is sent" } ?? "Headers",
            note: failing > 0
                ? "\(failing) failing" : headers.table.rows.isEmpty ? "" : "\(headers.table.rows.count)",
            noteRole: failing > 0 ? .error : .muted,
            in: Rect(x: heading.x + 1, y: heading.y, width: heading.width - 2, height: 1)
        )
        var table = Table(columns: columns(state))
        table.isFocused = headers.isFocused
        table.empty = emptyText(state)
        table.draw(headers.table, on: &canvas, in: rest)
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        let headers = state.upstreams.headers
        if let fault = headers.fault { return "\(state.glyphs.bad) \(fault)" }
        if headers.isLoading { return "loading \(state.glyphs.ellipsis)" }
        guard state.upstreams.table.selection != nil else { return "" }
        return headers.isFocused
            ? "only what callers send: n adds one, a value or a script"
            : "only what callers send: h, then n adds one, a value or a script"
    }
}
