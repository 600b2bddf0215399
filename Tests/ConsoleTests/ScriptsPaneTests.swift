import Operations
import Testing

@testable import Console

@Suite struct `Scripts pane` {
    private func console(columns: Int = 120, lines: Int = 40, isReadOnly: Bool = false) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines, isReadOnly: isReadOnly)
        console.fill()
        console.press("8")
        _ = console.takeEffects()
        return console
    }

    private func result(_ value: String) -> ScriptTestResult {
        ScriptTestResult(result: value, error: nil, output: "", durationMs: 0.2, memoryBytes: nil)
    }

    @Test func `letters are commands until typing begins, and again after Esc`() {
        var console = console()
        console.press("i", "q1:/", "esc")
        #expect(console.state.scripts.editor.text.hasPrefix("q1:/// What it returns"))
        #expect(!console.state.scripts.isTyping && console.state.pane == .scripts)
        console.press("4")
        #expect(console.state.pane == .keys)
    }

    @Test func `a paste goes into the script as one step`() {
        var console = console()
        let lines = (0..<200).map { "// \($0)" }.joined(separator: "\n") + "\n"
        console.send(.terminal(.paste(lines)))
        #expect(console.state.scripts.editor.content.lines.count == 203)
        #expect(console.text.contains("line 201 of 203"))
        console.press("ctrl-z")
        #expect(console.state.scripts.editor.content.lines.count == 3)
        console.press("ctrl-y")
        #expect(console.state.scripts.editor.content.lines.count == 203)
        console.send(.terminal(.paste(String(repeating: "x", count: ScriptTest.sizeLimit))))
        #expect(console.footer.contains("a script can have 65536 bytes"))
    }

    @Test func `a run shows its value, and a failure its line`() {
        var console = console()
        console.press("o", "x-sign", "enter", "ctrl-t")
        var test = ScriptTest(language: .python, script: Fixture.headers()[2].script ?? "")
        test.context = console.state.scripts.context
        #expect(console.takeEffects().contains(.runScript(test, number: 1)))
        #expect(console.text.contains("running"))
        console.press("ctrl-t")
        #expect(console.footer.contains("it is running"))
        console.answer(.ran(.success(Fixture.scriptFault), number: 1))
        #expect(console.text.contains("line 2, column 27: KeyError: 'body'"))
        #expect(console.text.contains("looking for the body") && console.text.contains("✖   2 result"))
        #expect(console.state.scripts.editor.cursor == EditorPlace(line: 1, column: 26))
        console.press("i", "x", "esc", "ctrl-t")
        console.answer(.ran(.success(result("of before")), number: 1))
        #expect(!console.text.contains("of before"))
        console.answer(.ran(.success(result("of now")), number: 2))
        #expect(console.text.contains("of now") && !console.text.contains("✖"))
    }

    @Test func `a script is saved into its rule, and is not lost before`() {
        var console = console()
        console.press("o", "x-time", "enter", "ctrl-s")
        #expect(console.footer.contains("nothing has changed"))
        console.press("i", "ctrl-end", "// more", "ctrl-s")
        let rule = Fixture.headers()[0]
        var change = HeaderRuleChange()
        change.kind = .set(.javascript)
        change.script = .set("return new Date().toISOString();// more")
        let saved = ConsoleChange.header(.change(rule, change))
        #expect(console.takeChanges() == [saved])
        console.press("esc", "n")
        #expect(console.text.contains("What you have changed in X-Timestamp is not saved"))
        console.press("esc", "q")
        #expect(console.text.contains("Discard it and detach") && console.takeEffects().isEmpty)
        console.press("esc")
        var after = rule
        (after.script, after.version) = ("return new Date().toISOString();// more", 2)
        console.answer(.changed(ChangeOutcome(change: saved, result: .done("saved"), header: after)))
        #expect(!console.state.scripts.isChanged && console.state.scripts.rule?.version == 2)
        console.press("q")
        #expect(console.takeEffects().contains(.end(.detach)))
    }

    @Test func `what fails is asked about before callers get it`() {
        var console = console()
        console.press("o", "x-time", "enter", "i", "x", "ctrl-t")
        console.answer(.ran(.success(Fixture.scriptFault), number: 1))
        console.press("ctrl-s")
        #expect(
            console.text.contains("Its last run failed: KeyError") && console.text.contains("callers get 502")
        )
        #expect(console.takeChanges().isEmpty)
        console.press("y")
        #expect(console.takeChanges().count == 1)
    }

    @Test func `one that does not hold is not saved, and shows where`() throws {
        var console = console()
        console.press("i", "x", "ctrl-s", "tab", "X-New", "ctrl-s")
        let change = try #require(console.takeChanges().first)
        guard case .header(.create(let draft, "miniai")) = change else {
            Issue.record("\(change)")
            return
        }
        #expect(draft.name == "X-New" && draft.kind == .javascript && draft.script?.hasPrefix("x//") == true)
        let error = OperationsError(.invalid, "line 1, column 2: SyntaxError", parameter: "script")
        console.answer(.changed(ChangeOutcome(change: change, result: .refused(error))))
        #expect(console.state.overlays.isEmpty && console.footer.contains("not saved: line 1, column 2"))
        #expect(console.takeEffects().contains { if case .runScript = $0 { true } else { false } })
        #expect(console.state.scripts.isChanged)
    }

    @Test func `the form that saves says what a name would replace`() {
        var console = console()
        console.press("x", "a random uuid", "enter", "S", "tab", "x-team")
        #expect(console.text.contains("replaces a static value now"))
        console.press("ctrl-s")
        var change = HeaderRuleChange()
        (change.kind, change.value, change.script) = (
            .set(.javascript), .clear, .set("return crypto.randomUUID();")
        )
        (change.onFailure, change.fallback, change.cacheSeconds) = (.set(.fail), .clear, .set(0))
        #expect(console.takeChanges() == [.header(.change(Fixture.headers()[1], change))])
    }

    @Test func `somebody else's change is not written over unseen`() throws {
        var console = console()
        console.press("o", "x-time", "enter", "i", "x", "ctrl-s")
        let change = try #require(console.takeChanges().first)
        let error = OperationsError(.preconditionFailed, "it is of version 3")
        console.answer(.changed(ChangeOutcome(change: change, result: .refused(error))))
        #expect(console.footer.contains("o opens it as it is now, S saves yours over it"))
        #expect(console.takeEffects().contains(.loadHeaders))
    }

    @Test func `another version of its rule with the same script is no conflict`() {
        var console = console()
        console.press("o", "x-time", "enter")
        var rules = Fixture.headers()
        (rules[0].version, rules[0].onFailure) = (7, .omit)
        console.answer(.headers(rules))
        #expect(console.state.scripts.rule?.version == 7)
        rules[0].script = "return 1"
        rules[0].version = 8
        console.answer(.headers(rules))
        #expect(console.state.scripts.rule?.version == 7)
    }

    @Test func `an answer that comes late is no other script's`() throws {
        var console = console()
        console.press("o", "x-time", "enter", "i", "x", "ctrl-s")
        let change = try #require(console.takeChanges().first)
        console.press("ctrl-s")
        #expect(console.footer.contains("it is being saved") && console.takeChanges().isEmpty)
        console.press("esc", "o", "x-sign", "enter", "d")
        var after = Fixture.headers()[0]
        (after.script, after.version) = ("xreturn new Date().toISOString();", 2)
        console.answer(.changed(ChangeOutcome(change: change, result: .done("saved"), header: after)))
        #expect(console.state.scripts.rule?.name == "X-Signature" && !console.state.scripts.isChanged)
    }

    @Test func `a fault does not move who has gone on typing`() {
        var console = console()
        console.press("o", "x-sign", "enter", "i", "ctrl-t", "x")
        console.answer(.ran(.success(Fixture.scriptFault), number: 1))
        #expect(console.state.scripts.editor.cursor == EditorPlace(line: 0, column: 1))
        #expect(console.state.scripts.fault == nil && console.text.contains("KeyError"))
    }

    @Test func `no line is too strange to be gone to`() {
        var console = console()
        for line in ["1:-9223372036854775808", "9223372036854775807:9223372036854775807", "1:0"] {
            console.press("ctrl-g", line, "enter", "esc")
        }
        #expect(console.state.scripts.editor.cursor.line == 0)
    }

    @Test func `letters that look alike are not the same script`() {
        var console = console()
        console.send(.terminal(.paste("\u{E9}")))
        let before = console.state.scripts.editor.text
        console.send(.edited(.text(before.replacing("\u{E9}", with: "e\u{301}"))))
        #expect(console.state.scripts.editor.text.utf8.count == before.utf8.count + 1)
    }

    @Test func `a script of the greatest size is drawn at once`() {
        var console = console()
        for text in [
            String(repeating: "/[", count: 32_000), String(repeating: "this/\"[\",", count: 6000),
            String(repeating: "a\n", count: 30_000), String(repeating: "漢", count: 20_000),
        ] {
            console.send(.edited(.text(text)))
            console.press("ctrl-end")
            let begin = ContinuousClock.now
            #expect(!console.text.isEmpty)
            // A debug build on a busy machine; what it must not be is minutes.
            #expect(ContinuousClock.now - begin < .seconds(5))
        }
        console.press("ctrl-t")
        let long = ScriptTestResult(
            result: String(repeating: "x", count: 131_072),
            error: nil,
            output: "",
            durationMs: 1,
            memoryBytes: nil
        )
        let begin = ContinuousClock.now
        console.answer(.ran(.success(long), number: 1))
        #expect(ContinuousClock.now - begin < .seconds(5))
    }

    @Test func `finding goes on with Enter, and a line is gone to by number`() {
        var console = console()
        console.press("x", "a signature", "enter", "ctrl-f", "time")
        #expect(console.footer.contains("1 of 3"))
        console.press("enter", "enter")
        #expect(console.footer.contains("3 of 3"))
        console.press("up")
        #expect(console.footer.contains("2 of 3"))
        console.press("zz")
        #expect(console.text.contains("nothing fits"))
        console.press("esc", "ctrl-g", "3:8", "enter")
        #expect(console.state.scripts.editor.cursor == EditorPlace(line: 2, column: 7))
        console.press("ctrl-g", "x", "enter")
        #expect(console.text.contains("a number from 1 to 3"))
    }

    @Test func `the request that it is tried with can be set`() {
        var console = console()
        console.press("c", "tab", "/v1/models", "tab", "tab", "tab", "tab", "tab", "0", "ctrl-s")
        #expect(console.text.contains("a number from 1"))
        console.press("backspace", "3", "ctrl-s")
        #expect(
            console.state.scripts.context.path == "/v1/models" && console.state.scripts.context.attempt == 3
        )
        #expect(console.text.contains("/v1/models"))
    }

    @Test func `attempts are counted from 1 to 1000`() {
        for (attempt, isTaken) in [
            ("0", false), ("1", true), ("2", true), ("999", true), ("1000", true), ("1001", false),
        ] {
            var console = console()
            console.press("c", "tab", "tab", "tab", "tab", "tab", "tab", attempt, "ctrl-s")
            #expect((console.state.scripts.context.attempt == Int(attempt)) == isTaken, "\(attempt)")
        }
    }

    @Test func `the editor of one's own brings its text back as one step`() {
        var console = console()
        console.press("ctrl-x")
        let text = ScriptLanguage.javascript.beginning
        #expect(console.takeEffects().contains(.editExternally(text, suffix: "js")))
        console.send(.edited(.text("return 1")))
        #expect(console.state.scripts.editor.text == "return 1")
        console.press("ctrl-z")
        #expect(console.state.scripts.editor.text == text)
        console.send(.edited(.failed("there is no editor")))
        #expect(console.footer.contains("there is no editor"))
    }

    @Test func `who only reads can try a script, and save none`() {
        var console = console(isReadOnly: true)
        console.press("x", "a random uuid", "enter", "ctrl-t", "ctrl-s")
        #expect(console.footer.contains("read-only"))
        #expect(console.takeEffects().contains { if case .runScript = $0 { true } else { false } })
    }

    @Test func `the other language begins as it does, and keeps what was written`() {
        var console = console()
        console.press("l")
        #expect(console.state.scripts.editor.text == ScriptLanguage.python.beginning)
        console.press("i", "# ", "esc", "l")
        #expect(console.state.scripts.editor.text == "# " + ScriptLanguage.python.beginning)
        #expect(console.state.scripts.language == .javascript)
    }
}

