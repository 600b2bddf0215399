import Operations
import Testing

@testable import Console

@Suite struct `Pool pane` {
    private func console() -> ConsoleDriver {
        var console = ConsoleDriver()
        console.fill()
        console.press("5")
        _ = console.takeEffects()
        return console
    }

    @Test func `the worst stand first, with why and until when`() {
        let console = console()
        #expect(console.state.pool.table.rows.map(\.state).first == .banned)
        for text in ["leaked on a forum", "0:41", "on trial", "in 2 h", "by hand", "5 out of use"] {
            #expect(console.text.contains(text), "\(text)")
        }
    }

    @Test func `a key is disabled and brought back, and that can be undone`() {
        var console = console()
        console.press("G", "d")
        let off = ConsoleChange.pool(.setState(ids: [1], names: ["openai/key-1"], .disabled))
        #expect(console.takeChanges() == [off])
        let on = ConsoleChange.takeBack([7], what: off.object, of: off)
        console.answer(.changed(ChangeOutcome(change: off, result: .done("disabled"), undo: on)))
        #expect(console.footer.contains("undoes it"))
        #expect(console.takeEffects().contains(.loadPool))
        console.press("u")
        #expect(console.takeChanges() == [on])
        console.answer(.changed(ChangeOutcome(change: on, result: .done("took back"))))
        console.press("u")
        #expect(console.footer.contains("nothing to undo"))
    }

    @Test func `a ban is asked about, and of several the number is typed`() {
        var console = console()
        console.press("G", "B")
        #expect(console.text.contains("3 in flight with it end in peace"))
        console.press("y")
        #expect(console.takeChanges() == [.pool(.setState(ids: [1], names: ["openai/key-1"], .banned))])
        console.press("g", "j", "space", "space", "B", "ban 2", "enter")
        let both = ["miniai/key-5", "openai/key-4"]
        #expect(console.takeChanges() == [.pool(.setState(ids: [5, 4], names: both, .banned))])
    }

    @Test func `what is said about a ban goes with it, and Esc bans nothing`() {
        var console = console()
        console.press("G", "B", "w", "esc")
        #expect(console.takeChanges().isEmpty)
        console.press("B", "w", "leaked in 4711", "enter", "enter")
        let names = ["openai/key-1"]
        let reason = "leaked in 4711"
        #expect(
            console.takeChanges() == [.pool(.setState(ids: [1], names: names, .banned, reason: reason))]
        )
    }

    @Test func `a ban may be without words, and too many of them are told`() {
        var console = console()
        console.press("G", "B", "w", "ctrl-s")
        #expect(
            console.takeChanges() == [.pool(.setState(ids: [1], names: ["openai/key-1"], .banned))]
        )
        console = self.console()
        console.press("G", "B", "w", String(repeating: "ä", count: 251), "ctrl-s")
        #expect(console.takeChanges().isEmpty && console.text.contains("at most 500 bytes"))
    }

    @Test func `what makes no sense says why`() {
        var console = console()
        console.press("g", "B")
        #expect(console.footer.contains("already banned"))
        console.press("G", "x")
        #expect(console.footer.contains("nothing to reset"))
        var reader = ConsoleDriver(isReadOnly: true)
        reader.fill()
        reader.press("5", "d")
        #expect(reader.footer.contains("read-only") && reader.takeChanges().isEmpty)
    }

    @Test func `a key is added by form, and what does not hold is told beside its field`() {
        var console = console()
        console.press("n", "ctrl-s")
        for text in ["needs a name", "needs a value"] { #expect(console.text.contains(text), "\(text)") }
        console.press("second", "tab", "sk-secret", "tab", "tab", "tab", "tab")
        console.press("ctrl-u", "3", "tab", "tab", "60/minute", "tab", "500 requests/day")
        #expect(!console.text.contains("sk-secret") && console.text.contains("*********"))
        console.press("ctrl-s")
        guard case .pool(.add(let draft, "openai")) = console.takeChanges().first else {
            Issue.record("nothing is added")
            return
        }
        #expect((draft.upstreamId, draft.name, draft.keyValue, draft.weight) == (2, "second", "sk-secret", 3))
        #expect(
            draft.limits?.requestsPerMinute == .set(60) && draft.quotaTotal == 500
                && draft.quotaPeriod == .day
        )
        let refused = OperationsError(
            .conflict,
            "another key of this upstream has this name",
            parameter: "name"
        )
        console.answer(
            .changed(ChangeOutcome(change: .pool(.add(draft, upstream: "openai")), result: .refused(refused)))
        )
        #expect(console.text.contains("another key of this upstream"))
    }

    @Test func `an edit sends what was changed, and keys of the file are not edited`() {
        var console = console()
        console.press("G", "e")
        #expect(console.footer.contains("configuration file"))
        console.press("/", "key-2", "enter", "e")
        #expect(console.text.contains("Edit openai/key-2"))
        console.press("up", "up", "up", "ctrl-u", "7", "ctrl-s")
        var change = UpstreamKeyChange()
        change.quotaUsed = .set(7)
        #expect(console.takeChanges() == [.pool(.change(id: 2, name: "openai/key-2", version: 1, change))])
    }

    @Test func `a test is asked for, and its answer shown`() {
        var console = console()
        console.press("G", "t")
        let question = ConsoleQuestion.upstreamKey(id: 1, name: "openai/key-1")
        #expect(console.takeEffects().contains(.ask(question)))
        var result = ProbeResult(time: ConsoleDriver.start, path: "/v1/models", upstreamKey: "key-1")
        (result.status, result.body, result.message) = (
            401, "no such key", "It answers, and refuses the key."
        )
        console.answer(.told(question, .success(ProbeLines.lines(result, zone: 0))))
        for text in ["Test of openai/key-1", "refuses the key", "401", "no such key"] {
            #expect(console.text.contains(text), "\(text)")
        }
        console.press("esc", "t")
        console.answer(.told(question, .failure(OperationsError(.conflict, "the key is not in use yet"))))
        #expect(console.footer.contains("not in use yet"))
    }

    @Test func `Enter tells everything about a key, at any width`() {
        var console = console()
        console.send(.resize(Size(columns: 80, lines: 24)))
        console.press("g", "enter")
        for text in ["leaked on a forum", "header Authorization", "configuration file"] {
            #expect(console.text.contains(text), "\(text)")
        }
    }

    @Test func `only keys of the database are deleted, after a question`() {
        var console = console()
        console.press("G", "D")
        #expect(console.footer.contains("configuration file"))
        console.press("/", "key-2", "enter", "D")
        #expect(console.text.contains("undo brings it back"))
        console.press("y")
        #expect(console.takeChanges() == [.pool(.delete(ids: [2], names: ["openai/key-2"]))])
    }

    @Test func `the filter narrows it, and its requests are a key away`() {
        var console = console()
        console.press("/", "upstream:miniai and status>=400", "enter")
        #expect(console.state.pool.table.rows.map(\.upstream) == ["miniai", "miniai"])
        #expect(console.text.contains("does not narrow keys"))
        console.press("\\", "G", "L")
        #expect(console.state.pane == .logs)
        #expect(console.state.filter.text == #"upstream="openai" and ukey="key-1""#)
    }

    @Test func `a problem of the pool opens it`() {
        var console = ConsoleDriver()
        console.fill()
        var live = Fixture.live()
        live.dashboard.problems = [
            Problem(.error, kind: "pool", name: "openai/key-3", state: "banned", detail: "x")
        ]
        console.answer(.live(live))
        console.press("tab", "enter")
        #expect(console.state.pane == .pool)
    }
}
