import Operations
import Testing

@testable import Gateway

/// Keys with limits of their own: never over them, and back by themselves.
@Suite struct `Limits of upstream keys` {
    private static let second = 1_000_000

    private static func pool(
        _ folder: TemporaryFolder,
        keys: Int,
        _ limits: RateLimits
    ) throws -> (KeyPoolState, WindowFile) {
        let reading = LimitClock.Reading(boot: 1, uptime: 0, wall: 0)
        let file = try WindowFile(path: folder.path + "/counts", reading)
        var pool = KeyPoolState()
        pool.configure((1...keys).map { KeyPoolState.Member(id: $0) }, .roundRobin) { _ in
            HealthStateMachine()
        }
        for id in 1...keys {
            var windows = ScopeWindows()
            windows.concurrency = limits.concurrency
            windows.windows = LimitWindow.allCases.compactMap { window in
                let key = LimitKey(scope: .upstreamKey, id: id)
                return limits[window].map {
                    ScopeWindows.Entry(window: window, counts: file.window(key, window, limit: $0, now: 0))
                }
            }
            pool.setWindows(id, windows, KeyPoolState.Moment(now: 0))
        }
        return (pool, file)
    }

    @Test func `a key at its limit is passed over until its window has room`() throws {
        let folder = try TemporaryFolder()
        var (pool, file) = try Self.pool(folder, keys: 2, RateLimits(minute: 3))
        // Mapped memory lives as long as its file.
        defer { withExtendedLifetime(file) {} }
        for _ in 0..<6 {
            guard case .key(let id) = pool.choose(.init(), now: Self.second) else {
                Issue.record("no key, where six requests may be made")
                return
            }
            _ = pool.finished(id, .good, now: Self.second)
        }
        #expect(pool.choose(.init(), now: 2 * Self.second) == .none(returnsAt: 61 * Self.second))
        #expect(
            pool.unusable(limit: 9).map(\.reason)
                == Array(repeating: "at its limit of 3/minute", count: 2)
        )
        #expect(pool.choose(.init(), now: 61 * Self.second - 1) == .none(returnsAt: 61 * Self.second))
        #expect(pool.choose(.init(), now: 61 * Self.second) != .none(returnsAt: nil))
        #expect(pool.slots.allSatisfy { $0.health.state == .active }, "a limit is no illness")
    }

    @Test func `a key has as many requests at once as it may, and another one as soon as one ends`() throws {
        let folder = try TemporaryFolder()
        var (pool, file) = try Self.pool(folder, keys: 1, RateLimits(concurrency: 2))
        // Mapped memory lives as long as its file.
        defer { withExtendedLifetime(file) {} }
        #expect(pool.choose(.init(), now: 0) == .key(1) && pool.choose(.init(), now: 0) == .key(1))
        #expect(pool.choose(.init(), now: 0) == .none(returnsAt: nil))
        _ = pool.finished(1, .good, now: 0)
        #expect(pool.choose(.init(), now: 0) == .key(1) && pool.unusableCount == 1)
    }

    @Test func `a limit and an illness of one key end each in its own time`() throws {
        let folder = try TemporaryFolder()
        var (pool, file) = try Self.pool(folder, keys: 1, RateLimits(minute: 1))
        // Mapped memory lives as long as its file.
        defer { withExtendedLifetime(file) {} }
        #expect(pool.choose(.init(), now: 0) == .key(1))
        let rest = KeyVerdict.Rest(
            until: 90 * Self.second,
            length: .seconds(90),
            reason: "429",
            isThrottling: false
        )
        _ = pool.finished(1, .rest(rest), now: 0)
        #expect(pool.choose(.init(), now: 61 * Self.second) == .none(returnsAt: 90 * Self.second))
        #expect(pool.choose(.init(), now: 90 * Self.second) == .key(1))
    }

    @Test func `random requests never take a key over any of its limits`() throws {
        let folder = try TemporaryFolder()
        var (pool, file) = try Self.pool(folder, keys: 5, RateLimits(minute: 4, hour: 50, concurrency: 3))
        // Mapped memory lives as long as its file.
        defer { withExtendedLifetime(file) {} }
        var times: [Int: [Int]] = [:]
        var running: [Int] = []
        var random = SeededRandom(seed: 11)
        var now = 0
        for _ in 0..<30_000 {
            now += random.below(3 * Self.second)
            if !running.isEmpty, random.below(2) == 0 {
                let id = running.remove(at: random.below(running.count))
                _ = pool.finished(id, random.below(9) == 0 ? .transient("x") : .good, now: now)
            }
            guard case .key(let id) = pool.choose(.init(), now: now) else { continue }
            running.append(id)
            times[id, default: []].append(now)
            let recent = times[id, default: []].suffix(60)
            let (minute, hour) = (
                recent.count { $0 + 60 * Self.second > now }, recent.count { $0 + 3600 * Self.second > now }
            )
            guard minute <= 4, hour <= 50, running.count(where: { $0 == id }) <= 3 else {
                Issue.record("key \(id) has \(minute) in a minute and \(hour) in an hour")
                return
            }
        }
        #expect(times.count == 5)
    }
}