@Suite struct `Headers of an upstream` {
    private func console() -> ConsoleDriver {
        var console = ConsoleDriver()
        console.fill()
        console.press("6")
        _ = console.takeEffects()
        return console
    }

    @Test func `they follow the upstream that is chosen`() {
        var console = console()
        #expect(console.text.contains("Headers that miniai is sent") && console.text.contains("1 failing"))
        #expect(console.text.contains("KeyError") && !console.text.contains("X-Other"))
        console.press("j")
        #expect(console.text.contains("Headers that openai is sent") && console.text.contains("X-Other"))
    }

    @Test func `keys are theirs until Esc`() {
        var console = console()
        console.press("h", "j", "d")
        #expect(console.takeChanges() == [.header(.setEnabled([Fixture.headers()[1]], false))])
        console.press("J")
        #expect(console.takeChanges() == [.header(.reorder([1, 3, 2], name: "X-Team"))])
        console.press("esc", "d")
        #expect(console.text.contains("Disable miniai"))
    }

    @Test func `a value is edited in its form, a script in its pane`() {
        var console = console()
        console.press("h", "j", "enter")
        #expect(console.text.contains("Edit X-Team of miniai"))
        console.press("esc", "k", "enter")
        #expect(console.state.pane == .scripts && console.state.scripts.rule?.id == 1)
    }

