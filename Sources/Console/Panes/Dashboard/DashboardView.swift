import Operations

/// Figures, charts over time, what is wrong, who calls, and the newest exchanges.
enum DashboardView {
    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        switch layout.kind {
        case .full: drawFull(state, on: &canvas, &rest)
        case .compact: drawCompact(state, on: &canvas, &rest)
        case .single, .line: drawSingle(state, on: &canvas, &rest)
        }
    }

    /// Columns of a chart's plot, so that the cursor moves by what can be seen.
    static func plotWidth(_ layout: ConsoleLayout) -> Int {
        let width = layout.kind == .single ? layout.body.width : layout.body.width / 2
        return max(1, width - 9)
    }

    // MARK: Three sizes

    private static func drawFull(_ state: ConsoleState, on canvas: inout Canvas, _ rest: inout Rect) {
        guard rest.height >= 26 else { return drawCompact(state, on: &canvas, &rest) }
        FigureCards.draw(state, on: &canvas, in: rest.cutTop(3))
        _ = rest.cutTop(1)
        let chartHeight = min(max((rest.height - 2) * 3 / 10, 7), 14)
        var top = rest.cutTop(chartHeight)
        drawRequests(state, on: &canvas, top.cutLeft(top.width / 2))
        drawSuccess(state, on: &canvas, top)
        var middle = rest.cutTop(chartHeight)
        drawLatency(state, on: &canvas, middle.cutLeft(middle.width / 2))
        drawProblems(state, on: &canvas, middle.inset(x: 0), withStats: true)
        drawRecent(state, on: &canvas, rest)
    }

    private static func drawCompact(_ state: ConsoleState, on canvas: inout Canvas, _ rest: inout Rect) {
        FigureCards.drawLine(state, on: &canvas, in: rest.cutTop(1))
        let chartHeight = min(max(rest.height * 2 / 5, 5), 10)
        var top = rest.cutTop(chartHeight)
        drawRequests(state, on: &canvas, top.cutLeft(top.width / 2))
        drawSuccess(state, on: &canvas, top)
        let problems = state.live?.dashboard.problems.count ?? 0
        drawProblems(state, on: &canvas, rest.cutTop(min(max(problems, 1), 3) + 1), withStats: false)
        drawRecent(state, on: &canvas, rest)
    }

    private static func drawSingle(_ state: ConsoleState, on canvas: inout Canvas, _ rest: inout Rect) {
        FigureCards.drawLine(state, on: &canvas, in: rest.cutTop(1))
        if rest.height >= 14 { drawRequests(state, on: &canvas, rest.cutTop(rest.height * 2 / 5)) }
        let problems = state.live?.dashboard.problems.count ?? 0
        if rest.height >= 6 {
            drawProblems(state, on: &canvas, rest.cutTop(min(max(problems, 1), 2) + 1), withStats: false)
        }
        drawRecent(state, on: &canvas, rest)
    }

    // MARK: Charts

    private static func drawRequests(_ state: ConsoleState, on canvas: inout Canvas, _ rect: Rect) {
        let points = state.dashboard.points
        let step = Double(state.dashboard.window.step)
        let chart = Chart(
            lines: [.init(values: points.map { Double($0.requests) / step }, role: .rate)],
            low: 0,
            high: state.dashboard.requestScale.top,
            label: NumberText.rate
        )
        let reading = state.dashboard.pointed.map { NumberText.rate(Double($0.requests) / step) }
        draw(chart, "Requests / s", reading, state, on: &canvas, rect)
    }

    private static func drawSuccess(_ state: ConsoleState, on canvas: inout Canvas, _ rect: Rect) {
        let points = state.dashboard.points
        let lowest = points.compactMap(\.successRate).min() ?? 1
        // The floor is near the worst, so that one percent can be seen.
        let low = [0.99, 0.95, 0.9, 0.8, 0.5].first { lowest > $0 } ?? 0
        let chart = Chart(
            lines: [.init(values: points.map(\.successRate), role: .success)],
            low: low,
            high: 1,
            label: { NumberText.decimal($0 * 100, low >= 0.95 ? 1 : 0) }
        )
        draw(
            chart,
            "Success %",
            state.dashboard.pointed.map { NumberText.percent($0.successRate) },
            state,
            on: &canvas,
            rect
        )
    }

    private static func drawLatency(_ state: ConsoleState, on canvas: inout Canvas, _ rect: Rect) {
        let points = state.dashboard.points
        let chart = Chart(
            lines: [
                .init(values: points.map(\.latencyP50Ms), role: .p50),
                .init(values: points.map(\.latencyP95Ms), role: .p95),
                .init(values: points.map(\.latencyP99Ms), role: .p99),
            ],
            low: 0,
            high: state.dashboard.latencyScale.top,
            label: { $0 == 0 ? "0" : NumberText.latency($0) },
            axisWidth: 7
        )
        let reading = state.dashboard.pointed.map { point in
            [("p50", point.latencyP50Ms), ("p95", point.latencyP95Ms), ("p99", point.latencyP99Ms)]
                .map { "\($0) \(NumberText.latency($1).replacing(" ", with: ""))" }.joined(separator: " ")
        }
        draw(chart, "Latency", reading, state, on: &canvas, rect)
    }

    private static func draw(
        _ chart: Chart,
        _ title: String,
        _ reading: String?,
        _ state: ConsoleState,
        on canvas: inout Canvas,
        _ rect: Rect
    ) {
        let dashboard = state.dashboard
        var area = Rect(x: rect.x + 1, y: rect.y, width: rect.width - 2, height: rect.height)
        let head = area.cutTop(1)
        let note = note(reading, state, canvas.glyphs)
        canvas.heading(title, note: note.text, noteRole: note.role, in: head)
        if let fault = dashboard.fault {
            canvas.write(
                "\(canvas.glyphs.bad) \(fault)",
                x: area.x + 1,
                y: area.y,
                .error,
                width: area.width - 1
            )
            return
        }
        guard !dashboard.points.isEmpty else {
            let text =
                dashboard.isLoading ? "loading \(canvas.glyphs.ellipsis)" : "nothing recorded in this time"
            canvas.write(text, x: area.x + 1, y: area.y, .muted, width: area.width - 1)
            return
        }
        var chart = chart
        chart.times = times(dashboard, zone: state.zone)
        chart.cursor = dashboard.cursor.map { dashboard.points.count - 1 - $0 }
        chart.draw(on: &canvas, in: area)
    }

    /// `231 now`, or what the cursor reads and when.
    private static func note(
        _ reading: String?,
        _ state: ConsoleState,
        _ glyphs: Glyphs
    ) -> (text: String, role: StyleRole) {
        let dashboard = state.dashboard
        guard let reading, let point = dashboard.pointed else { return ("", .muted) }
        if dashboard.cursor != nil {
            return ("\(reading)  at \(TimeText.clock(point.time, zone: state.zone))", .accent)
        }
        if dashboard.end != nil {
            return ("\(reading)  until \(TimeText.minute(point.time, zone: state.zone))", .warning)
        }
        return (
            "\(reading) \(dashboard.isPaused ? "paused" : "now")  \(dashboard.window.rawValue)",
            dashboard.isPaused ? .warning : .muted
        )
    }

    private static func times(_ dashboard: DashboardState, zone: Int) -> [(share: Double, text: String)] {
        guard let first = dashboard.points.first?.time, let last = dashboard.points.last?.time else {
            return []
        }
        return [0, 1.0 / 3, 2.0 / 3, 1].map { share in
            let moment = Timestamp(seconds: first.seconds + Int(Double(last.seconds - first.seconds) * share))
            return (share, TimeText.minute(moment, zone: zone))
        }
    }

    // MARK: Lists

    private static func drawProblems(
        _ state: ConsoleState,
        on canvas: inout Canvas,
        _ rect: Rect,
        withStats: Bool
    ) {
        var area = Rect(x: rect.x + 1, y: rect.y, width: rect.width - 2, height: rect.height)
        let problems = state.live?.dashboard.problems ?? []
        let head = area.cutTop(1)
        let shown = withStats ? max(1, area.height - 5) : area.height
        let hides = problems.count > shown
        canvas.heading(
            "Needs a look",
            note: problems.isEmpty ? "" : hides ? "\(shown) of \(problems.count)" : "\(problems.count)",
            noteRole: .warning,
            in: head
        )
        guard state.live != nil else {
            canvas.write(state.outage ?? "connecting", x: area.x + 1, y: area.y, .muted, width: area.width)
            return
        }
        let glyphs = canvas.glyphs
        if problems.isEmpty {
            canvas.write("\(glyphs.good) ", x: area.x + 1, y: area.y, .ok)
            canvas.write(
                "audit, upstreams, keys, scripts, traffic: all well",
                x: area.x + 3,
                y: area.y,
                width: area.width - 3
            )
        }
        let isFocused = state.dashboard.part == .problems
        let first = isFocused ? max(0, state.dashboard.problem - shown + 1) : 0
        for (index, problem) in problems.enumerated().dropFirst(first).prefix(shown) {
            let y = area.y + index - first
            let isError = problem.severity == .error
            let role: StyleRole = isError ? .error : .warning
            var text = StyledText("\(isError ? glyphs.bad : glyphs.warning) ", role)
            text.append(padded(problem.kind, 9), .muted)
            if !problem.name.isEmpty { text.append(padded(problem.name, 17) + " ") }
            text.append(padded(problem.state, 14) + " ", role)
            text.append(problem.detail, .muted)
            canvas.write(text, x: area.x + 1, y: y, width: area.width - 1)
            if isFocused, index == state.dashboard.problem {
                canvas.highlight(Rect(x: area.x, y: y, width: area.width, height: 1), .selection)
            }
        }
        guard withStats else { return }
        _ = area.cutTop(min(max(problems.count, 1), shown) + (area.height > problems.count + 5 ? 1 : 0))
        StatsView.draw(state, on: &canvas, in: area)
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func drawRecent(_ state: ConsoleState, on canvas: inout Canvas, _ rect: Rect) {
        guard rect.height >= 2 else { return }
        var area = Rect(x: rect.x + 1, y: rect.y, width: rect.width - 2, height: rect.height)
        canvas.heading("Recent", note: state.dashboard.isLive ? "live" : "paused", in: area.cutTop(1))
        var table = Table(columns: LogsView.columns(state))
        table.isFocused = state.dashboard.part == .recent
        let empty = state.filter.text.isEmpty ? "no request yet" : "no request fits the filter"
        table.empty = !state.dashboard.isRecentKnown ? "reading the log \(canvas.glyphs.ellipsis)" : empty
        var rows = state.dashboard.recent
        rows.settle(height: area.height - 1)
        table.draw(rows, on: &canvas, in: area)
    }
}
