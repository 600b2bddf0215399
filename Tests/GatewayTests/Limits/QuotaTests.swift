import Operations
import Testing

@testable import Gateway

@Suite struct `Quotas` {
    private static let noon = Timestamp(text: "2026-11-21T12:00:00Z")?.microseconds ?? 0

    private static func ends(_ zone: String = "UTC", after now: Int = noon) -> QuotaEnds {
        QuotaEnds(zone: zone, after: now)
    }

    private static func state(_ quota: Quota, _ file: WindowFile) -> (LimiterState, QuotaCount) {
        let count = file.quota(LimitKey(scope: .clientKey, id: 1))
        count.set(quota, ends())
        var state = LimiterState()
        state.setQuota(1, CountedQuota(quota: quota, count: count))
        return (state, count)
    }

    private static func file(_ folder: TemporaryFolder) throws -> WindowFile {
        try WindowFile(path: folder.path + "/counts", LimitClock.Reading(boot: 1, uptime: 0, wall: 0))
    }

    @Test(
        arguments: [
            ("UTC", QuotaPeriod.day, "2026-11-22T00:00:00Z"), ("UTC", .week, "2026-11-23T00:00:00Z"),
            ("UTC", .month, "2026-12-01T00:00:00Z"), ("Asia/Shanghai", .day, "2026-11-21T16:00:00Z"),
            ("America/New_York", .month, "2026-12-01T05:00:00Z"),
            ("Nowhere/None", .day, "2026-11-22T00:00:00Z"),
        ]
    )
    func `periods end by the calendar of the zone`(zone: String, period: QuotaPeriod, end: String) {
        #expect(Self.ends(zone)[period] == Timestamp(text: end)?.microseconds)
        #expect(Self.ends(zone)[.none] == 0)
    }

    @Test func `quotas are looked at when a period has begun, and not every second`() throws {
        let folder = try TemporaryFolder()
        let limiter = try Gateway.Limiter(
            path: folder.path + "/counts",
            zone: "UTC",
            inbox: NotificationInbox()
        )
        let day = 86_400_000_000
        let midnight = Self.ends()[.day]
        #expect(limiter.rollOver(zone: "UTC", now: Self.noon) != nil, "once at the start")
        #expect([1, 2].allSatisfy { limiter.rollOver(zone: "UTC", now: Self.noon + $0) == nil })
        #expect(limiter.rollOver(zone: "UTC", now: midnight - 1) == nil)
        #expect(limiter.rollOver(zone: "UTC", now: midnight)?[.day] == midnight + day)
        #expect(limiter.rollOver(zone: "UTC", now: midnight + 1) == nil)
        #expect(limiter.rollOver(zone: "Asia/Shanghai", now: midnight + 2) != nil, "another zone")
        #expect(limiter.rollOver(zone: "Asia/Shanghai", now: Self.noon) != nil, "a clock that was set back")
    }

    @Test func `a key's quota that has begun anew gets nothing back of before`() throws {
        let folder = try TemporaryFolder()
        let quota = Quota(unit: .requests, total: 5, period: .day)
        let file = try Self.file(folder)
        defer { withExtendedLifetime(file) {} }
        let count = file.quota(LimitKey(scope: .upstreamKey, id: 1))
        count.set(quota, Self.ends())
        let moment = KeyPoolState.Moment(now: 0)
        var pool = KeyPoolState()
        pool.configure([.init(id: 1)], .roundRobin) { _ in HealthStateMachine() }
        pool.setQuota(1, CountedQuota(quota: quota, count: count), moment)
        #expect(pool.choose(.init(), moment) == .key(1) && count.used == 1)
        let before = pool.quotaEpoch(of: 1)
        pool.set(used: 3, of: 1, moment)
        pool.giveBack(1, epoch: before)
        pool.giveBack(1, epoch: nil)
        #expect(count.used == 3)
        pool.giveBack(1, epoch: pool.quotaEpoch(of: 1))
        #expect(count.used == 2)
    }

