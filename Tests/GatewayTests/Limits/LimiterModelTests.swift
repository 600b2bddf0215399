import Operations
import Testing

@testable import Gateway

/// Admission by all windows of three scopes against lists of every time, over deaths and restarts of the process.
@Suite struct `Limiter` {
    private typealias Oracle = `Sliding window`.Oracle

    /// One scope as lists.
    private struct Model {
        var windows: [(window: LimitWindow, oracle: Oracle)]
        let concurrency: Int?
        var inFlight = 0

        init(_ limits: RateLimits) {
            windows = LimitWindow.allCases.compactMap { window in
                limits[window].map { (window, Oracle(length: window.length * 1_000_000, limit: $0)) }
            }
            concurrency = limits.concurrency
        }

        mutating func admits(now: Int) -> Bool {
            for index in windows.indices
            where windows[index].oracle.count(now: now) >= windows[index].oracle.limit {
                return false
            }
            return concurrency.map { inFlight < $0 } ?? true
        }

        mutating func take(now: Int) {
            for index in windows.indices { windows[index].oracle.take(now: now) }
            inFlight += 1
        }
    }

    private static let limits: [LimitKey: RateLimits] = [
        .global: RateLimits(minute: 9, day: 1000, concurrency: 8),
        LimitKey(scope: .upstream, id: 1): RateLimits(hour: 200),
        LimitKey(scope: .upstream, id: 2): RateLimits(minute: 5, concurrency: 3),
        LimitKey(scope: .clientKey, id: 1): RateLimits(minute: 3, hour: 60, day: 400),
        LimitKey(scope: .clientKey, id: 2): RateLimits(minute: 4),
    ]

    @Test func `a million steps admit what lists would, over deaths of the process`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/limits.counts"
        var now = 1000
        var state = LimiterState()
        func restart() throws {
            // Nothing is closed or written before: what is in the file is what a killed process leaves there.
            let file = try WindowFile(path: path, LimitClock.Reading(boot: 7, uptime: now, wall: now))
            state = LimiterState()
            for (key, limits) in Self.limits {
                var windows = ScopeWindows()
                windows.concurrency = limits.concurrency
                windows.windows = LimitWindow.allCases.compactMap { window in
                    limits[window].map { limit in
                        let counts = file.window(key, window, limit: limit, now: now)
                        return ScopeWindows.Entry(window: window, counts: counts)
                    }
                }
                state.set(key, windows)
            }
            files.append(file)
        }
        var files: [WindowFile] = []
        var models = Self.limits.mapValues(Model.init)
        var running: [(admitted: LimiterState.Admitted, keys: [LimitKey])] = []
        var random = SeededRandom(seed: 4)
        var admitted = 0
        try restart()
        for step in 0..<1_000_000 {
            now += random.below(50) == 0 ? random.below(40_000_000) : random.below(1_000_000)
            if step % 100_000 == 99_999 {
                try restart()
                running = []
                for key in models.keys { models[key]?.inFlight = 0 }
            }
            if !running.isEmpty, random.below(3) > 0 {
                let ended = running.remove(at: random.below(running.count))
                state.release(ended.admitted, wasSent: true, tokens: nil)
                for key in ended.keys { models[key]?.inFlight -= 1 }
            }
            let (upstream, clientKey) = (1 + random.below(3), 1 + random.below(3))
            let keys: [LimitKey] = [
                .global, LimitKey(scope: .upstream, id: upstream), LimitKey(scope: .clientKey, id: clientKey),
            ]
            var isAdmitted = true
            for key in keys { isAdmitted = (models[key]?.admits(now: now) ?? true) && isAdmitted }
            switch state.admit(upstream: upstream, clientKey: clientKey, now: now) {
            case .admitted(let what) where isAdmitted:
                admitted += 1
                for key in keys { models[key]?.take(now: now) }
                running.append((what, keys))
            case .refused(.limit(let scope, let breach)) where !isAdmitted:
                guard case .window(let kind) = breach.kind,
                    let key = keys.first(where: { $0.scope == scope }),
                    let window = models[key]?.windows.first(where: { $0.window == kind })
                else { continue }
                guard breach.wait == window.oracle.leaves - now else {
                    Issue.record(
                        "step \(step): a wait of \(breach.wait), not \(window.oracle.leaves - now)"
                    )
                    return
                }
            case let decision:
                Issue.record("step \(step): \(decision), where lists say \(isAdmitted)")
                return
            }
        }
        #expect(admitted > 5000 && files.count == 11)
    }

    @Test func `a refusal by one window costs nothing in the others`() throws {
        let folder = try TemporaryFolder()
        let file = try WindowFile(
            path: folder.path + "/limits.counts",
            LimitClock.Reading(boot: 1, uptime: 0, wall: 0)
        )
        var state = LimiterState()
        let key = LimitKey(scope: .clientKey, id: 5)
        var windows = ScopeWindows()
        windows.windows = [
            ScopeWindows.Entry(window: .minute, counts: file.window(key, .minute, limit: 2, now: 0)),
            ScopeWindows.Entry(window: .hour, counts: file.window(key, .hour, limit: 10, now: 0)),
        ]
        state.set(key, windows)
        for _ in 0..<50 { _ = state.admit(upstream: 1, clientKey: 5, now: 1_000_000) }
        let standings = state.scopes[key]?.standings(now: 1_000_000) ?? []
        #expect(standings.map(\.current) == [2, 2])
        #expect(standings.map(\.wait) == [60_000_000, 0])
        guard case .refused(let refused) = state.admit(upstream: 1, clientKey: 5, now: 31_500_000) else {
            Issue.record("a third request was admitted")
            return
        }
        let refusal = refused.refusal(nil, now: 0)
        #expect(refusal.parameter == "client_key.minute" && refusal.retryAfter == 30)
    }

    @Test func `those under way are known to a limit that comes back`() {
        var state = LimiterState()
        let key = LimitKey(scope: .clientKey, id: 1)
        var two = ScopeWindows()
        two.concurrency = 2
        func admit() -> LimiterState.Admitted? {
            guard case .admitted(let admitted) = state.admit(upstream: 1, clientKey: 1, now: 0) else {
                return nil
            }
            return admitted
        }
        state.set(key, two)
        let first = [admit(), admit()].compactMap(\.self)
        #expect(first.count == 2 && admit() == nil)
        state.set(key, nil)
        let unlimited = admit()
        state.set(key, two)
        #expect(admit() == nil && state.scopes[key]?.inFlight == 3)
        for one in first + [unlimited].compactMap(\.self) { state.release(one, wasSent: true, tokens: nil) }
        #expect(state.scopes[key]?.inFlight == 0 && admit() != nil)
        state.set(key, nil)
        #expect(state.scopes.count == 1)
    }
}
