import Operations
import Synchronization

/// Admits exchanges for all loops: the windows behind one lock, which is held for less than a microsecond.
///
/// One lock for all of them, because an exchange is counted in all of its windows or in none.
final class Limiter: Sendable {
    private let state = Mutex(LimiterState())
    private let file: Mutex<WindowFile>
    private let refusals = Mutex<[String: Int]>([:])
    private let ends: Mutex<QuotaEnds>
    /// Those that quotas have been looked at by last.
    private let rolledOver = Mutex<QuotaEnds?>(nil)

    private let inbox: NotificationInbox
    let clock: LimitClock

    /// `zone`: of days, weeks and months; `inbox` is told of refusals.
    ///
    /// - Throws: `SystemError` when the file of counts cannot be made or mapped.
    init(path: String, zone: String, inbox: NotificationInbox) throws(SystemError) {
        self.inbox = inbox
        let file = try WindowFile(path: path, LimitClock.Reading.now())
        clock = file.clock
        self.file = Mutex(file)
        ends = Mutex(QuotaEnds(zone: zone, after: WallClock.now().microseconds))
    }

    // MARK: Exchanges

    /// Counts an exchange that begins.
    ///
    /// - Throws: a 429 with the real wait when one of its windows is full, and nothing was counted.
    func admit(
        _ upstream: UpstreamEntry,
        _ clientKey: ClientKeyEntry
    ) throws(Refusal) -> LimiterState.Admitted {
        let now = clock.now()
        let (decision, figures) = state.withLock { state in
            let decision = state.admit(upstream: upstream.id, clientKey: clientKey.countsAs, now: now)
            guard case .refused = decision else { return (decision, nil as ScopeWindows.Figures?) }
            let figures = state.figures(upstream: upstream.id, clientKey: clientKey.countsAs, now: now)
            return (decision, figures)
        }
        switch decision {
        case .admitted(let admitted): return admitted
        case .refused(let refused):
            throw refusal(refused, figures, upstream: upstream.id, clientKey: clientKey.countsAs)
        }
    }

    /// Takes tokens of the client key's quota beforehand.
    ///
    /// - Throws: a 429 when the quota has less than that.
    func reserve(tokens: Int, for admitted: inout LimiterState.Admitted) throws(Refusal) {
        guard admitted.quota != nil else { return }
        var changed = admitted
        let refused = state.withLock { $0.reserve(tokens: tokens, for: &changed) }
        admitted = changed
        if let refused {
            throw refusal(refused, admitted.figures, upstream: 0, clientKey: admitted.quota?.key ?? 0)
        }
    }

    private func refusal(
        _ refused: LimiterState.Refused,
        _ figures: ScopeWindows.Figures?,
        upstream: Int,
        clientKey: Int
    ) -> Refusal {
        let now = WallClock.now().microseconds
        let parameter = refused.parameter
        refusals.withLock { $0[parameter, default: 0] += 1 }
        let refusal = refused.refusal(figures, now: now)
        let place = refused.place(parameter, upstream: upstream, clientKey: clientKey)
        inbox.put(place, now: now) {
            var data = refused.data
            data["reason"] = refusal.message
            return data
        }
        return refusal
    }

    /// Ends what `admit` has begun, as `LimiterState.release` says.
    func release(_ admitted: LimiterState.Admitted, wasSent: Bool, tokens: Int?) {
        guard admitted.isCounted else { return }
        state.withLock { $0.release(admitted, wasSent: wasSent, tokens: tokens) }
    }

    /// How often a scope's window has refused, by `scope.window`.
    var refusalCounts: [String: Int] { refusals.withLock { $0 } }

    // MARK: Configuration

    /// Sets what counts for a scope from now on; what has been counted stays.
    func set(_ key: LimitKey, _ limits: RateLimits) {
        reserve([(key, limits)])
        state.withLock { state in
            guard !limits.isUnlimited || state.scopes[key] != nil else { return }
            state.set(key, windows(of: key, limits))
        }
    }

