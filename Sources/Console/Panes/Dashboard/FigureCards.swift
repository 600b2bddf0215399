import Operations

/// The figures at the top of the dashboard.
enum FigureCards {
    private struct Card {
        let title: String
        let value: String
        let role: StyleRole
        let note: StyledText
    }

    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let cards = cards(state, canvas.glyphs)
        let width = rect.width / cards.count
        for (index, card) in cards.enumerated() {
            let x = rect.x + index * width + 2
            canvas.write(card.title, x: x, y: rect.y, .muted, width: width - 2)
            canvas.write(card.value, x: x, y: rect.y + 1, card.role, width: width - 2)
            canvas.write(card.note, x: x, y: rect.y + 2, width: width - 2)
        }
    }

    private static func cards(_ state: ConsoleState, _ glyphs: Glyphs) -> [Card] {
        guard let live = state.live else {
            return ["Requests 24 h", "Success", "Latency p95", "In flight", "Keys", "Audit"].map {
                Card(title: $0, value: "–", role: .muted, note: StyledText())
            }
        }
        let figures = live.dashboard
        let streams = live.exchanges.count(where: \.isStream)
        let poor = (figures.successRate ?? 1) < 0.95
        let audit = figures.problems.contains { $0.kind == "audit" }
        return [
            Card(
                title: "Requests 24 h",
                value: NumberText.count(figures.requests),
                role: .accent,
                note: StyledText("\(NumberText.rate(figures.requestsPerSecond)) a second", .muted)
            ),
            Card(
                title: "Success",
                value: NumberText.percent(figures.successRate),
                role: poor ? .error : .ok,
                note: StyledText("of the last minute", .muted)
            ),
            Card(
                title: "Latency p95",
                value: NumberText.latency(figures.latencyP95Ms),
                role: .accent,
                note: StyledText(
                    "p50 \(NumberText.latency(figures.latencyP50Ms)) p99 \(NumberText.latency(figures.latencyP99Ms))",
                    .muted
                )
            ),
            Card(
                title: "In flight",
                value: NumberText.count(live.exchanges.count),
                role: .accent,
                note: StyledText("\(streams) \(streams == 1 ? "stream" : "streams")", .muted)
            ),
            Card(
                title: "Keys",
                value:
                    "\(figures.clientKeysActive) \(glyphs.middleDot) \(figures.upstreamKeysActive) usable",
                role: .accent,
                note: pool(figures, glyphs)
            ),
            Card(
                title: "Audit",
                value: "\(NumberText.count(live.auditPending)) behind",
                role: audit ? .error : .accent,
                note: StyledText("\(ByteText.short(live.auditDiskBytes)) on disk", .muted)
            ),
        ]
    }

    private static func pool(_ figures: Dashboard, _ glyphs: Glyphs) -> StyledText {
        let bad = figures.problems.filter { $0.kind == "pool" }
        guard !bad.isEmpty else { return StyledText("\(glyphs.good) all usable", .ok) }
        return StyledText("\(glyphs.warning) \(bad.count) out of use", .warning)
    }

    /// All of it on one line.
    static func drawLine(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        guard let live = state.live else {
            canvas.write(
                "connecting \(canvas.glyphs.ellipsis)",
                x: rect.x + 1,
                y: rect.y,
                .muted,
                width: rect.width - 1
            )
            return
        }
        if state.dashboard.cursor != nil, let point = state.dashboard.pointed {
            return drawReading(point, state, on: &canvas, in: rect)
        }
        let figures = live.dashboard
        let bad = figures.problems.count
        var text = StyledText()
        for (name, value, role) in [
            ("requests", NumberText.count(figures.requests), StyleRole.text),
            (
                "success", NumberText.percent(figures.successRate),
                (figures.successRate ?? 1) < 0.95 ? .error : .ok
            ),
            ("p95", NumberText.latency(figures.latencyP95Ms), .text),
            ("in flight", NumberText.count(live.exchanges.count), .text),
            ("pool", "\(figures.upstreamKeysActive)", .text),
        ] {
            text.append("\(name) ", .muted)
            text.append("\(value)  ", role)
        }
        if bad > 0 { text.append("\(canvas.glyphs.warning)\(bad)", .warning) }
        canvas.write(text, x: rect.x + 1, y: rect.y, width: rect.width - 1)
    }
}

extension FigureCards {
    /// What the cursor reads of every chart, also of those that there is no room for.
    private static func drawReading(
        _ point: ChartPoint,
        _ state: ConsoleState,
        on canvas: inout Canvas,
        in rect: Rect
    ) {
        var text = StyledText("at \(TimeText.clock(point.time, zone: state.zone))  ", .accent)
        let step = Double(state.dashboard.window.step)
        for (name, value) in [
            ("requests", "\(NumberText.rate(Double(point.requests) / step))/s"),
            ("success", NumberText.percent(point.successRate)),
            ("p50", NumberText.latency(point.latencyP50Ms)),
            ("p95", NumberText.latency(point.latencyP95Ms)), ("p99", NumberText.latency(point.latencyP99Ms)),
        ] {
            text.append("\(name) ", .muted)
            text.append("\(value)  ")
        }
        canvas.write(text, x: rect.x + 1, y: rect.y, width: rect.width - 1)
    }
}

/// Who calls most, and what fails most.
enum StatsView {
    private static let groups: [(grouping: StatsGrouping, title: String)] = [
        (.clientKey, "Keys"), (.owner, "Owners"), (.upstream, "Upstreams"), (.error, "Errors"),
    ]

    static func draw(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        guard rect.height >= 2, !state.dashboard.stats.isEmpty else { return }
        let width = rect.width / groups.count
        for (index, group) in groups.enumerated() {
            let x = rect.x + 1 + index * width
            canvas.write(
                "\(group.title) 1 h",
                x: x,
                y: rect.y,
                .muted,
                width: width - 1
            )
            let items = (state.dashboard.stats[group.grouping] ?? []).filter {
                $0.name != nil && $0.name != ""
            }
            if items.isEmpty {
                canvas.write(
                    group.grouping == .error ? "none" : "–",
                    x: x,
                    y: rect.y + 1,
                    .muted,
                    width: width - 1
                )
            }
            for (line, item) in items.prefix(rect.height - 1).enumerated() {
                let count = NumberText.count(item.requests)
                let y = rect.y + 1 + line
                canvas.write(
                    item.name ?? "",
                    x: x,
                    y: y,
                    group.grouping == .error ? .error : .text,
                    width: width - count.count - 3
                )
                canvas.write(count, x: x + width - count.count - 2, y: y, .muted)
            }
        }
    }
}
