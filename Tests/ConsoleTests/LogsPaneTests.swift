import Operations
import Testing

@testable import Console

@Suite struct `Logs pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        console.press("3")
        return console
    }

    private func batch(_ range: Range<Int>, skipped: Int = 0) -> ConsoleEvent.Answer {
        .logBatch(
            LogBatch(records: range.map(Fixture.record), skipped: skipped),
            LogWatch(filter: "", pace: .full)
        )
    }

    @Test func `it follows, pauses with a count, and follows again`() {
        var console = console()
        console.answer(batch(200..<203))
        #expect(console.state.logs.table.selection?.id == 1202)
        console.press("k")
        console.answer(batch(203..<240, skipped: 5))
        #expect(console.text.contains("paused · +42 new · G to follow"))
        #expect(console.state.logs.table.selection?.id == 1201)
        console.press("G")
        #expect(console.state.logs.table.selection?.id == 1239)
        #expect(console.text.contains("following"))
        console.press("p")
        console.answer(batch(240..<241))
        #expect(console.text.contains("+1 new"))
    }

    @Test func `the log comes whole to whoever reads it, and elsewhere as a glance`() {
        var console = ConsoleDriver()
        let glance = LogWatch(filter: "", pace: .glance)
        let full = LogWatch(filter: "", pace: .full)
        #expect(console.takeEffects().contains(.followLogs(glance)))
        console.answer(.following(glance))
        #expect(console.takeEffects() == [.loadRecent(filter: "")])
        console.answer(.recent([], filter: ""))
        console.press("3")
        #expect(console.takeEffects() == [.followLogs(full)])
        // What comes late of the glance has holes, and no place in the log.
        console.answer(.logBatch(LogBatch(records: [Fixture.record(1)], skipped: 9), glance))
        #expect(console.state.logs.table.rows.isEmpty && console.state.logs.skipped == 0)
        console.answer(.following(full))
        #expect(console.takeEffects() == [.loadLogs(filter: "", cursor: nil, to: nil)])
        console.answer(batch(0..<3))
        console.answer(
            .logs(LogPage(records: (0..<3).map(Fixture.record).reversed(), filter: "", cursor: nil))
        )
        console.press("1")
        #expect(console.takeEffects() == [.followLogs(glance)])
        console.answer(.following(glance))
        #expect(console.takeEffects() == [.loadRecent(filter: "")])
        console.press("3")
        console.answer(.following(full))
        console.press("k", "1")
        // Paused, it goes on counting behind the operator's back.
        #expect(console.state.watch == full)
        console.answer(batch(3..<5))
        #expect(console.state.logs.newCount == 2)
    }

    @Test func `a list that was left while nothing was followed has no hole when it goes on`() {
        var console = console()
        let full = LogWatch(filter: "", pace: .full)
        console.answer(.following(full))
        console.answer(.logs(LogPage(records: Fixture.records(9).reversed(), filter: "", cursor: nil)))
        console.press("1", "3", "k")
        _ = console.takeEffects()
        // Paused before the gateway has said that new ones come.
        console.answer(.following(full))
        console.answer(batch(900..<902))
        console.press("G")
        #expect(console.takeEffects().contains(.loadLogs(filter: "", cursor: nil, to: nil)))
    }

    @Test
    func
        `for a terminal that takes nothing, nothing is fetched; once it takes things again, what it missed is`()
    {
        var console = console()
        let full = LogWatch(filter: "", pace: .full)
        console.answer(.following(full))
        _ = console.takeEffects()
        console.send(.stalled(true))
        #expect(console.takeEffects() == [.followLogs(nil)])
        // What was under way is nothing that anybody would see.
        console.answer(batch(900..<902))
        console.pass(seconds: 60)
        #expect(console.takeEffects().isEmpty)
        #expect(!console.state.logs.table.rows.contains { $0.id == 1900 })
        console.send(.stalled(false))
        #expect(console.takeEffects() == [.followLogs(full)])
        console.answer(.following(full))
        #expect(console.takeEffects() == [.loadLogs(filter: "", cursor: nil, to: nil)])
    }

    @Test func `a pane that is paused before anything is in it is filled all the same`() {
        var console = ConsoleDriver()
        console.press("3", "p")
        _ = console.takeEffects()
        console.answer(.following(LogWatch(filter: "", pace: .full)))
        #expect(console.takeEffects() == [.loadLogs(filter: "", cursor: nil, to: nil)])
    }

    @Test func `rows that came twice stand once`() {
        var console = console()
        console.answer(batch(190..<205))
        console.answer(batch(204..<206))
        let ids = console.state.logs.table.rows.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(ids.last == 1205)
    }

    @Test func `Enter opens a record with headers and bodies, and y copies from it`() {
        var console = console()
        console.press("enter")
        #expect(console.takeEffects().contains(.loadRecord(1199)))
        console.answer(.logDetail(1199, .success(Fixture.detail(199))))
        #expect(console.text.contains("req_199"))
        console.press("enter")
        for text in [
            "Request headers", "content-type", "Request body", "\"model\": \"gpt-4o-mini\"", "Hello you",
        ] {
            #expect(console.text.contains(text) || scrolled(console, finds: text), "\(text)")
        }
        console.press("y")
        #expect(console.takeEffects().contains(.copy("POST /proxy/miniai/v2/chat/completions")))
        console.press("Y")
        guard
            case .copy(let curl) = console.takeEffects().first(where: {
                if case .copy = $0 { true } else { false }
            })
        else {
            Issue.record("nothing copied")
            return
        }
        #expect(curl.hasPrefix("curl -sS -X POST 'http://"))
        #expect(curl.contains("-H \"x-api-key: $KEY\""))
        #expect(!curl.contains("fg_7kq2"))
        // Esc goes back a step at a time, and never out.
        console.press("esc", "esc", "esc", "esc")
        #expect(console.state.logs.record == nil)
        #expect(!console.takeEffects().contains { if case .end = $0 { true } else { false } })
    }

    private func scrolled(_ console: ConsoleDriver, finds text: String) -> Bool {
        console.state.logs.record?.view.lines.contains { $0.text.text.contains(text) } ?? false
    }

    @Test func `n and N go from error to error`() {
        var console = console()
        console.press("N")
        #expect(console.state.logs.table.selection?.id == 1197)
        console.press("N")
        #expect(console.state.logs.table.selection?.id == 1193)
        console.press("n", "n")
        #expect(console.footer.contains("no later error"))
    }

    @Test func `a filter at fault is shown with its column and changes nothing`() {
        var console = console()
        console.press("/", "status>=")
        #expect(console.lines[console.lines.count - 2].contains("column"))
        console.press("enter")
        #expect(console.state.filter.text == "")
        console.press("400 and path:chat", "enter")
        #expect(console.state.filter.text == "status>=400 and path:chat")
        #expect(console.lines[0].contains("status>=400 and path:chat"))
        let watch = LogWatch(filter: "status>=400 and path:chat", pace: .full)
        #expect(console.takeEffects().contains(.followLogs(watch)))
        console.answer(.following(watch))
        #expect(console.takeEffects().contains(.loadLogs(filter: watch.filter, cursor: nil, to: nil)))
        // An answer to the filter before is of no interest any more.
        console.answer(.logs(LogPage(records: Fixture.records(3), filter: "", cursor: nil)))
        #expect(console.state.logs.table.rows.isEmpty)
    }

    @Test func `fetching again loses nothing that came in the meantime, and stays paused`() {
        var console = console()
        console.press("k", "r")
        console.answer(batch(200..<205))
        let page = LogPage(records: Fixture.records(202).suffix(50).reversed(), filter: "", cursor: "2")
        console.answer(.logs(page))
        #expect(console.state.logs.table.rows.last?.id == 1204)
        #expect(!console.state.logs.isFollowing)
        #expect(console.state.logs.table.selection?.id == 1198)
    }

    @Test func `older rows that belong to another place are not put here`() {
        var console = console()
        console.press("g", "t", "14:05", "enter")
        let stale = LogPage(
            records: [LogRecord(id: 5, requestId: "x", time: Fixture.time(9))],
            filter: "",
            asked: "7",
            cursor: nil
        )
        console.answer(.logs(stale))
        #expect(console.state.logs.table.rows.first?.id == 1000)
        // The newest page was asked for before the jump: it is no answer to it.
        console.answer(.logs(LogPage(records: Fixture.records(5).reversed(), filter: "", cursor: nil)))
        #expect(console.state.logs.table.rows.count == 200)
    }

    @Test func `after a jump the log can be read on, until the newest`() throws {
        var console = console()
        console.press("t", "14:20", "enter")
        let target = try #require(console.state.logs.target)
        console.answer(
            .logs(LogPage(records: Fixture.records(5).reversed(), filter: "", cursor: nil, time: target))
        )
        let last = try #require(console.state.logs.table.rows.last)
        #expect(console.text.contains("at the end loads later ones"))
        _ = console.takeEffects()
        console.press("j", "j")
        // Once: the second key finds it under way.
        #expect(console.takeEffects() == [.loadNewer(filter: "", from: last.time)])
        console.answer(
            .newer([Fixture.record(4), Fixture.record(5), Fixture.record(6)], filter: "", from: last.time)
        )
        #expect(console.state.logs.table.rows.count == 7 && console.state.logs.table.selection?.id == 1005)
        console.press("j", "j")
        console.answer(.newer([Fixture.record(6)], filter: "", from: Fixture.record(6).time))
        #expect(console.footer.contains("G follows on"))
    }

    @Test func `opening a record from the dashboard does not end a pause`() {
        var console = console()
        console.press("p")
        console.answer(batch(200..<210))
        console.press("1", "j", "enter")
        #expect(!console.state.logs.isFollowing)
        // Its place in the log is asked for; what is new is counted from there.
        #expect(console.state.logs.newCount == 0)
        let record = Fixture.record(209)
        #expect(
            console.takeEffects().contains(
                .loadLogs(filter: "", cursor: nil, to: record.time.advanced(by: .milliseconds(1)))
            )
        )
    }

    @Test func `the top fetches what is older, and nothing moves`() {
        var console = console()
        console.press("g")
        #expect(console.takeEffects().contains(.loadLogs(filter: "", cursor: "1", to: nil)))
        let older = (0..<5).map { index in
            LogRecord(id: 500 - index, requestId: "old", time: Fixture.time(900))
        }
        console.answer(.logs(LogPage(records: older, filter: "", asked: "1", cursor: nil)))
        #expect(console.state.logs.table.selection?.id == 1000)
        #expect(console.state.logs.table.rows.first?.id == 496)
    }

    @Test(arguments: [
        ("14:05", "2026-11-21T14:05:00Z"), ("14:30", "2026-11-20T14:30:00Z"),
        ("-10m", "2026-11-21T14:12:09Z"),
    ])
    func `a time is jumped to`(text: String, moment: String) {
        var console = console()
        console.press("t", text, "enter")
        #expect(
            console.takeEffects().contains(.loadLogs(filter: "", cursor: nil, to: Timestamp(text: moment)))
        )
        let page = LogPage(
            records: Fixture.records(5).reversed(),
            filter: "",
            cursor: nil,
            time: Timestamp(text: moment)
        )
        console.answer(.logs(page))
        #expect(!console.state.logs.isFollowing)
        console.press("G")
        #expect(console.takeEffects().contains(.loadLogs(filter: "", cursor: nil, to: nil)))
    }

    @Test func `the same caller is one key away`() {
        var console = console()
        console.press("=")
        #expect(console.state.filter.text == "client=\"team-batch\"")
    }

    @Test(arguments: [LogsState.limit - 1, LogsState.limit, LogsState.limit + 1])
    func `so many rows are kept`(count: Int) {
        var table = TableState<LogRecord>()
        table.append((0..<count).map(Fixture.record), limit: LogsState.limit)
        #expect(table.rows.count == min(count, LogsState.limit))
        #expect(table.rows.last?.id == 1000 + count - 1)
    }
}
