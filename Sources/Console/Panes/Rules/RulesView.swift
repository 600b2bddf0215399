import Operations

/// What answers mean: rules in the order in which they are tried.
enum RulesView {
    static func columns(_ state: ConsoleState) -> [Column<Rule>] {
        let now = state.now
        let glyphs = state.glyphs
        let upstreams = state.upstreams
        return [
            Column(id: "place", title: "#", width: 3, isRight: true) { StyledText("\($0.position)", .muted) },
            Column(id: "rule", title: "RULE", width: 18, stretch: 1) { rule in
                StyledText("\(rule.enabled ? glyphs.good : glyphs.idle) ", rule.enabled ? .ok : .muted)
                    .appending(rule.name, rule.enabled ? .name : .muted)
            },
            Column(id: "upstream", title: "UPSTREAM", width: 10, priority: 4) { rule in
                rule.upstreamId.map { StyledText(upstreams.slug($0)) } ?? StyledText("all", .muted)
            },
            Column(id: "when", title: "WHEN", width: 22, stretch: 4, priority: 1) {
                StyledText(RuleText($0).conditionText, $0.enabled ? .text : .muted)
            },
            Column(id: "then", title: "THEN", width: 16, stretch: 3, priority: 2) {
                StyledText(RuleText($0).actionText, $0.enabled ? .accent : .muted)
            },
            Column(id: "hits", title: "HITS", width: 6, isRight: true) { rule in
                StyledText(rule.hits == 0 ? "" : NumberText.count(rule.hits))
            },
            Column(id: "last_hit", title: "LAST HIT", width: 11, priority: 3) {
                StyledText(TimeText.ago($0.lastHitAt, now: now), .muted)
            },
        ]
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        let status = rest.cutBottom(1)
        var table = Table(columns: columns(state))
        table.hidden = Set(state.settings.hiddenColumns[PaneID.rules.rawValue] ?? [])
        table.empty = emptyText(state)
        table.draw(state.rules.table, on: &canvas, in: rest)
        let rules = state.rules
        let dot = " \(canvas.glyphs.middleDot) "
        var text = StyledText("\(rules.table.rows.count) of \(rules.all.count) rules", .muted)
        let off = rules.all.count { !$0.enabled }
        if off > 0 { text.append("\(dot)\(off) off", .muted) }
        if rules.table.markCount > 0 { text.append("\(dot)\(rules.table.markCount) marked", .marked) }
        text.append("\(dot)the first that fits acts", .muted)
        if let fault = rules.fault { text.append(" \(canvas.glyphs.bad) \(fault)", .error) }
        if ListFilter.ignoresPart(of: state.filter.parsed, RulesState.filterFields) {
            text.append("\(dot)what the filter says of requests does not narrow rules", .muted)
        }
        canvas.write(text, x: status.x + 3, y: status.y, width: status.width - 4)
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let fault = state.rules.fault { return "\(state.glyphs.bad) \(fault)" }
        if state.rules.isLoading { return "loading \(state.glyphs.ellipsis)" }
        return state.rules.all.isEmpty
            ? "no rule: n makes one, and “rules.reset” in the palette brings the default ones back"
            : "no rule fits the filter; \\ clears it"
    }

    /// Everything about one.
    static func details(
        _ rule: Rule,
        _ upstreams: UpstreamsState,
        now: Timestamp,
        width: Int
    ) -> [TextView.Line] {
        let text = RuleText(rule)
        return DetailText.lines(
            [
                ("name", rule.name), ("upstream", rule.upstreamId.map(upstreams.slug) ?? "all"),
                ("when", text.conditionText), ("then", text.actionText),
                ("place", "\(rule.position)"), ("asked", rule.enabled ? "yes" : "no, it is off"),
                ("hits", "\(rule.hits)"), ("last hit", TimeText.ago(rule.lastHitAt, now: now)),
                ("whole", text.text),
            ],
            width: width
        )
    }

    /// What the rules make of an answer.
    static func lines(_ result: RuleTestResult, of what: String) -> [TextView.Line] {
        let acting = result.rules.first { $0.acts }
        let head = acting.map { "“\($0.name)” acts" } ?? "no rule acts"
        var lines = [
            TextView.Line(StyledText(what, .muted), copy: what),
            TextView.Line(StyledText(head, acting == nil ? .info : .ok), copy: "\(head): \(result.effect)"),
        ]
        lines += result.effect.split(separator: "; ").map {
            TextView.Line(StyledText("  \($0)"), copy: result.effect)
        }
        lines.append(TextView.Line(StyledText()))
        let width = min(result.rules.map(\.name.count).max() ?? 0, 30) + 2
        for step in result.rules {
            let name = String(step.name.prefix(30))
            let mark = step.acts ? ">" : step.fits ? "+" : "-"
            let role: StyleRole = step.acts ? .ok : step.fits ? .text : .muted
            var text = StyledText("\(mark) \(name)\(String(repeating: " ", count: width - name.count))", role)
            text.append(step.why ?? (step.acts ? "acts" : "fits"), step.fits ? .text : .muted)
            lines.append(TextView.Line(text, copy: "\(step.name): \(step.why ?? "acts")"))
        }
        return lines
    }
}
