import Operations

/// The gateway's own condition, who is here, and who changed what.
enum SystemView {
    /// Lines of figures above the list of changes.
    static func figureLines(_ rect: Rect) -> Int {
        min(rect.width >= 100 ? 9 : 12, max(rect.height - 4, 3))
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        let figures = rest.cutTop(figureLines(rest))
        drawFigures(state, on: &canvas, in: figures)
        let head = rest.cutTop(1)
        canvas.heading(
            "Who changed what",
            in: Rect(x: head.x + 1, y: head.y, width: head.width - 2, height: 1)
        )
        var table = Table(columns: columns(state))
        table.empty =
            state.system.fault.map { "\(canvas.glyphs.bad) \($0)" }
            ?? (state.system.isLoading ? "loading \(canvas.glyphs.ellipsis)" : "nothing has been changed yet")
        table.draw(state.system.changes, on: &canvas, in: rest)
    }

    private static func columns(_ state: ConsoleState) -> [Column<OperatorChange>] {
        let zone = state.zone
        return [
            Column(id: "time", title: "TIME", width: 19) {
                StyledText("\(TimeText.date($0.time, zone: zone)) \(TimeText.clock($0.time, zone: zone))")
            },
            Column(id: "operator", title: "OPERATOR", width: 12, stretch: 1) { StyledText($0.operator) },
            Column(id: "role", title: "ROLE", width: 8, priority: 2) { StyledText($0.role, .muted) },
            Column(id: "via", title: "VIA", width: 8, priority: 1) { StyledText($0.via, .muted) },
            Column(id: "action", title: "ACTION", width: 10) { StyledText($0.action, .accent) },
            Column(id: "object", title: "OBJECT", width: 16, stretch: 3) {
                StyledText(ChangeText.object($0))
            },
        ]
    }

    private typealias Fact = (name: String, value: String, role: StyleRole)

    private static func scripts(_ all: [ScriptStatus]) -> Fact {
        if all.contains(where: { $0.trouble != nil && $0.workers == 0 }) {
            return ("scripts", "cannot run", .error)
        }
        guard !all.isEmpty else { return ("scripts", "none yet", .muted) }
        let runs = NumberText.count(all.flatMap(\.runs.values).reduce(0, +))
        let killed = all.reduce(0) { $0 + $1.killed }
        return ("scripts", killed > 0 ? "\(runs), \(killed) killed" : "\(runs) runs", .text)
    }

    private static func drawFigures(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        guard let status = state.system.status else {
            let text = state.system.fault ?? "loading \(canvas.glyphs.ellipsis)"
            canvas.write(text, x: rect.x + 1, y: rect.y, .muted, width: rect.width - 2)
            return
        }
        let audit = status.audit
        let groups: [(title: String, facts: [Fact])] = [
            (
                "Process",
                [
                    ("state", status.state, status.state == "ok" ? .ok : .warning),
                    ("version", "\(status.version)  pid \(status.pid)", .text),
                    ("up", TimeText.uptime(status.uptimeSeconds), .text),
                    ("memory", ByteText.short(status.residentBytes), .text),
                    ("open files", NumberText.count(status.openFiles), .text),
                    ("event loops", "\(status.eventLoops)", .text),
                ]
            ),
            (
                "Serving",
                [
                    ("callers", status.address, .text),
                    (
                        "connections",
                        "\(NumberText.count(status.connections)) in  "
                            + "\(NumberText.count(status.upstreamConnections)) out",
                        .text
                    ),
                    ("in flight", NumberText.count(status.inFlight), .text),
                    ("upstreams", "\(status.upstreams)", .text),
                    ("client keys", NumberText.count(status.clientKeys), .text), scripts(status.scripts),
                    ("config", status.configFile ?? "none", .text), ("data", status.dataPath, .text),
                ]
            ),
            (
                "Audit",
                [
                    ("mode", audit.mode, .text), ("behind", NumberText.count(audit.pending), .text),
                    ("dropped", NumberText.count(audit.dropped), audit.dropped > 0 ? .error : .text),
                    ("trouble", audit.trouble ?? "none", audit.trouble == nil ? .text : .error),
                    ("on disk", ByteText.short(audit.diskBytes), .text),
                    (
                        "bodies",
                        "\(NumberText.count(audit.bodiesTruncated)) cut  \(NumberText.count(audit.bodiesDropped)) dropped",
                        audit.bodiesDropped > 0 ? .warning : .text
                    ), ("written", NumberText.count(audit.written), .text),
                ]
            ),
            (
                "Operators",
                state.system.operators.isEmpty
                    ? [("", "nobody", .muted)]
                    : state.system.operators.map {
                        (
                            $0.name,
                            "\($0.role.rawValue)  \($0.via)  \(TimeText.ago($0.since, now: state.now))", .text
                        )
                    }
            ),
        ]
        let across = rect.width >= 100 ? 4 : 2
        let width = rect.width / across
        let height = across == 4 ? rect.height : rect.height / 2
        for (index, group) in groups.enumerated() {
            let x = rect.x + 1 + index % across * width
            let y = rect.y + index / across * height
            canvas.heading(group.title, in: Rect(x: x, y: y, width: width - 2, height: 1))
            for (line, fact) in group.facts.prefix(height - 1).enumerated() {
                canvas.write(fact.name, x: x + 1, y: y + 1 + line, .muted, width: 11)
                canvas.write(fact.value, x: x + 13, y: y + 1 + line, fact.role, width: width - 14)
            }
        }
    }
}
