import Foundation
import Operations
import Testing

@testable import Gateway

/// What parts of the hot path take by themselves, against the bars; `make bench-parts`.
///
/// Off in an ordinary run of the tests: they say something of an optimised build on a quiet machine only.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["FASTGATE_BENCH"] != nil))
struct PartBenchmarks {
    /// Prints the median of several rounds, and fails above the bar, both in nanoseconds.
    private func time(_ name: String, bar: Double, rounds: Int = 9, repeats: Int, _ body: (Int) -> Void) {
        let clock = ContinuousClock()
        body(0)
        let figures = (0..<rounds).map { _ in
            let elapsed = clock.measure { for index in 0..<repeats { body(index) } }
            return Double(elapsed.components.attoseconds) / 1e9 / Double(repeats)
                + Double(elapsed.components.seconds) * 1e9 / Double(repeats)
        }.sorted()
        let median = figures[rounds / 2]
        let text =
            "\(name): \(Int(median)) ns (\(Int(figures[0])) to \(Int(figures[rounds - 1])), bar \(Int(bar)))"
        print("PART \(text)")
        #expect(median <= bar, "\(text)")
    }

    @Test(arguments: KeyStrategy.allCases)
    func `a key of thirty thousand`(strategy: KeyStrategy) {
        var pool = KeyPoolState()
        let members = (1...30_000).map { KeyPoolState.Member(id: $0, weight: 1 + $0 % 5) }
        pool.configure(members, strategy) { _ in HealthStateMachine() }
        // Every seventh rests, as keys do.
        for id in stride(from: 7, through: 30_000, by: 7) { pool.set(id) { _ = $0.disable("dead", now: 0) } }
        var random = SystemRandomNumberGenerator()
        let dice = (0..<4096).map { _ in random.next() }
        time("key choice and its end, \(strategy.rawValue)", bar: 2000, repeats: 20_000) { index in
            let moment = KeyPoolState.Moment(now: index)
            let wish = KeyPoolState.Wish(random: dice[index & 4095])
            guard case .key(let id) = pool.choose(wish, moment) else { return }
            _ = pool.finished(id, by: pool.lastAttempt, .good, moment)
        }
    }

    @Test func `all windows of all scopes`() throws {
        let folder = NSTemporaryDirectory() + UUID().uuidString
        defer { unlink(folder) }
        let reading = LimitClock.Reading.now()
        let file = try WindowFile(path: folder, reading)
        var state = LimiterState()
        let start = file.clock.now(reading)
        for key in [LimitKey.global, LimitKey(scope: .upstream, id: 1), LimitKey(scope: .clientKey, id: 1)] {
            var windows = ScopeWindows()
            windows.concurrency = 1000
            windows.windows = LimitWindow.allCases.map { window in
                // One exact, two by parts.
                let limit = window == .minute ? 1000 : 1_000_000_000
                return ScopeWindows.Entry(
                    window: window,
                    counts: file.window(key, window, limit: limit, now: start)
                )
            }
            state.set(key, windows)
        }
        var now = start
        time("nine windows and three counts at once, admitted", bar: 2000, repeats: 100_000) { _ in
            // Slower than the exact windows' limit, so that all are admitted.
            now += 61_000
            guard case .admitted(let admitted) = state.admit(upstream: 1, clientKey: 1, now: now) else {
                Issue.record("refused")
                return
            }
            state.release(admitted, wasSent: true, tokens: nil)
        }
        time("nine windows, refused", bar: 2000, repeats: 100_000) { _ in
            if case .admitted(let admitted) = state.admit(upstream: 1, clientKey: 1, now: now) {
                state.release(admitted, wasSent: true, tokens: nil)
            }
        }
        withExtendedLifetime(file) {}
    }

    @Test func `one of a hundred thousand client keys`() throws {
        let tokens = (0..<100_000).map { _ in ClientKeyToken.generate() }
        var permissions = Permissions()
        permissions.upstreams = ["miniai", "other"]
        permissions.paths = ["/v1/chat/*", "/v2/**"]
        let index = ClientKeyIndex(
            tokens.enumerated().map { number, token in
                let id = Array(token.prefix.utf8.dropFirst(3)).withUnsafeBytes {
                    $0.loadUnaligned(as: UInt64.self)
                }
                return ClientKeyEntry(
                    identity: (number, "key", "owner"),
                    lookupID: id,
                    digest: token.digest,
                    standing: .enabled,
                    expiresAt: 4_000_000_000,
                    permissions: permissions
                )
            }
        )
        let texts = stride(from: 0, to: 100_000, by: 25).map { Array(tokens[$0].text.utf8) }
        let path = Array("/v2/chat/completions".utf8)
        time("client key, its standing and permissions", bar: 2000, repeats: 20_000) { number in
            do {
                let key = try texts[number % texts.count].withUnsafeBytes { (bytes) throws(Refusal) in
                    try index.identify(bytes)
                }
                try key.checkUsable(at: 1000)
                let isAllowed =
                    key.permissions.allowsUpstream("miniai")
                    && path.withUnsafeBytes(key.permissions.allowsPath)
                if !isAllowed { Issue.record("refused") }
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test func `a thousand rules`() throws {
        let rules = (1...1000).map { number in
            var condition = RuleCondition()
            condition.bodyContains = ["word \(number) of many"]
            if number % 3 == 0 { condition.bodyRegex = "code[^0-9]+\(number)([a-z]+)+$" }
            return Rule(
                id: number,
                name: "rule \(number)",
                when: condition,
                then: [RuleAction(.retryNextKey)]
            )
        }
        let judge = OutcomeJudge(rules: try CompiledRules(rules))
        var outcome = AttemptOutcome()
        outcome.status = 429
        outcome.headers = [("content-type", "application/json"), ("retry-after", "7")]
        outcome.body = Array(
            #"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min","code":"rate"}}"#
                .utf8
        )
        time("a thousand rules that look into an answer of 110 bytes", bar: 10_000, repeats: 2000) { _ in
            _ = judge.judge(outcome, now: 0) { _ in true }
        }
    }
}