    /// Sets a client key's quota; what is used of it stays.
    func setQuota(ofClientKey id: Int, _ quota: Quota?) {
        state.withLock { state in
            guard quota != nil || state.quotas[id] != nil else { return }
            // Its place is given up only once nobody counts there any more.
            state.setQuota(id, nil)
            state.setQuota(id, self.quota(of: LimitKey(scope: .clientKey, id: id), quota))
        }
    }

    /// Sets what is used of a client key's quota.
    func setUsed(_ used: Int, ofClientKey id: Int) {
        state.withLock { $0.quotas[id]?.count.set(used: used) }
    }

    /// A quota with its count, which whoever counts must lock; nil forgets the count.
    func quota(of key: LimitKey, _ quota: Quota?) -> CountedQuota? {
        let ends = ends.withLock { $0 }
        return file.withLock { file in
            guard let quota else {
                file.remove(key, nil)
                return nil
            }
            let count = file.quota(key)
            count.set(quota, ends)
            return CountedQuota(quota: quota, count: count)
        }
    }

    /// How a client key's quota stands.
    func standing(ofQuota id: Int) -> QuotaStanding? {
        state.withLock { $0.quotas[id]?.standing }
    }

    /// Begins quotas anew whose period is over.
    ///
    /// - Returns: when the periods end that have begun, for the quotas of pools; nil while the same ones go on.
    func rollOver(zone: String, now: Int) -> QuotaEnds? {
        let known = ends.withLock { $0 }
        let current = known.hold(zone: zone, at: now) ? known : QuotaEnds(zone: zone, after: now)
        guard rolledOver.withLock({ $0 != current }) else { return nil }
        ends.withLock { $0 = current }
        state.withLock { $0.rollOver(now: now, current) }
        rolledOver.withLock { $0 = current }
        return current
    }

    /// Sets what counts for everybody, all upstreams and all client keys, and forgets the windows of all others.
    func setAll(_ limits: [LimitKey: RateLimits], quotas: [Int: Quota]) {
        for key in state.withLock({ Array($0.scopes.keys) }) where limits[key] == nil {
            set(key, RateLimits())
        }
        for (key, limits) in limits { set(key, limits) }
        for id in state.withLock({ Array($0.quotas.keys) }) where quotas[id] == nil {
            setQuota(ofClientKey: id, nil)
        }
        for (id, quota) in quotas { setQuota(ofClientKey: id, quota) }
        file.withLock { file in
            file.removeAll { key, window in
                guard key.scope != .upstreamKey else { return true }
                return window.map { limits[key]?[$0] != nil } ?? (quotas[key.id] != nil)
            }
        }
    }

    /// Forgets the windows of upstream keys that are gone.
    func keepOnly(upstreamKeys ids: Set<Int>) {
        file.withLock { file in
            file.removeAll { key, _ in key.scope != .upstreamKey || ids.contains(key.id) }
        }
    }

    /// Makes room for windows beforehand, since that may take longer than a lock should be held.
    func reserve(_ wanted: [(key: LimitKey, limits: RateLimits)]) {
        let wanted = wanted.filter { !$0.limits.isUnlimited }
        if !wanted.isEmpty { file.withLock { $0.reserve(wanted) } }
    }

    /// The windows of one scope with what they have counted, to be put in the place of those before while whoever
    /// counts in them waits; nil without any limit.
    func windows(of key: LimitKey, _ limits: RateLimits) -> ScopeWindows? {
        let now = clock.now()
        var result = ScopeWindows()
        result.concurrency = limits.concurrency
        result.windows = file.withLock { file in
            LimitWindow.allCases.compactMap { window in
                guard let limit = limits[window] else {
                    file.remove(key, window)
                    return nil
                }
                return ScopeWindows.Entry(
                    window: window,
                    counts: file.window(key, window, limit: limit, now: now)
                )
            }
        }
        return limits.isUnlimited ? nil : result
    }

    // MARK: Standing

    /// Each window's limit, count and wait.
    func standings(
        where isWanted: (LimitKey) -> Bool
    ) -> [(key: LimitKey, standings: [ScopeWindows.Standing])] {
        let keys = state.withLock { Array($0.scopes.keys) }.filter(isWanted)
        // A lock for each: admission must not wait for a hundred thousand keys.
        return keys.compactMap { key in
            let now = clock.now()
            return state.withLock { $0.scopes[key].map { (key, $0.standings(now: now)) } }
        }
    }

