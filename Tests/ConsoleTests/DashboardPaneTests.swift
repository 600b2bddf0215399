import Operations
import Testing

@testable import Console

@Suite struct `Dashboard pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        return console
    }

    @Test func `the cursor reads a value and its time`() {
        var console = console()
        console.press("left", "left", "left")
        guard let point = console.state.dashboard.pointed else {
            Issue.record("no point")
            return
        }
        #expect(console.state.dashboard.cursor == 15)
        #expect(console.text.contains("\(point.requests)  at \(TimeText.clock(point.time, zone: 0))"))
        console.press("y")
        #expect(
            console.takeEffects().contains {
                if case .copy(let text) = $0 { text.contains("requests \(point.requests)") } else { false }
            }
        )
        console.press("esc")
        #expect(console.state.dashboard.cursor == nil)
    }

    @Test func `it scrolls back a day and comes back`() {
        var console = console()
        console.press("]", "]")
        #expect(console.state.dashboard.window == .day)
        console.press("[", "<")
        let end = Timestamp(seconds: ConsoleDriver.start.seconds - 1800)
        #expect(
            console.takeEffects().contains(.loadCharts(ChartRequest(filter: "", window: .hour, end: end)))
        )
        console.answer(
            .charts(Fixture.charts(.hour, until: end), ChartRequest(filter: "", window: .hour, end: end))
        )
        #expect(console.text.contains("until 13:5"))
        console.press("esc")
        #expect(console.state.dashboard.end == nil)
    }

    @Test func `seconds that end are added, gaps and corrections too`() {
        var dashboard = DashboardState()
        dashboard.take(Fixture.charts(.fiveMinutes), for: dashboard.request(""))
        let last = dashboard.points.last?.time.seconds ?? 0
        var point = ChartPoint(time: Timestamp(seconds: last + 3), requests: 7, errors: 0)
        // What nobody told of is asked for, not drawn as nothing.
        var isWhole = dashboard.append([point])
        #expect(!isWhole)
        point.time = Timestamp(seconds: last + 1)
        isWhole = dashboard.append([point])
        #expect(isWhole)
        #expect(dashboard.points.last?.requests == 7)
        #expect(dashboard.points.count == 300)
        point.requests = 9
        isWhole = dashboard.append([point])
        #expect(dashboard.points.last?.requests == 9)
        #expect(dashboard.points.count == 300)
    }

    @Test func `an answer to another question is not shown`() {
        var console = console()
        console.press("]")
        console.answer(
            .charts(Fixture.charts(.fiveMinutes), ChartRequest(filter: "", window: .fiveMinutes, end: nil))
        )
        #expect(console.state.dashboard.isLoading)
    }

    @Test func `what is wrong can be opened`() {
        var console = console()
        console.press("tab", "j", "enter")
        #expect(console.state.pane == .logs)
        #expect(console.state.filter.text == "status>=500")
    }

    @Test func `the recent ones are fetched when the dashboard is come back to with another filter`() {
        var console = ConsoleDriver()
        console.answer(.following(LogWatch(filter: "", pace: .glance)))
        console.press("4", "/", "client=lab", "enter")
        console.answer(.following(LogWatch(filter: "client=lab", pace: .glance)))
        #expect(!console.takeEffects().contains(.loadRecent(filter: "client=lab")))
        console.press("1")
        #expect(console.takeEffects().contains(.loadRecent(filter: "client=lab")))
        #expect(console.text.contains("reading the log"))
        console.answer(.recent([], filter: "client=lab"))
        #expect(console.text.contains("no request fits the filter"))
    }

    @Test func `recent exchanges come with news and are fetched, and stand once`() {
        var console = ConsoleDriver()
        let glance = LogWatch(filter: "", pace: .glance)
        console.answer(
            .logBatch(LogBatch(records: [Fixture.record(52), Fixture.record(53)], skipped: 4), glance)
        )
        console.answer(.recent((0..<53).map(Fixture.record).reversed(), filter: ""))
        let ids = console.state.dashboard.recent.rows.map(\.id)
        #expect(ids == (4..<54).reversed().map { Fixture.record($0).id })
        console.answer(.recent([Fixture.record(99)], filter: "status:500"))
        #expect(console.state.dashboard.recent.rows.count == 50)
    }

    @Test func `a recent exchange can be opened`() {
        var console = console()
        console.press("j", "j", "enter")
        #expect(console.state.pane == .logs)
        #expect(console.takeEffects().contains(.loadRecord(1048)))
    }

    @Test func `all is well, and says so`() {
        var console = console()
        var live = Fixture.live()
        live.dashboard.problems = []
        console.answer(.live(live))
        #expect(console.text.contains("all well"))
    }

    @Test func `what is hidden of the problems is counted`() {
        var console = console()
        var live = Fixture.live()
        live.dashboard.problems = (0..<40).map {
            Problem(.warning, kind: "pool", name: "miniai/key-\($0)", state: "disabled", detail: "x")
        }
        console.answer(.live(live))
        let shown = console.text.matches(of: /miniai\/key-\d+/).count
        #expect(shown > 0 && shown < 40)
        #expect(console.text.contains(" \(shown) of 40 "))
        live.dashboard.problems = Array(live.dashboard.problems.prefix(shown))
        console.answer(.live(live))
        #expect(console.text.contains(" \(shown) ") && !console.text.contains("\(shown) of"))
    }

    @Test func `a gateway that is gone is told, and everything is asked for again when it is back`() {
        var console = console()
        console.answer(.outage("no gateway answers at x.sock"))
        #expect(console.text.contains("gateway gone"))
        console.answer(.live(Fixture.live()))
        #expect(console.footer.contains("answers again"))
        #expect(console.takeEffects().contains(.loadKeys))
    }

    // MARK: Scale

    @Test func `a scale grows at once and shrinks after a while`() {
        var scale = ChartScale(floor: 4)
        scale.update(180)
        #expect(scale.top == 200)
        for _ in 1..<ChartScale.patience {
            scale.update(30)
            #expect(scale.top == 200)
        }
        scale.update(30)
        #expect(scale.top == 40)
        scale.update(0)
        #expect(scale.top == 40)
    }

    @Test(arguments: [
        (0.3, 0.4), (1, 1), (1.01, 2), (2.3, 2.5), (99, 100), (100, 100), (101, 200), (4100, 5000),
    ])
    func `its numbers are round`(value: Double, top: Double) {
        #expect(abs(ChartScale.round(value) - top) < 1e-9)
    }

    @Test func `a gap stays empty, and zero does not`() {
        var canvas = Canvas(
            size: Size(columns: 30, lines: 5),
            look: Look(.plain, depth: .mono, glyphs: .unicode)
        )
        let values: [Double?] = Array(repeating: 0, count: 20) + Array(repeating: nil, count: 14)
        let chart = Chart(
            lines: [.init(values: values, role: .rate)],
            low: 0,
            high: 4,
            label: { NumberText.rate($0) }
        )
        chart.draw(on: &canvas, in: canvas.bounds)
        let bottom = canvas.buffer.text(line: 4)
        #expect(bottom.filter { $0 == "⣀" }.count + bottom.filter { "⡀⢀".contains($0) }.count == 14)
        #expect(bottom.hasSuffix("         "))
    }

    @Test func `a spike is never lost in fewer columns`() {
        for columns in [7, 50, 99, 301] {
            var values = [Double?](repeating: 1, count: 300)
            values[113] = 99
            #expect(Chart.resample(values, columns).compactMap { $0 }.max() == 99)
        }
    }
}
