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
                    reason: outcome.account(),
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
    ///
    /// - Returns: the key, if what it has answered has taken it out of use.
    @discardableResult
    func finished(_ loan: Loan, _ verdict: KeyVerdict, wasSent: Bool, now: Int) -> Condemned? {
        let moment = KeyPoolState.Moment(now: now, counting: limiter.clock.now())
        let (changes, condemned) = content.withLock { content -> ([PoolChange], Condemned?) in
            let id = loan.key?.id
            if !wasSent, let id { content.state.giveBack(id, epoch: loan.epoch) }
            let verdict = content.isCurrent(loan.key) ? verdict : .untold
            let before = verdict.takesOut ? id.flatMap { content.state.slot($0)?.health } : nil
            let changes = content.state.finished(id, by: loan.attempt, verdict, moment)
            guard let before, let key = loan.key, let after = content.state.slot(key.id)?.health,
                after != before
            else { return (changes, nil) }
            return (changes, Condemned(key: key, verdict: verdict, before: before, after: after))
        }
        if !changes.isEmpty { changed(changes) }
        return condemned
    }

    // MARK: Second thoughts

    /// A key that one answer has taken out of use, how it stood before, and since.
    struct Condemned: Sendable {
        let key: UpstreamKeyEntry
        let verdict: KeyVerdict
        let before: HealthStateMachine
        let after: HealthStateMachine
    }

    /// Another key has refused the same request alike: they stand as before.
    func pardon(_ condemned: [Condemned]) {
        revise(condemned.map(\.key)) { state, index in
            state.replace(condemned[index].key.id, condemned[index].after, with: condemned[index].before)
        }
    }

    /// Another key has served the request that these have refused: it is their own fault.
    func confirm(_ refused: [(key: UpstreamKeyEntry, verdict: KeyVerdict)], now: Int) {
        revise(refused.map(\.key)) { state, index in
            state.condemn(refused[index].key.id, refused[index].verdict, now: now)
        }
    }

    /// Nobody can tell whose fault it is: they rest, and are tried again.
    ///
    /// `condemned`: what stands of them is taken back.
    func rest(_ condemned: Condemned, now: Int) {
        revise([condemned.key]) { state, _ in
            state.replace(condemned.key.id, condemned.after, with: condemned.before)
                + state.rest(condemned.key.id, condemned.after.reason ?? "refused", now: now)
        }
    }

    /// The same for keys that have refused a request alike: only when so many requests on end were refused so, with no
    /// success between, that it must be the keys, and of one request some of them only.
    func doubt(_ refused: [(key: UpstreamKeyEntry, verdict: KeyVerdict)], reason: String, now: Int) {
        guard content.withLock({ $0.state.trouble.suspected() }) else { return }
        let some = refused.prefix(Self.doubted).map(\.key)
        revise(some) { state, index in state.rest(some[index].id, reason, now: now) }
    }

    private static let doubted = 4

    private func revise(
        _ keys: [UpstreamKeyEntry],
        _ change: (inout KeyPoolState, Int) -> [PoolChange]
    ) {
        let changes = content.withLock { content in
            keys.indices.filter { content.isCurrent(keys[$0]) }.flatMap { change(&content.state, $0) }
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
        let now = WallClock.now().microseconds
        let changes = content.withLock { content in
            content.isCurrent(key) ? content.state.probed(key?.id, verdict, now: now) : []
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