    @Test func `limits, quotas and stand-ins are bounded`() throws {
        func limited(_ number: Int) throws -> Int? {
            try Change.set(RateLimits(minute: number).change).applied(to: RateLimits()).requestsPerMinute
        }
        let most = RateLimits.range.upperBound
        #expect(try limited(1) == 1 && limited(most - 1) == most - 1 && limited(most) == most)
        for wrong in [0, most + 1] { #expect(throws: OperationsError.self) { try limited(wrong) } }
        let total = Quota.range.upperBound
        for right in [1, total - 1, total] {
            #expect(try QuotaChange(total: right).applied(to: nil).total == right)
        }
        for wrong in [0, total + 1] {
            #expect(throws: OperationsError.self) { try QuotaChange(total: wrong).applied(to: nil) }
        }
        let slugs = (1...9).map { "u\($0)" }
        #expect(
            [7, 8].allSatisfy { DefinitionRules.fault(inFallbacks: Array(slugs.prefix($0)), of: "a") == nil }
        )
        #expect(DefinitionRules.fault(inFallbacks: slugs, of: "a") != nil)
    }

    @Test func `a day that clocks make longer ends at its midnight`() {
        let before = Timestamp(text: "2026-10-25T00:30:00Z")?.microseconds ?? 0
        let ends = Self.ends("Europe/Berlin", after: before)
        #expect(ends[.day] == Timestamp(text: "2026-10-25T23:00:00Z")?.microseconds)
    }

