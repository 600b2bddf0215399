import Operations
import Synchronization

/// The keys of one upstream, for all loops; it outlives snapshots, so that what a key has shown is not forgotten.
final class KeyPool: Sendable {
    /// What an attempt is made with, until `finished` is told of its end.
    struct Loan: Sendable {
        /// nil where the upstream has none, and needs none.
        let key: UpstreamKeyEntry?
        fileprivate let attempt: Int
        /// The key's quota, as often as it has begun anew.
        fileprivate let epoch: UInt64?
        /// Whether others wait for what this attempt finds out.
        var isTrial: Bool
    }

    enum Choice {
        case loan(Loan)
        /// With the whole seconds until one may be used again, if that is known.
        case none(retryAfter: Int?)
    }

    /// A key that was passed over, and how it stands.
    struct Skipped: Sendable {
        let name: String
        let slot: KeyPoolState.Slot
    }

    private struct Content {
        var state = KeyPoolState()
        var entries: [Int: UpstreamKeyEntry] = [:]
        var thresholds = RuleThresholds()

        /// The attempt that was just begun.
        func loan(_ key: UpstreamKeyEntry?) -> Loan {
            let attempt = state.lastAttempt
            return Loan(
                key: key,
                attempt: attempt,
                epoch: key.flatMap { state.quotaEpoch(of: $0.id) },
                isTrial: state.isOnTrial(key?.id, by: attempt)
            )
        }

        /// What an older secret has shown says nothing of the one that has taken its place.
        func isCurrent(_ key: UpstreamKeyEntry?) -> Bool {
            key.flatMap { known in entries[known.id].map { $0.generation == known.generation } } ?? true
        }
    }

    /// A pool of thousands of dead keys must not fill the log with their names.
    static let skippedLimit = 8

    private let content = Mutex(Content())
    private let limiter: Limiter
    /// Told of what is to be kept and shown; called outside the lock.
    private let changed: @Sendable ([PoolChange]) -> Void
    /// Told of each rule that has acted, and when.
    private let acted: @Sendable (RuleActed, Int) -> Void

    init(
        limiter: Limiter,
        changed: @escaping @Sendable ([PoolChange]) -> Void,
        acted: @escaping @Sendable (RuleActed, Int) -> Void
    ) {
        self.limiter = limiter
        self.changed = changed
        self.acted = acted
    }

    /// `upstream`, `kept`: the health of the upstream, and of a key, that is new here, as it was kept.
    func configure(
        _ entries: [UpstreamKeyEntry],
        _ strategy: KeyStrategy,
        longestRest: Duration,
        upstream: HealthStateMachine = HealthStateMachine(),
        kept: (Int) -> HealthStateMachine
    ) {
        limiter.reserve(entries.map { (LimitKey(scope: .upstreamKey, id: $0.id), $0.limits) })
        let moment = KeyPoolState.Moment(now: WallClock.now().microseconds, counting: limiter.clock.now())
        let changes = content.withLock { content in
            content.entries = Dictionary(uniqueKeysWithValues: entries.map { ($0.id, $0) })
            let members = entries.map {
                KeyPoolState.Member(
                    id: $0.id,
                    weight: $0.definition.weight,
                    priority: $0.definition.priority,
                    generation: $0.generation
                )
            }
            content.state.policy.longestRest = longestRest
            content.state.restore(upstream)
            let changes = content.state.configure(members, strategy, kept: kept)
            for entry in entries {
                let had = content.state.slot(entry.id)?.windows
                guard had != nil || !entry.limits.isUnlimited else { continue }
                let windows = limiter.windows(
                    of: LimitKey(scope: .upstreamKey, id: entry.id),
                    entry.limits
                )
                content.state.setWindows(entry.id, windows, moment)
            }
            for entry in entries {
                guard content.state.slot(entry.id)?.quota != nil || entry.quota != nil else { continue }
                let key = LimitKey(scope: .upstreamKey, id: entry.id)
                content.state.setQuota(entry.id, limiter.quota(of: key, entry.quota), moment)
            }
            return changes
        }
        if !changes.isEmpty { changed(changes) }
    }

    // MARK: Requests

