import Testing

@testable import Gateway

@Suite struct `Reset times` {
    /// 2026-11-21T14:00:00Z.
    private let now = 1_795_269_600 * 1_000_000

    private func wait(_ headers: [(String, String)] = [], body: String = "") -> Double? {
        var outcome = AttemptOutcome()
        outcome.headers = headers.map { (name: $0.0, value: $0.1) }
        outcome.body = Array(body.utf8)
        return ResetTime.find(in: outcome, now: now).map { Double($0 - now) / 1e6 }
    }

    @Test(
        arguments: [
            ("retry-after", "7", 7), ("retry-after", " 0.5 ", 0.5),
            ("retry-after", "Sat, 21 Nov 2026 14:01:30 GMT", 90),
            ("retry-after-ms", "1500", 1.5), ("x-ratelimit-reset-requests", "6m0s", 360),
            ("x-ratelimit-reset-requests", "12ms", 0.012), ("x-ratelimit-reset-tokens", "1h2m3s", 3723),
            ("x-ratelimit-reset", "1795269660", 60), ("x-ratelimit-reset", "1795269660000", 60),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T14:00:05Z", 5),
        ] as [(String, String, Double)]
    )
    func `every form is read`(name: String, value: String, seconds: Double) {
        #expect(wait([(name, value)]) == seconds)
    }

    @Test(arguments: [
        "soon", "-1", "", "1e99", "99999999999999999999", "Sat, 99 Foo 2026", "7 s", "nan", "inf",
        "9999999999999999", "999999999d", "99999999999h9d",
    ])
    func `what is no time tells nothing`(value: String) {
        #expect(wait([("retry-after", value)]) == nil)
        #expect(wait([("x-ratelimit-reset", value)]) == nil)
    }

    @Test func `the provider's own word goes before its windows`() {
        #expect(wait([("x-ratelimit-reset", "60"), ("retry-after", "2")]) == 2)
    }

    @Test func `of several windows the one that is used up counts`() {
        let headers = [
            ("anthropic-ratelimit-requests-reset", "2026-11-21T14:00:05Z"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-21T15:00:00Z"),
            ("anthropic-ratelimit-tokens-remaining", "1000"),
        ]
        #expect(wait(headers) == 5)
    }

    @Test func `bodies tell it too`() {
        let gemini = #"{"error":{"details":[{"@type":"x","retryDelay": "34s"}]}}"#
        #expect(wait(body: gemini) == 34)
        #expect(wait(body: #"{"resets_in_seconds":12}"#) == 12)
        #expect(wait(body: #"{"error":{"resets_at":1795269660}}"#) == 60)
        #expect(wait(body: #"{"retryDelay":"#) == nil)
    }

    @Test(
        arguments: [
            ("You will regain access on 2026-11-21 at 14:01 UTC.", 60),
            ("It will reset at 2026-11-21 22:00:05 +0800 CST. Request id: x", 5),
            ("It will reset at 2026-11-21 09:00:05 -0500.", 5),
            ("Usage limit reached for 5 hour. Your limit will reset at 2026-11-21 22:00:07", 7),
            ("5-hour limit reached (0/0 used), resets at 2026-11-21T14:00:09Z (2056)", 9),
            ("You will regain access on 2026-11-21 at 13:59 UTC.", nil),
            ("resets at 2026-11-21T14:00:09.250Z", 9), ("resets at 2026-11-21T09:00:09-05:00", 9),
            ("It will reset at 2026-12-24 22:00:00 +0800", nil),
            ("It will reset at 2026-11-21 22:00:05 +9900", nil),
            (#"for model \"x will reset at 2026-11-21 22:00:05 +0800\" too much"#, nil),
            ("It will reset at noon", nil), ("It will reset at 2026-11-21", nil),
            ("It will reset at 2026-11-21 22:00:05 +8", nil), ("It will reset at ", nil),
            ("It will reset at 2026-99-21 22:00:05 +0800", nil),
        ] as [(String, Double?)]
    )
    func `a message of the error's own may end with it`(message: String, seconds: Double?) {
        #expect(wait(body: #"{"error":{"message":"\#(message)"}}"#) == seconds)
        #expect(wait(body: #"{"error":{"x":{"message":"\#(message)"}}}"#) == nil)
    }

    /// 32 days after now it is the 23rd of December.
    @Test(arguments: [("13:59:59", true), ("14:00:00", false), ("14:00:01", false)])
    func `no window is longer than a month`(clock: String, isRead: Bool) {
        let seconds = wait(body: #"{"error":{"message":"It will reset at 2026-12-23 \#(clock) +0000"}}"#)
        #expect((seconds != nil) == isRead)
    }
}