    @Test func `requests are counted once they are sent, and given back when they are not`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        var (state, count) = Self.state(Quota(unit: .requests, total: 2, period: .none), file)
        func admit() -> LimiterState.Admitted? {
            guard case .admitted(let admitted) = state.admit(upstream: 9, clientKey: 1, now: 0) else {
                return nil
            }
            return admitted
        }
        let first = try #require(admit())
        let second = try #require(admit())
        #expect(admit() == nil && count.used == 2)
        state.release(first, wasSent: false, tokens: nil)
        state.release(second, wasSent: true, tokens: nil)
        #expect(count.used == 1)
        withExtendedLifetime(file) {}
    }

    @Test func `tokens are reserved and settled, and an estimate stays where nobody reports`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        var (state, count) = Self.state(Quota(unit: .tokens, total: 100, period: .day), file)
        func run(reserve: Int, tokens: Int?, wasSent: Bool = true) -> Bool {
            guard case .admitted(var admitted) = state.admit(upstream: 9, clientKey: 1, now: 0),
                state.reserve(tokens: reserve, for: &admitted) == nil
            else { return false }
            state.release(admitted, wasSent: wasSent, tokens: tokens)
            return true
        }
        #expect(run(reserve: 60, tokens: 45) && count.used == 45)
        #expect(run(reserve: 50, tokens: nil, wasSent: false) && count.used == 45)
        #expect(!run(reserve: 56, tokens: 1) && count.used == 45, "more is wanted than is left")
        #expect(run(reserve: 30, tokens: nil) && count.used == 75)
        #expect(
            run(reserve: 25, tokens: 80) && count.used == 155,
            "what was used counts, also above the total"
        )
        guard case .refused(let refused) = state.admit(upstream: 9, clientKey: 1, now: 0) else {
            Issue.record("admitted above the quota")
            return
        }
        let refusal = refused.refusal(nil, now: Self.noon)
        #expect(refusal.code == .quotaExceeded && refusal.parameter == "client_key.quota")
        #expect(refusal.retryAfter == 12 * 3600 + 1)
        state.rollOver(now: Self.noon + 12 * 3_600_000_000, Self.ends(after: Self.noon + 12 * 3_600_000_000))
        #expect(count.used == 0 && run(reserve: 1, tokens: 1))
        withExtendedLifetime(file) {}
    }

    @Test func `what was reserved before a new period is not given back in it`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        var (state, count) = Self.state(Quota(unit: .tokens, total: 10_000, period: .day), file)
        guard case .admitted(var old) = state.admit(upstream: 9, clientKey: 1, now: 0) else {
            Issue.record("refused")
            return
        }
        #expect(state.reserve(tokens: 4000, for: &old) == nil)
        count.set(used: 0)
        count.add(280)
        state.release(old, wasSent: true, tokens: 13)
        #expect(count.used == 293)
        withExtendedLifetime(file) {}
    }

    @Test func `what a provider makes up harms nobody`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        let (_, count) = Self.state(Quota(unit: .tokens, total: 10, period: .none), file)
        for _ in 0..<20 { count.add(.max) }
        #expect(count.used > 1 << 50)
        let again = try WindowFile(
            path: folder.path + "/counts",
            LimitClock.Reading(boot: 1, uptime: 5, wall: 5)
        )
        #expect(again.quota(LimitKey(scope: .clientKey, id: 1)).used == count.used, "still used up")
        count.add(-.max)
        #expect(count.used == 0)
        withExtendedLifetime(file) {}
    }

    @Test func `a time of day that was wrong for a while does not put the end off`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        let (_, count) = Self.state(Quota(unit: .requests, total: 10, period: .day), file)
        let years = Self.noon + 4 * 365 * 86_400_000_000
        #expect(count.rollOver(now: years, .day, Self.ends(after: years)))
        #expect(!count.rollOver(now: Self.noon, .day, Self.ends()) && count.end == Self.ends()[.day])
        withExtendedLifetime(file) {}
    }

    @Test func `another unit begins at nothing`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        let (_, count) = Self.state(Quota(unit: .tokens, total: 10_000, period: .day), file)
        count.add(5000)
        count.set(Quota(unit: .tokens, total: 20_000, period: .month), Self.ends())
        #expect(count.used == 5000)
        count.set(Quota(unit: .requests, total: 20_000, period: .month), Self.ends())
        #expect(count.used == 0)
        withExtendedLifetime(file) {}
    }

    @Test func `what is used survives, and a period that ended meanwhile begins anew`() throws {
        let folder = try TemporaryFolder()
        let file = try Self.file(folder)
        let (_, count) = Self.state(Quota(unit: .requests, total: 50, period: .week), file)
        count.add(17)
        let again = try WindowFile(
            path: folder.path + "/counts",
            LimitClock.Reading(boot: 1, uptime: 5, wall: 5)
        )
        let kept = again.quota(LimitKey(scope: .clientKey, id: 1))
        kept.set(
            Quota(unit: .requests, total: 50, period: .week),
            Self.ends(after: Self.noon + 86_400_000_000)
        )
        #expect(kept.used == 17 && kept.end == Self.ends()[.week])
        let later = Self.noon + 8 * 86_400_000_000
        #expect(kept.rollOver(now: later, .week, Self.ends(after: later)) && kept.used == 0)
        #expect(!kept.rollOver(now: later, .week, Self.ends(after: later)))
        kept.set(Quota(unit: .requests, total: 9, period: .none), Self.ends())
        #expect(kept.end == 0 && !kept.rollOver(now: .max / 4, .none, Self.ends()))
        withExtendedLifetime(file) {}
    }

    @Test(
        arguments: [
            ("1000000 tokens/month", Quota(unit: .tokens, total: 1_000_000, period: .month)),
            ("500 requests", Quota(unit: .requests, total: 500, period: .none)),
            ("500 tokens / day", Quota(unit: .tokens, total: 500, period: .day)), ("none", nil), ("", nil),
        ]
    )
    func `a quota is written as people write it`(text: String, quota: Quota?) throws {
        #expect(try Quota.parse(text) == quota)
        if let quota { #expect(try Quota.parse(quota.text) == quota) }
        for wrong in ["0 tokens", "5 apples", "5 tokens/fortnight", "tokens", "-3"] {
            #expect(throws: OperationsError.self) { try Quota.parse(wrong) }
        }
    }

    @Test(
        arguments: [
            ("60/minute 1000/hour 5/d 8 at once", RateLimits(minute: 60, hour: 1000, day: 5, concurrency: 8)),
            ("3/m, 2 at once", RateLimits(minute: 3, concurrency: 2)), ("none", RateLimits()),
            ("", RateLimits()),
        ]
    )
    func `limits are written as people write them`(text: String, limits: RateLimits) throws {
        #expect(try RateLimits(text: text) == limits && RateLimits(text: limits.text) == limits)
        for wrong in ["60", "60/second", "0/minute", "1/m 2/m", "x at once", "8 at", "1/"] {
            #expect(throws: OperationsError.self, "\(wrong)") { try RateLimits(text: wrong) }
        }
    }
}
