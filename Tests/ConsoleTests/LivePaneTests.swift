import Operations
import Testing

@testable import Console

@Suite struct `Live pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40, isReadOnly: Bool = false) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines, isReadOnly: isReadOnly)
        console.fill()
        console.press("2")
        console.answer(.live(Fixture.busy()))
        _ = console.takeEffects()
        return console
    }

    private func watches(_ console: inout ConsoleDriver) -> [Int?] {
        console.takeEffects().compactMap { if case .watchExchange(let id) = $0 { .some(id) } else { nil } }
    }

    @Test func `what is in flight stands here, the oldest first`() {
        var console = console()
        #expect(console.state.inFlight.table.rows.map(\.id).prefix(2) == [13, 11])
        #expect(console.text.contains("7 in flight · 2 streams"))
        #expect(console.text.contains("▲ waiting") && console.text.contains("○ receiving"))
        console.answer(.live(Fixture.busy(2)))
        #expect(console.state.inFlight.table.rows.count == 2)
        var empty = Fixture.busy(0)
        empty.exchanges = []
        console.answer(.live(empty))
        #expect(console.text.contains("nothing is in flight: requests stand here while they run"))
    }

    @Test func `how fast a stream goes is told by two snapshots`() {
        var console = console()
        console.answer(.live(Fixture.busy(at: 2, chunks: 50)))
        #expect(console.state.inFlight.rates == [12: 25, 13: 25])
        #expect(console.text.contains("2 streams at 50 chunks/s"))
        // One that is seen for the first time is told by its age.
        console.answer(.live(Fixture.busy(0)))
        console.answer(.live(Fixture.busy(3, at: 3)))
        #expect(abs((console.state.inFlight.rates[12] ?? 0) - 54 / 4.99) < 0.01)
        // Two that come at once tell nothing new.
        console.answer(.live(Fixture.busy(3, at: 3, chunks: 30)))
        #expect(abs((console.state.inFlight.rates[12] ?? 0) - 54 / 4.99) < 0.01)
    }

    @Test func `a list that is held stays, and goes on`() {
        var console = console()
        console.press("p")
        console.answer(.live(Fixture.busy(1)))
        #expect(
            console.state.inFlight.table.rows.count == 7
                && console.text.contains("held · p goes on · 7 as they were")
                && console.text.contains("ended")
        )
        console.press("p")
        #expect(console.state.inFlight.table.rows.count == 1)
    }

    @Test func `an answer is read as it comes, and followed no longer than it is looked at`() {
        var console = console()
        console.press("j", "enter")
        #expect(watches(&console) == [11])
        #expect(console.text.contains("waiting for the answer"))
        console.answer(.watched(11, Fixture.piece(11)))
        #expect(console.text.contains("The gateway routes around keys") && console.text.contains("网关会说中文"))
        // One of another exchange comes too late.
        console.answer(
            .watched(12, WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("wrong")))
        )
        #expect(!console.text.contains("wrong"))
        console.press("3")
        #expect(watches(&console) == [nil])
        console.press("2")
        #expect(watches(&console) == [11])
        // It is told from its beginning again.
        console.answer(.watched(11, WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("Anew"))))
        #expect(console.state.inFlight.watched?.said.text == "Anew")
        console.press("k")
        #expect(watches(&console) == [13])
        console.press("esc")
        #expect(watches(&console) == [nil] && console.state.inFlight.watched == nil)
        #expect(console.state.pane == .live)
    }

    @Test func `its end stays to be read, with what ended it`() {
        var console = console()
        console.press("j", "enter")
        // Somebody may look before it is known to be a stream.
        console.answer(.watched(11, WatchedPiece(exchange: Fixture.exchange(1), text: "")))
        console.answer(.watched(11, Fixture.piece(11)))
        #expect(!console.text.contains("choices"))
        var end = WatchedPiece(exchange: Fixture.exchange(1), text: Fixture.event("the end"))
        (end.exchange.status, end.ended, end.error, end.leftOut) = (200, true, "truncated", 70_000)
        console.answer(.watched(11, end))
        console.answer(.watchOver(11, nil))
        #expect(
            console.text.contains("200 truncated after 14.2 s  70 kB not seen")
                && console.text.contains("the end")
        )
        #expect(console.state.inFlight.watched?.fault == nil)
        _ = console.takeEffects()
        // The next snapshot has it no more, and what is read stays.
        console.answer(.live(Fixture.busy(1)))
        #expect(console.text.contains("the end") && watches(&console).isEmpty)
        // One that had ended before anybody looked.
        console.press("g", "enter")
        console.answer(.watchOver(10, "no exchange 10 is running"))
        #expect(console.text.contains("no exchange 10 is running"))
    }

    @Test func `an attempt that was given up leaves nothing of its text`() {
        var console = console()
        console.press("j", "enter")
        console.answer(.watched(11, Fixture.piece(11)))
        var next = WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("second try"))
        next.restarted = true
        console.answer(.watched(11, next))
        #expect(console.state.inFlight.watched?.said.text == "second try")
    }

    @Test func `what is sent is shown instead, and copied`() {
        var console = console()
        #expect(console.state.refusal(of: .rawText) != nil)
        console.press("j", "enter")
        console.answer(.watched(11, Fixture.piece(11)))
        console.press("t")
        #expect(console.text.contains(#"data: {"choices":[{"delta":{"content":"网关会说中文。 "}}]}"#))
        console.press("t", "tab", "y")
        let copied = console.takeEffects().compactMap { if case .copy(let text) = $0 { text } else { nil } }
        #expect(copied == [console.state.inFlight.watched?.said.text])
    }

    @Test func `scrolling back stops following, and the end begins it again`() {
        var console = console()
        console.press("j", "enter", "enter")
        #expect(console.state.inFlight.isTextFull)
        let lines = (0..<80).map { Fixture.event("line \($0)\\n") }.joined()
        console.answer(.watched(11, WatchedPiece(exchange: Fixture.exchange(2), text: lines)))
        #expect(console.text.contains("line 79") && !console.text.contains("line 3 "))
        console.press("g")
        console.answer(.watched(11, WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("more"))))
        #expect(console.text.contains("line 0") && !console.text.contains("more"))
        console.press("G")
        #expect(console.text.contains("more"))
        console.press("esc")
        #expect(!console.state.inFlight.isTextFull && console.state.inFlight.watched != nil)
    }

    @Test func `one is cut off after it was asked about, several by what is typed`() {
        var console = console()
        console.press("X")
        #expect(console.text.contains("Cut off the request of app") && console.text.contains("operator_cut"))
        #expect(console.text.contains("req_live3: POST") && console.text.contains("61 chunks so far"))
        console.press("enter")
        #expect(console.takeChanges().isEmpty, "Cancel has the focus")
        console.press("X", "y")
        #expect(console.takeChanges() == [.cut(ids: [13], names: ["app"])])
        console.press("g", "space", "space", "X")
        #expect(console.text.contains("Cut off 2 requests"))
        console.press("cut 2", "enter")
        #expect(console.takeChanges() == [.cut(ids: [13, 11], names: ["app", "team-batch"])])
    }

    @Test func `a cut is about what is read, whatever the list has become`() {
        var console = console()
        console.press("j", "enter")
        console.answer(.watched(11, Fixture.piece(11)))
        console.answer(.live(Fixture.busy(1)))
        console.press("X", "y")
        #expect(console.takeChanges() == [.cut(ids: [11], names: ["team-batch"])])
        var end = Fixture.piece(11)
        end.ended = true
        console.answer(.watched(11, end))
        #expect(console.state.refusal(of: .cutExchange) == "it has ended; Esc closes it")
        console.press("esc", "X")
        #expect(console.text.contains("Cut off the request of app"))
    }

    @Test func `what had passed before anybody looked leaves a mark`() {
        var console = console()
        console.press("j", "enter")
        console.answer(
            .watched(
                11,
                WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("before") + "data: {\"cho")
            )
        )
        var piece = WatchedPiece(exchange: Fixture.exchange(2), text: Fixture.event("behind"))
        piece.gap = 15_000
        console.answer(.watched(11, piece))
        #expect(console.state.inFlight.watched?.said.text == "before\n… 15 kB had passed before …\nbehind")
        #expect(
            console.state.inFlight.watched?.sent.text.contains("cho\n… 15 kB had passed before …\ndata")
                == true
        )
    }

    @Test func `where there is room for one, the answer has it`() {
        var console = console(80, 20)
        console.press("j", "enter", "enter", "enter")
        console.answer(.watched(11, Fixture.piece(11)))
        #expect(!console.text.contains("CLIENT") && console.text.contains("team-batch ▸ miniai"))
        #expect(console.state.refusal(of: .pauseLive) != nil)
        console.press("esc")
        #expect(console.text.contains("CLIENT"))
    }

    @Test func `a console that may change nothing cuts nothing`() {
        var console = console(isReadOnly: true)
        console.press("X")
        #expect(console.state.overlays.isEmpty && console.footer.contains("read-only"))
    }

    @Test(
        arguments: [
            ("client:lab", [12, 15]), ("state", []), ("model:gpt", [11, 12, 13, 14, 16]),
            ("stream=true", [12, 13]),
            ("latency>10s", [11, 13]), ("status=200", [12, 13]), ("status=5xx", []),
            ("status!=5xx", [10, 11, 12, 13, 14, 15, 16]),
            ("not client:lab and ttft<1s", [13]), ("bytes>0", [12, 13]),
            ("error:x", [10, 11, 12, 13, 14, 15, 16]),
            ("ukey=real-1", [11, 13]), ("id=req_live2", [12]),
        ]
    )
    func `the filter narrows it`(filter: String, ids: [Int]) {
        var console = console()
        console.press("/", filter, "enter")
        #expect(console.state.inFlight.table.rows.map(\.id).sorted() == ids)
        #expect(console.text.contains("does not narrow") == (filter == "error:x"))
    }

    @Test func `sorted by what an operator chooses`() {
        var console = console()
        console.state.sortOrder = SortOrder(column: "chunks", isDescending: true)
        #expect(console.state.inFlight.table.rows.first?.id == 13)
        console.press("=")
        #expect(console.state.filter.text.contains("app"))
    }
}

@Suite struct `Growing text` {
    @Test func `it breaks as it grows, whatever the pieces`() {
        let text = "a b cc ddd\n\neeeeeeee ff  gg\nhh"
        for size in 1...7 {
            var grown = GrowingText(width: 5)
            var rest = Substring(text)
            while !rest.isEmpty {
                grown.append(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(grown.lines == ["a b", "cc", "ddd", "", "eeeee", "eee", "ff ", "gg", "hh"], "\(size)")
        }
    }

    @Test func `wide letters take two columns, and another width begins anew`() {
        var text = GrowingText(width: 4)
        text.append("网关会说")
        #expect(text.lines == ["网关", "会说"])
        text.wrap(to: 9)
        #expect(text.lines == ["网关会说"])
        text.wrap(to: 0)
        #expect(text.lines == ["网", "关", "会", "说"])
    }

    @Test(arguments: [-1, 0, 1])
    func `so many letters are kept, and of more the last half`(more: Int) {
        var text = GrowingText(width: 80)
        text.append(String(repeating: "x", count: GrowingText.limit + more))
        #expect(text.isCut == (more > 0))
        #expect(text.text.count == (more > 0 ? GrowingText.limit / 2 : GrowingText.limit + more))
    }

    @Test func `what is too long loses its beginning`() {
        var text = GrowingText(width: 80)
        for _ in 0..<300 { text.append(String(repeating: "x", count: 999) + "\n") }
        #expect(text.isCut && text.text.count <= GrowingText.limit && text.text.hasSuffix("x\n"))
        #expect(text.lines.count <= GrowingText.limit / 80 + 600)
    }
}