    func choose(_ wish: KeyPoolState.Wish, now: Int) -> Choice {
        let moment = KeyPoolState.Moment(now: now, counting: limiter.clock.now())
        let (choice, spent) = content.withLock { content -> (Choice, [PoolChange]) in
            let choice: Choice
            switch content.state.choose(wish, moment) {
            case .key(let id):
                choice =
                    content.entries[id].map { .loan(content.loan($0)) } ?? .none(retryAfter: nil)
            case .unneeded: choice = .loan(content.loan(nil))
            case .none(let returnsAt):
                choice = .none(retryAfter: returnsAt.map { max(1, ($0 - now + 999_999) / 1_000_000) })
            }
            return (choice, content.state.spent.isEmpty ? [] : content.state.takeSpent())
        }
        if !spent.isEmpty { changed(spent) }
        return choice
    }

    /// How many keys may be used, some of those that may not, and how many more of those there are.
    func census(limit: Int = KeyPool.skippedLimit) -> (usable: Int, others: [Skipped], more: Int) {
        content.withLock { content in
            let count = content.state.unusableCount
            guard count > 0 else { return (content.entries.count, [], 0) }
            let others = content.state.unusable(limit: limit).compactMap { slot in
                content.entries[slot.member.id].map { Skipped(name: $0.definition.name, slot: slot) }
            }
            return (content.entries.count - count, others, count - others.count)
        }
    }

    /// What is made of an attempt's outcome; the key is not told yet.
    func judge(_ outcome: AttemptOutcome, key: Int, by rules: CompiledRules, now: Int) -> Judgement {
        let judgement = OutcomeJudge(rules: rules).judge(outcome, now: now) { rule in
            content.withLock { $0.thresholds.reached(rule, key: key, now: now) }
        }
        if let rule = judgement.ruleID {
            acted(
                RuleActed(
                    rule: rule,
                    name: judgement.ruleName ?? "",
                    key: key,
                    reason: outcome.summary,
                    notifies: judgement.notifies && !judgement.verdict.isToldAnyway
                ),
                now
            )
        }
        return judgement
    }

    /// Ends an attempt that `choose` has begun.
    ///
    /// One that has sent nothing costs the key's quota nothing.
    func finished(_ loan: Loan, _ verdict: KeyVerdict, wasSent: Bool, now: Int) {
        let moment = KeyPoolState.Moment(now: now, counting: limiter.clock.now())
        let changes = content.withLock { content in
            let id = loan.key?.id
            if !wasSent, let id { content.state.giveBack(id, epoch: loan.epoch) }
            let verdict = content.isCurrent(loan.key) ? verdict : .untold
            return content.state.finished(id, by: loan.attempt, verdict, moment)
        }
        if !changes.isEmpty { changed(changes) }
    }

    /// Before the end of an attempt that is on trial: its answer has begun well.
    func proved(_ loan: Loan) {
        let changes = content.withLock { content in
            content.isCurrent(loan.key) ? content.state.proved(loan.key?.id, by: loan.attempt) : []
        }
        if !changes.isEmpty { changed(changes) }
    }

    // MARK: By themselves

    /// As `KeyPoolState.timePassed`.
    func timePassed(now: Int) -> (due: Int, resting: Int) {
        content.withLock { $0.state.timePassed(now: now) }
    }

    /// Forgets what is over.
    ///
    /// - Returns: how much that was.
    func cleanUp(now: Int) -> Int {
        content.withLock { $0.thresholds.cleanUp(now: now) + $0.state.cleanUp(now: now) }
    }

    /// As `KeyPoolState.probed`.
    func probed(limit: Int, round: Int) -> [UpstreamKeyEntry] {
        content.withLock { content in
            content.state.probed(limit: limit, round: round).compactMap { content.entries[$0] }
        }
    }

    /// A free question with this key has been answered.
    ///
    /// `key`: nil where the upstream has none.
    func probed(_ key: UpstreamKeyEntry?, _ verdict: ProbeVerdict) {
        let changes = content.withLock { content in
            content.isCurrent(key) ? content.state.probed(key?.id, verdict) : []
        }
        if !changes.isEmpty { changed(changes) }
    }

