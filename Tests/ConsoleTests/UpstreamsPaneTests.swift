import Operations
import Testing

@testable import Console

@Suite struct `Upstreams pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        console.press("6")
        _ = console.takeEffects()
        return console
    }

    @Test func `each is shown with its health, its keys and its last probe`() {
        let console = console()
        for text in ["no usable key", "0 of 2", "1 of 4", "200 12 s ago", "1 not well"] {
            #expect(console.text.contains(text), "\(text)")
        }
    }

    @Test func `one is made by form`() {
        var console = console()
        console.press("n", "ctrl-s")
        #expect(console.text.contains("needs a slug") && console.text.contains("needs an address"))
        console.press("lab", "tab", "ftp://x")
        #expect(console.text.contains("begins with http"))
        console.press(
            "ctrl-u",
            "http://10.0.0.1:8000",
            "tab",
            "tab",
            "right",
            "tab",
            "tab",
            "miniai, openai",
            "tab",
            "/v1/models"
        )
        console.press("ctrl-s")
        guard case .upstream(.create(let draft)) = console.takeChanges().first else {
            Issue.record("nothing is made")
            return
        }
        #expect((draft.slug, draft.baseUrl, draft.strategy) == ("lab", "http://10.0.0.1:8000", .weighted))
        #expect(
            draft.fallbacks == ["miniai", "openai"] && draft.probe == Probe(path: "/v1/models", interval: nil)
        )
        #expect(draft.stripHeaders == ["x-forwarded-for", "cookie"] && draft.retry?.maxAttempts == 3)
        let refused = OperationsError(.invalid, "there is no upstream miniai", parameter: "fallbacks")
        console.answer(.changed(ChangeOutcome(change: .upstream(.create(draft)), result: .refused(refused))))
        #expect(console.text.contains("there is no upstream miniai"))
    }

    @Test func `an edit sends what was changed`() {
        var console = console()
        console.press("g", "e")
        #expect(console.footer.contains("configuration file"))
        console.press(
            "j",
            "e",
            "tab",
            "tab",
            "tab",
            "60/minute",
            "tab",
            "tab",
            "ctrl-u",
            "tab",
            "ctrl-u",
            "ctrl-s"
        )
        guard case .upstream(.change(2, "openai", 1, let change)) = console.takeChanges().first else {
            Issue.record("nothing is changed")
            return
        }
        var wanted = UpstreamChange()
        var limits = RateLimitsChange()
        (limits.requestsPerMinute, limits.requestsPerHour) = (.set(60), .clear)
        (limits.requestsPerDay, limits.concurrency) = (.clear, .clear)
        (wanted.limits, wanted.probe) = (.set(limits), .clear)
        #expect(change == wanted)
    }

    @Test func `to refuse callers is asked about, to serve them again is not`() {
        var console = console()
        console.press("g", "d")
        #expect(console.text.contains("503 at once"))
        console.press("y")
        #expect(console.takeChanges() == [.upstream(.setEnabled(id: 1, slug: "miniai", false))])
        var off = Fixture.upstreams()
        (off[0].enabled, off[0].health) = (false, "disabled")
        console.answer(.upstreams(off))
        console.press("d")
        #expect(console.takeChanges() == [.upstream(.setEnabled(id: 1, slug: "miniai", true))])
    }

    @Test func `one with keys is deleted only by its name`() {
        var console = console()
        console.press("G", "D", "openai", "enter")
        #expect(console.takeChanges() == [.upstream(.delete(id: 2, slug: "openai"))])
    }

    @Test func `a test is asked for`() {
        var console = console()
        console.press("t")
        #expect(console.takeEffects().contains(.ask(.upstream(id: 1, slug: "miniai"))))
    }

    @Test func `Enter tells everything, and L leads to its requests`() {
        var console = console(80, 24)
        console.press("j", "enter")
        for text in ["/v1/models every 30s", "takes the key", "stand in"] {
            #expect(console.text.contains(text), "\(text)")
        }
        console.press("esc", "L")
        #expect(console.state.filter.text == #"upstream="openai""# && console.state.pane == .logs)
    }
}

@Suite struct `Rules pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        console.press("7")
        _ = console.takeEffects()
        return console
    }

    @Test func `rules stand in their order, with what they do and how often they have`() {
        let console = console()
        for text in [
            "dead credential", "status 401", "disable_key", "212", "40 s ago", "1 off",
            "the first that fits acts",
        ] {
            #expect(console.text.contains(text), "\(text)")
        }
    }

    @Test func `a rule is typed, and a fault in it is told with its column`() {
        var console = console()
        console.press("n", "edge", "tab", "right", "tab", "status 429 an")
        #expect(console.text.contains("column 12"))
        console.press("d body contains edge", "tab", "cool")
        #expect(console.text.contains("column 1: there is no action"))
        console.press("down_key 5m", "tab", "1", "ctrl-s")
        guard case .rule(.create(let draft)) = console.takeChanges().first else {
            Issue.record("nothing is made: \(console.text)")
            return
        }
        #expect(draft.name == "edge" && draft.upstreamId == 1 && draft.position == 1)
        #expect(draft.when.bodyContains == ["edge"] && draft.then == [RuleAction(.cooldownKey, seconds: 300)])
    }

    @Test func `an edit keeps what is not touched`() {
        var console = console()
        console.press("G", "e", "ctrl-s")
        guard case .rule(.change(let rule, let change)) = console.takeChanges().first else {
            Issue.record("nothing is changed")
            return
        }
        #expect(change.when.isKept && change.then.isKept && change.threshold.isKept && change.position.isKept)
        #expect(change.upstreamId == .set(1) && change.name == .set("slow region") && rule.id == 4)
        console.answer(.changed(ChangeOutcome(change: .rule(.change(rule, change)), result: .done("saved"))))
        #expect(console.state.overlays.isEmpty)
    }

    @Test func `the answer to something else closes no form, and a refusal stands in the form it was of`() {
        var console = console()
        console.press("n", "edge", "tab", "tab", "status 418", "tab", "notify", "ctrl-s")
        guard let change = console.takeChanges().first else {
            Issue.record("nothing is made")
            return
        }
        let other = ConsoleChange.rule(.setEnabled([Fixture.rules()[0]], false))
        console.answer(.changed(ChangeOutcome(change: other, result: .done("disabled"))))
        let logged = ConsoleQuestion.rules(RuleTest(), of: "another")
        console.answer(.told(logged, .success([])))
        #expect(console.state.overlays.count == 1)
        let refusal = OperationsError(.invalid, "must have 1 to 200 bytes", parameter: "name")
        console.answer(.changed(ChangeOutcome(change: change, result: .refused(refusal))))
        #expect(console.text.contains("must have 1 to 200 bytes"))
        console.press("esc", "d")
        console.press("t", "tab", "429", "ctrl-s")
        guard case .ask(let question) = console.takeEffects().last else {
            Issue.record("nothing is asked")
            return
        }
        console.answer(
            .told(question, .failure(OperationsError(.invalid, "must be so", parameter: "status")))
        )
        #expect(console.text.contains("must be so") && console.text.contains("429"))
    }

    @Test func `a rule is moved among those in sight`() {
        var console = console()
        console.press("G", "K")
        let edit = RuleEdit.reorder([1, 2, 4, 3], name: "slow region")
        #expect(console.takeChanges() == [.rule(edit)])
        console.press("g", "K")
        #expect(console.footer.contains("it is the first"))
        console.press("/", "quota", "enter", "J")
        #expect(console.footer.contains("it is the last"))
    }

    @Test func `rules are put off, deleted and brought back`() {
        var console = console()
        console.press("space", "space", "d")
        guard case .rule(.setEnabled(let rules, false)) = console.takeChanges().first else {
            Issue.record("nothing is put off")
            return
        }
        #expect(rules.map(\.id) == [1, 2])
        console.press("esc", "g", "D")
        #expect(console.text.contains("Answers are judged without it"))
        console.press("y")
        #expect(console.takeChanges() == [.rule(.delete([Fixture.rules()[0]]))])
        console.press(":", "rules.reset", "enter", "y")
        #expect(console.takeChanges() == [.rule(.reset)])
    }

    @Test func `rules are tried on an answer that is made up, and on a logged one`() {
        var console = console()
        console.press("t", "tab", "42", "ctrl-s")
        #expect(console.text.contains("from 100 to 599"))
        console.press("9", "tab", "tab", "retry-after: 7", "ctrl-s")
        var test = RuleTest()
        (test.status, test.headers) = (429, ["retry-after": "7"])
        let question = ConsoleQuestion.rules(test, of: "a made-up answer")
        #expect(console.takeEffects() == [.ask(question)])
        let result = RuleTestResult(
            ruleId: 3,
            actions: [],
            effect: "the key rests for 7 s; the request goes to the next key",
            rules: [
                .init(
                    ruleId: 1,
                    name: "dead credential",
                    fits: false,
                    acts: false,
                    why: "status 429 is not 401"
                ),
                .init(ruleId: 3, name: "throttled", fits: true, acts: true, why: nil),
            ]
        )
        console.answer(.told(question, .success(RulesView.lines(result, of: "a made-up answer"))))
        for text in ["“throttled” acts", "the key rests for 7 s", "status 429 is not 401"] {
            #expect(console.text.contains(text), "\(text)")
        }
        console.press("esc")
        #expect(console.state.overlays.isEmpty)
        console.press("3", "T")
        var logged = RuleTest()
        logged.logId = 1199
        #expect(console.takeEffects().contains(.ask(.rules(logged, of: "what req_199 was answered"))))
    }

    @Test func `who only reads may try rules, and change none`() {
        var console = ConsoleDriver(isReadOnly: true)
        console.fill()
        console.press("7", "d")
        #expect(console.footer.contains("read-only"))
        console.press("t")
        #expect(console.text.contains("Try the rules on an answer"))
    }
}
