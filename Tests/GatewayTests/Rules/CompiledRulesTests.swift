import Foundation
import Operations
import Testing

@testable import Gateway

@Suite struct `Rules` {
    private func outcome(
        _ status: Int?,
        _ body: String = "",
        headers: [(String, String)] = [],
        error: RuleError? = nil
    ) -> AttemptOutcome {
        var outcome = AttemptOutcome()
        (outcome.status, outcome.error, outcome.model) = (status, error, "gpt-4o")
        outcome.headers = headers.map { (name: $0.0, value: $0.1) }
        outcome.body = Array(body.utf8)
        return outcome
    }

    private func judge(_ outcome: AttemptOutcome) throws -> Judgement {
        OutcomeJudge(rules: try CompiledRules(DefaultRules.all)).judge(outcome, now: 0) { _ in false }
    }

    @Test(
        arguments: [
            (401, "", "dead credential"), (402, "", "payment required"),
            (429, #"{"error":{"code":"insufficient_quota"}}"#, "out of quota"),
            (429, "slow down", "throttled"),
            (429, "您的余额不足", "out of quota"),
            (403, #"{"error":{"code":"account_deactivated"}}"#, "refused credential"),
            (
                400,
                #"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"#
                    + #""INVALID_ARGUMENT"}}]"#, "refused credential"
            ),
            (
                400,
                #"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to "#
                    + #"access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
                "refused for quota"
            ),
            (403, #"{"error":{"message":"用户额度不足 (request id: 20abc)","type":"x"}}"#, "refused for quota"),
            (
                403, #"{"error":{"message":"n {0}","param":null,"code":"insufficient_quota"}}"#,
                "refused for quota"
            ),
            (400, #"{"code":"Arrearage","message":"Access denied.","request_id":"1"}"#, "refused for quota"),
            (400, "data: {\"error\": {\"type\": \"billing_not_active\"}}\n\n", "refused for quota"),
            (
                403, #"{"error":{"message":"令牌额度不足","code":"pre_consume_token_quota_failed"}}"#,
                "refused for quota"
            ),
            (
                400, #"{"error":{"message":"API Key not found. Please pass a valid API key."}}"#,
                "refused credential"
            ),
            (
                400,
                #"{"code":"x","error":"Incorrect API key provided: sk***gA. You can obtain an API key from https://console.x.ai."}"#,
                "refused credential"
            ),
            (
                400,
                #"{"error":{"details":[],"message":"Your credit balance is too low to access the Anthropic API. Please go "#
                    + #"to Plans \u0026 Billing to upgrade or purchase credits."}}"#,
                "refused for quota"
            ),
            (403, "event: error\ndata: {\"error\":{\"code\":\"invalid_api_key\"}}\n\n", "refused credential"),
            (
                429,
                #"{"error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit."}}"#,
                "throttled"
            ),
            (
                429,
                #"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000","code":"x"}}"#,
                "request beyond a limit"
            ),
            (404, "The model `gpt-9` does not exist", "model not there"), (503, "", "overloaded"),
            (529, "", "overloaded"),
            (200, "insufficient_quota", nil), (404, "no such page", nil), (500, "", nil),
            (403, "region", nil),
        ] as [(Int, String, String?)]
    )
    func `the default rules tell answers apart`(status: Int, body: String, name: String?) throws {
        #expect(try judge(outcome(status, body)).ruleName == name)
    }

    /// The provider repeats what the caller has sent: nothing of it may be held against a key.
    @Test(
        arguments: [
            #"{"detail":[{"input":{"error":{"code":"insufficient_quota"}},"msg":"x"}]}"#,
            #"{"detail":[{"input":{"code":"invalid_api_key"}}]}"#,
            #"{"object":"error","message":"[{'input': {'code': 'insufficient_quota'}}]","code":400}"#,
            #"{"error":{"message":"bad: {\"code\": \"insufficient_quota\"}","type":"bad_request"}}"#,
            #"{"error":{"message":"\\\",\"code\":\"insufficient_quota\"","code":400}}"#,
            #"{"error":{"message":"insufficient balance is not a valid model ID","code":400}}"#,
            #"{"error":{"message":"API key expired. Please renew the API key. is no model"}}"#,
            #"{"error":{"param":{"code":"insufficient_quota"},"message":"x"}}"#,
            #"{"echo":["x"],"code":"insufficient_quota"}"#,
            #"{"error":"\"},\"code\":\"insufficient_quota\""}"#,
            #"Json deserialize error: unknown variant `{"code":"invalid_api_key"}`, expected one of `x`"#,
            #"Bad request: /v1/{"code":"account_deactivated"}"#, #"[1,2,{"code":"invalid_api_key"}]"#,
            #"data: unknown {"code":"invalid_api_key"}"#, #"<html>{"type":"insufficient_quota"}"#,
            #"{"error":"Incorrect API key provided: x. You can obtain an API key from https://a is no model"}"#,
            "insufficient_quota", "用户额度不足", #""code":"insufficient_quota""#,
        ],
        [400, 403]
    )
    func `a caller cannot speak against a key`(body: String, status: Int) throws {
        let judgement = try judge(outcome(status, body))
        #expect(judgement.ruleName == nil && judgement.repeats == .no)
        #expect(judgement.verdict == (status == 400 ? .good : .untold))
    }

    /// An event's fields may stand before the object; a longer text is none.
    @Test(arguments: [63, 64, 65])
    func `a time of return is read of an object that stands first`(before: Int) {
        let text = String(repeating: " ", count: before) + #"{"error":{"resets_in_seconds":9}}"#
        #expect(ResetTime.find(in: outcome(429, text), now: 0) == (before <= 64 ? 9_000_000 : nil))
    }

    @Test func `the documents name every default rule`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/pool.md"), encoding: .utf8)
        for rule in DefaultRules.all { #expect(page.contains("| \(rule.name) |"), "\(rule.name)") }
    }

    @Test func `quota goes before throttling, and each does its own`() throws {
        let quota = try judge(outcome(429, "insufficient_quota", headers: [("retry-after", "7")]))
        #expect(quota.repeats == .nextKey && !quota.counts && quota.notifies)
        #expect(quota.verdict == .exhausted(until: 7_000_000, "status 429 (out of quota)"))
        // What is said to end at once is asked again, but not by every request.
        let soon = try judge(outcome(429, "insufficient_quota", headers: [("retry-after", "0")]))
        #expect(soon.verdict == .exhausted(until: 60_000_000, "status 429 (out of quota)"))
        #expect(
            try judge(outcome(429, "insufficient_quota")).verdict
                == .exhausted(until: nil, "status 429 (out of quota)")
        )
        let throttled = try judge(outcome(429, "", headers: [("retry-after", "7")]))
        guard case .rest(let rest) = throttled.verdict else {
            Issue.record("\(throttled.verdict)")
            return
        }
        #expect(rest.until == 7_000_000 && rest.isThrottling && !throttled.counts)
    }

    @Test func `what a provider may have worked on is not repeated`() throws {
        for status in [500, 502, 504, 524] { #expect(try judge(outcome(status)).repeats == .no) }
        for error in [RuleError.timeout, .reset, .truncated, .invalid] {
            let judgement = try judge(outcome(nil, error: error))
            #expect(judgement.repeats == .no)
            guard case .transient = judgement.verdict else {
                Issue.record("\(error) is not transient")
                return
            }
        }
        for error in [RuleError.connect, .tls] {
            #expect(try judge(outcome(nil, error: error)).repeats == .nextKey)
        }
    }

    @Test func `a caller's fault shows that the key works`() throws {
        for status in [200, 204, 400, 404, 409, 413, 422, 501] {
            #expect(try judge(outcome(status)).verdict == .good)
        }
    }

    @Test func `every part of a condition must hold`() throws {
        var rule = Rule(id: 1, name: "all", when: RuleCondition(), then: [RuleAction(.banKey)])
        rule.when.status = [StatusRange(400...499)]
        rule.when.header = [HeaderMatch(name: "X-Why", contains: "quota")]
        rule.when.bodyContains = ["Nope", "GONE"]
        rule.when.bodyRegex = "code\\D+(7|8)"
        rule.when.bodyJson = JSONMatch(path: "error.code", equals: "7")
        rule.when.latencyOverMs = 10
        let rules = try CompiledRules([rule])
        var good = outcome(418, #"{"text":"gone","error":{"code":7}}"#, headers: [("x-why", "over QUOTA")])
        good.latencyMilliseconds = 11
        #expect(rules.first(good) { _ in true }?.id == 1)
        let spoilt: [(inout AttemptOutcome) -> Void] = [
            { $0.status = 500 }, { $0.headers = [] }, { $0.body = Array(#"{"error":{"code":7}}"#.utf8) },
            { $0.body = Array(#"{"text":"gone","error":{"code":9}}"#.utf8) }, { $0.latencyMilliseconds = 10 },
        ]
        for spoil in spoilt {
            var bad = good
            spoil(&bad)
            #expect(rules.first(bad) { _ in true } == nil)
            #expect(rules.explain(bad).first?.mismatch != nil)
        }
        #expect(rules.explain(good).first?.mismatch == nil)
    }

    @Test func `a rule on an error looks into what came before it`() throws {
        var rule = Rule(id: 3, name: "cut", when: RuleCondition(), then: [RuleAction(.retryNextKey)])
        (rule.when.error, rule.when.bodyContains) = ([.reset], ["boom"])
        let rules = try CompiledRules([rule])
        #expect(rules.first(outcome(500, "boom", error: .reset)) { _ in true }?.id == 3)
    }

    private static let contradictions: [@Sendable (inout Rule) -> Void] = [
        { $0.then = [RuleAction(.notify), RuleAction(.notify)] },
        { $0.then = [RuleAction(.banKey), RuleAction(.cooldownKey, seconds: 5)] },
        { $0.then = [RuleAction(.notify, seconds: 5)] }, { $0.when.status = [] },
        { $0.when.latencyOverMs = -1 }, { $0.when.latencyOverMs = 86_400_001 },
        { $0.when.bodyJson = JSONMatch(path: "", equals: "x") },
        { $0.when.bodyJson = JSONMatch(path: "a..b", equals: "x") },
    ]

    @Test(arguments: contradictions.indices)
    func `what contradicts itself is not made, and is served where it is there`(index: Int) throws {
        var rule = Rule(id: 1, name: "x", when: RuleCondition(), then: [RuleAction(.banKey)])
        Self.contradictions[index](&rule)
        #expect(throws: OperationsError.self) { try RuleChecks.checkNew(rule) }
        _ = try CompiledRules([rule])
    }

    @Test func `the default rules could be made by an operator, as text, too`() throws {
        for rule in DefaultRules.all {
            try RuleChecks.checkNew(rule)
            #expect(try RuleText(parsing: RuleText(rule).text) == RuleText(rule))
        }
        var slow = Rule(id: 1, name: "x", when: RuleCondition(), then: [RuleAction(.notify)])
        for latency in [0, 86_399_999, 86_400_000] {
            slow.when.latencyOverMs = latency
            try RuleChecks.checkNew(slow)
        }
    }

    @Test func `the index of many rules finds what looking at each of them would`() throws {
        var random = SeededRandom(seed: 11)
        func pick<Value>(_ values: [Value]) -> Value { values[random.below(values.count)] }
        for _ in 0..<40 {
            let rules = (1...60).map { number in
                var rule = Rule(
                    id: number,
                    name: "r\(number)",
                    when: RuleCondition(),
                    then: [RuleAction(.notify)]
                )
                if pick([true, false]) {
                    rule.when.status = [pick([StatusRange(429...429), StatusRange(500...599)])]
                }
                if pick([0, 1, 2, 3]) == 0 { rule.when.error = [pick([.truncated, .timeout])] }
                if pick([0, 1, 2]) == 0 {
                    rule.when.header = [HeaderMatch(name: "X-A", contains: pick(["one", "TWO"]))]
                }
                if pick([0, 1, 2]) == 0 { rule.when.bodyContains = [pick(["quota", "other", "RATE"])] }
                if pick([0, 1, 2]) == 0 { rule.when.bodyRegex = pick(["c[a-z]+t", "z+"]) }
                if pick([0, 1, 2]) == 0 {
                    rule.when.bodyJson = JSONMatch(
                        path: pick(["error.code", "error", "a.b.c"]),
                        equals: pick(["7", "q", "x"])
                    )
                }
                if pick([0, 1, 2, 3]) == 0 { rule.when.latencyOverMs = pick([10, 1000]) }
                return rule
            }
            let compiled = try CompiledRules(rules)
            for _ in 0..<20 {
                let body = pick([
                    "", "quota cat", #"{"error":{"code":"7"},"a":{"b":{"c":"x"}}}"#,
                    #"{"error":"q","rate":1}"#,
                    #"{"error":{"code":"7"},"error":"q"}"#,
                ])
                var answer = outcome(pick([429, 500, 200]), body, headers: pick([[], [("x-a", "One two")]]))
                if pick([0, 1, 2, 3]) == 0 { answer.error = pick([.truncated, .timeout]) }
                answer.latencyMilliseconds = pick([5, 500, 5000])
                let expected = compiled.explain(answer).first { $0.mismatch == nil }?.rule.id
                #expect(compiled.first(answer) { _ in true }?.id == expected)
            }
        }
    }

    @Test func `an answer that broke off is no success, and rules on that are asked`() throws {
        #expect(OutcomeJudge.plain(outcome(200, error: .truncated)) == .transient("status 200"))
        var rule = Rule(id: 7, name: "cut", when: RuleCondition(), then: [RuleAction(.retryNextKey)])
        rule.when.error = [.truncated]
        let rules = try CompiledRules([rule])
        #expect(rules.first(outcome(200, error: .truncated)) { _ in true }?.id == 7)
        #expect(rules.first(outcome(200)) { _ in true } == nil)
    }

    @Test func `a threshold is counted for each key and begins anew`() {
        var thresholds = RuleThresholds()
        var rule = Rule(id: 1, name: "t", when: RuleCondition(), then: [])
        rule.threshold = RuleThreshold(count: 3, seconds: 10)
        let reached = [0, 1, 2, 3, 4, 15, 26].map { thresholds.reached(rule, key: 1, now: $0 * 1_000_000) }
        #expect(reached == [false, false, true, false, false, false, false])
        let other = thresholds.reached(rule, key: 2, now: 2_000_000)
        #expect(!other)
    }

    private typealias Spoil = @Sendable (inout Rule) -> Void

    private static let faults: [(spoil: Spoil, field: String)] = [
        ({ $0.then = [] }, "then"), ({ $0.when.bodyRegex = "(" }, "when.body_regex"),
        ({ $0.name = "" }, "name"), ({ $0.threshold = RuleThreshold(count: 0, seconds: 1) }, "threshold"),
        ({ $0.then = [RuleAction(.retryNextKey), RuleAction(.retrySameKey)] }, "then"),
        ({ $0.then = [RuleAction(.respond)] }, "then"), ({ $0.when.bodyContains = [""] }, "when"),
    ]

    @Test(arguments: faults.indices)
    func `a rule that does not hold is refused by its field`(index: Int) {
        let (spoil, field) = Self.faults[index]
        var rule = Rule(id: 1, name: "x", when: RuleCondition(), then: [RuleAction(.banKey)])
        spoil(&rule)
        do throws(OperationsError) {
            _ = try CompiledRules([rule])
            Issue.record("it was taken")
        } catch {
            #expect(error.parameter == field)
        }
    }

    @Test(arguments: ["(a+)+$", "(a|a)*$", "(.*){20}x", "([a-z]+)*\\d"])
    func `patterns that make others explode are harmless`(pattern: String) throws {
        var rule = Rule(id: 1, name: "x", when: RuleCondition(), then: [RuleAction(.banKey)])
        rule.when.bodyRegex = pattern
        let rules = try CompiledRules([rule])
        let began = ContinuousClock.now
        _ = rules.first(outcome(500, String(repeating: "a", count: 60_000) + "!")) { _ in true }
        #expect(ContinuousClock.now - began < .seconds(2))
    }
}

@Suite struct `First events` {
    @Test(
        arguments: [
            ("", .incomplete), (": ping\n\n", .incomplete), ("data: {\"a\":1}\n", .incomplete),
            ("data: {\"choices\":[]}\n\n", .answer), ("data: [DONE]\n\n", .answer),
            ("event: x\n\ndata: {}\r\n\r\n", .answer),
            ("data: {\"error\":null,\"id\":1}\n\n", .answer),
            ("data: {\"error\":\"\",\"id\":1}\n\n", .answer),
            ("data: {\"error\":{},\"id\":1}\n\n", .answer),
            ("data: {\"error\":{\"type\":\"timeout_error\"}}\n\n", .failure(status: 504)),
            ("data: {\"error\":{\"message\":\"m\",\"code\":429}}\n\n", .failure(status: 429)),
            ("data:{\"error\":{\"type\":\"rate_limit_error\"}}\n\n", .failure(status: 429)),
            (
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
                .failure(status: 529)
            ),
            ("event: error\r\ndata: oops\r\n\r\n", .failure(status: 500)),
            ("data: {\"error\":{\"type\":\"api_error\"}}\n\n", .failure(status: 500)),
            ("data: {\"error\":0}\n\n", .answer),
            ("data: {\"error\":{\"code\":0,\"message\":\"success\"}}\n\n", .answer),
            ("data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n", .failure(status: 429)),
        ] as [(String, FirstEvent)]
    )
    func `errors in place of an answer are told from answers`(text: String, event: FirstEvent) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBytes(FirstEvent.read) == event)
    }
}

@Suite struct `Repeat budget` {
    @Test func `a key's own trouble takes no attempt, but all have an end`() {
        var budget = RepeatBudget(RetryPolicy(), from: 0)
        for _ in 0..<2 { budget.failed(counts: true) }
        #expect(budget.allowsAnother(now: 0))
        for _ in 0..<10 { budget.failed(counts: false) }
        #expect(budget.allowsAnother(now: 0) && !budget.allowsAnother(now: 60_000_000))
        for _ in 0..<20 { budget.failed(counts: false) }
        #expect(!budget.allowsAnother(now: 0))
    }

    @Test func `waits grow, differ and are bounded`() {
        var budget = RepeatBudget(RetryPolicy(), from: 0)
        #expect(budget.wait(counts: false, random: 7) == 0)
        var longest: [Int] = []
        for _ in 0..<12 {
            budget.failed(counts: true)
            let waits = (0..<200).map { budget.wait(counts: true, random: UInt64($0) &* 7_919) }
            #expect(Set(waits).count > 1)
            longest.append(waits.max() ?? 0)
        }
        #expect(longest[0] < longest[3] && longest.allSatisfy { $0 <= 1500 })
    }
}