    // MARK: Operators

    var hasUsableKey: Bool {
        content.withLock { $0.entries.isEmpty || $0.state.unusableCount < $0.entries.count }
    }

    /// Whether requests are under way with keys that are gone.
    var isInUse: Bool { content.withLock { !$0.state.departed.isEmpty } }

    var upstreamHealth: HealthStateMachine { content.withLock(\.state.upstream) }

    func standing(_ key: Int) -> KeyPoolState.Slot? {
        content.withLock { $0.state.slot(key) }
    }

    /// How the windows of its keys stand.
    func standings() -> [(key: UpstreamKeyEntry, standings: [ScopeWindows.Standing])] {
        let now = limiter.clock.now()
        return content.withLock { content in
            content.entries.values.compactMap { entry in
                content.state.slot(entry.id)?.windows.map { (entry, $0.standings(now: now)) }
            }
        }
    }

    /// Puts a key into a state by hand.
    func set(_ key: Int, _ change: (inout HealthStateMachine) -> Void) {
        let health: HealthStateMachine? = content.withLock { content in
            content.state.set(key, change)
            return content.state.slot(key)?.health
        }
        if let health { changed([.key(key, health)]) }
    }

    /// Begins quotas of keys anew whose period is over.
    func rollOver(_ ends: QuotaEnds, now: Int) {
        content.withLock { $0.state.rollOver(ends, now: now) }
    }

    /// Sets what is used of a key's quota.
    func set(used: Int, of key: Int) {
        let moment = KeyPoolState.Moment(now: WallClock.now().microseconds, counting: limiter.clock.now())
        content.withLock { $0.state.set(used: used, of: key, moment) }
    }

    func resetUpstream() {
        let (before, health) = content.withLock { content in
            let before = content.state.upstream
            content.state.resetUpstream()
            return (before, content.state.upstream)
        }
        if before != health { changed([.upstream(health)]) }
    }
}

/// The pools of all upstreams by id.
final class PoolRegistry: Sendable {
    private let pools = Mutex<[Int: KeyPool]>([:])
    private let keeper: PoolKeeper
    private let limiter: Limiter
    private let news: PoolNews

    init(keeper: PoolKeeper, limiter: Limiter, news: PoolNews) {
        self.keeper = keeper
        self.limiter = limiter
        self.news = news
    }

    func rollOver(_ ends: QuotaEnds, now: Int) {
        for pool in pools.withLock({ Array($0.values) }) { pool.rollOver(ends, now: now) }
    }

    /// The sums of all pools.
    func timePassed(now: Int) -> (due: Int, resting: Int) {
        pools.withLock { Array($0.values) }.reduce(into: (0, 0)) { sums, pool in
            let (due, resting) = pool.timePassed(now: now)
            sums = (sums.0 + due, sums.1 + resting)
        }
    }

    func cleanUp(now: Int) -> Int {
        pools.withLock { Array($0.values) }.reduce(0) { $0 + $1.cleanUp(now: now) }
    }

    /// Empties the pools of upstreams that are gone: nobody may count where others will.
    ///
    /// Those with requests under way stay as long, since an upstream may come back by an undo.
    func keepOnly(_ ids: Set<Int>) {
        let gone = pools.withLock { pools in pools.filter { !ids.contains($0.key) } }
        for pool in gone.values {
            pool.configure([], .roundRobin, longestRest: .zero) { _ in HealthStateMachine() }
        }
        pools.withLock { pools in
            for (id, pool) in gone where !pool.isInUse { pools[id] = nil }
        }
    }

    func pool(ofUpstream id: Int) -> KeyPool {
        pools.withLock { pools in
            if let found = pools[id] { return found }
            let made = KeyPool(limiter: limiter) { [keeper, news] changes in
                keeper.take(changes, ofUpstream: id)
                news.take(changes, ofUpstream: id, now: WallClock.now().microseconds)
            } acted: { [keeper, news] acted, now in
                keeper.took(rule: acted.rule, now: now)
                if acted.notifies { news.matched(acted, ofUpstream: id, now: now) }
            }
            pools[id] = made
            return made
        }
    }
}