    // MARK: Disk

    /// Notes the time, and returns what is needed to write the counts to the disk outside of the lock, and what is wrong;
    /// nothing while nothing is limited.
    func markTime() -> (descriptor: Int32?, problem: String?) {
        file.withLock { file in
            guard !file.isEmpty else { return (nil, file.problem) }
            file.mark(LimitClock.Reading.now())
            return (file.duplicateDescriptor(), file.problem)
        }
    }
}

extension LimiterState.Refused {
    /// What tells this refusal apart from others.
    func place(_ parameter: String, upstream: Int, clientKey: Int) -> NotificationInbox.Place {
        switch self {
        case .limit(.global, _): .init(event: .rateLimitExceeded, detail: parameter)
        case .limit(.upstream, _): .init(event: .rateLimitExceeded, upstream: upstream, detail: parameter)
        case .limit: .init(event: .rateLimitExceeded, id: clientKey, detail: parameter)
        case .quota: .init(event: .quotaExceeded, id: clientKey, detail: parameter)
        }
    }

    /// What operators are told of it.
    var data: [String: String] {
        switch self {
        case .limit(let scope, let breach):
            switch breach.kind {
            case .window(let window):
                ["scope": scope.rawValue, "window": window.rawValue, "limit": "\(breach.limit)"]
            case .concurrency:
                ["scope": scope.rawValue, "window": "concurrency", "limit": "\(breach.limit)"]
            }
        case .quota(let quota, let end, _, _):
            [
                "scope": LimitScope.clientKey.rawValue, "limit": "\(quota.total)",
                "resets_at": end == 0 ? "" : "\(Timestamp(microseconds: end))",
            ]
        }
    }

    /// `client_key.minute`, `global.concurrency`, `client_key.quota`.
    var parameter: String {
        switch self {
        case .limit(let scope, let breach):
            switch breach.kind {
            case .window(let window): "\(scope.rawValue).\(window.rawValue)"
            case .concurrency: "\(scope.rawValue).concurrency"
            }
        case .quota: "\(LimitScope.clientKey.rawValue).quota"
        }
    }

    /// What the caller is told: never more of others than that there are too many requests.
    func refusal(_ figures: ScopeWindows.Figures?, now: Int) -> Refusal {
        switch self {
        case .limit(let scope, let breach): refusal(scope, breach, figures)
        case .quota(let quota, let end, let left, let wanted):
            Refusal(
                .quotaExceeded,
                left == 0
                    ? "The API key's quota of \(quota.text) is used up."
                    : "The request may take \(wanted) tokens, and \(left) are left of the API key's quota of \(quota.text).",
                parameter: parameter,
                // Quotas are begun anew once a second; what is more than all of one never fits.
                retryAfter: end == 0 || wanted > quota.total
                    ? nil : max(1, (end - now + 999_999) / 1_000_000 + 1),
                limits: figures
            )
        }
    }

    private func refusal(
        _ scope: LimitScope,
        _ breach: ScopeWindows.Breach,
        _ figures: ScopeWindows.Figures?
    ) -> Refusal {
        let whose =
            switch scope {
            case .global: "the gateway"
            case .upstream: "the upstream"
            case .clientKey, .upstreamKey: "the API key"
            }
        guard case .window(let window) = breach.kind else {
            let message = "Too many requests of \(whose) are under way; the limit is \(breach.limit)."
            return Refusal(
                .concurrencyExceeded,
                message,
                parameter: parameter,
                retryAfter: 1,
                limits: figures
            )
        }
        let seconds = max(1, (breach.wait + 999_999) / 1_000_000)
        return Refusal(
            .rateLimitExceeded,
            "The limit of \(breach.limit) requests per \(window.rawValue) of \(whose) is reached; "
                + "retry in \(seconds) s.",
            parameter: parameter,
            retryAfter: seconds,
            limits: figures
        )
    }
}