    @Test func `a new one is checked as it is typed`() {
        var console = console()
        console.press("h", "n", "ctrl-s")
        #expect(console.text.contains("needs a name"))
        console.press("X-Time", "tab", "right", "tab", "tab", "return 1", "tab", "right", "right", "ctrl-s")
        #expect(console.text.contains("needs what takes its place"))
        console.press("none", "tab", "5x")
        #expect(console.text.contains("as in 60s or 5m"))
        console.press("backspace", "m", "ctrl-s")
        var draft = HeaderRuleDraft(upstreamId: 1, name: "X-Time", kind: .javascript)
        (draft.script, draft.onFailure, draft.fallback, draft.cacheSeconds) = (
            "return 1", .fallback, "none", 300
        )
        #expect(console.takeChanges() == [.header(.create(draft, slug: "miniai"))])
    }

    @Test func `a value is kept for a day at most`() {
        for (text, seconds) in [
            ("", 0), ("0", 0), ("1", 1), ("86399", 86_399), ("24h", 86_400), ("86400", 86_400),
            ("86401", nil), ("x", nil),
        ] as [(String, Int?)] {
            #expect(HeaderForm.seconds(text) == seconds, "\(text)")
        }
    }

    @Test func `a script too long for the gateway is not cut to one that fits`() {
        for (count, kept) in [(65_535, 65_535), (65_536, 65_536), (65_537, 65_537), (70_000, 65_537)] {
            var console = console()
            console.press("h", "n", "X-Long", "tab", "right", "tab", "tab")
            console.send(.terminal(.paste(String(repeating: "1", count: count))))
            console.press("ctrl-s")
            guard case .header(.create(let draft, _))? = console.takeChanges().first else {
                Issue.record("no change")
                return
            }
            #expect(draft.script?.utf8.count == kept)
        }
    }

    @Test func `a long value is kept whole`() {
        var console = console()
        var rules = Fixture.headers()
        rules[1].value = String(repeating: "v", count: 5000)
        console.answer(.headers(rules))
        console.press("h", "j", "e", "end", "2", "ctrl-s")
        guard case .header(.change(_, let change))? = console.takeChanges().first else {
            Issue.record("no change")
            return
        }
        #expect(change.value == .set(String(repeating: "v", count: 5000)) && change.name == .set("X-Team2"))
    }

    @Test func `of a script with several lines the form leaves the script alone`() {
        var console = console()
        console.press("h", "G", "e", "end", "2", "ctrl-s")
        guard case .header(.change(let rule, let change))? = console.takeChanges().first else {
            Issue.record("no change")
            return
        }
        #expect(change.name == .set("X-Signature2") && change.script == .set(rule.script ?? ""))
    }

    @Test func `small screens show the part that has the keys`() {
        var console = ConsoleDriver(columns: 60, lines: 14)
        console.fill()
        console.press("6")
        #expect(console.text.contains("UPSTREAM") && !console.text.contains("Headers that"))
        console.press("h")
        #expect(!console.text.contains("UPSTREAM") && console.text.contains("Headers that miniai"))
    }
}
