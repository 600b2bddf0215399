import Operations

/// Whose windows: one upstream's, one client key's, or everybody's.
struct LimitKey: Hashable, Sendable {
    let scope: LimitScope
    /// 0 for everybody.
    let id: Int

    static let global = LimitKey(scope: .global, id: 0)
}

/// Admits exchanges by the windows of everybody, of their upstream and of their client key: no clock, no lock.
///
/// All windows of an exchange are looked at before one of them counts it, so that a refusal costs nothing.
struct LimiterState: Sendable {
    /// Why an exchange may not begin now.
    enum Refused: Equatable, Sendable {
        case limit(LimitScope, ScopeWindows.Breach)
        /// With the moment at which the client key's quota begins anew, 0 for never.
        case quota(Quota, end: Int)
    }

    /// An exchange that is counted, and what is told of it.
    struct Admitted: Equatable, Sendable {
        /// How the tightest of its windows stands after it.
        var figures: ScopeWindows.Figures?
        /// The scopes that count it as under way: a limit that is set later does not.
        fileprivate(set) var counted: [LimitKey] = []
        /// The client key whose quota has counted it, and how much.
        fileprivate(set) var quota: (key: Int, amount: Int)?

        /// Whether anything has to be given back at its end.
        var isCounted: Bool { !counted.isEmpty || quota != nil }

        static func == (left: Admitted, right: Admitted) -> Bool {
            left.figures == right.figures && left.counted == right.counted
                && left.quota?.key == right.quota?.key && left.quota?.amount == right.quota?.amount
        }
    }

    enum Decision: Equatable, Sendable {
        case admitted(Admitted)
        case refused(Refused)
    }

    private(set) var scopes: [LimitKey: ScopeWindows] = [:]
    /// Of client keys, by the key that they count as.
    private(set) var quotas: [Int: CountedQuota] = [:]

    /// No windows is no limit any more; exchanges under way are counted on.
    mutating func set(_ key: LimitKey, _ windows: ScopeWindows?) {
        guard var windows else {
            scopes[key] = nil
            return
        }
        windows.inFlight = scopes[key]?.inFlight ?? 0
        scopes[key] = windows
    }

    mutating func admit(upstream: Int, clientKey: Int, now: Int) -> Decision {
        let keys = Self.keys(upstream: upstream, clientKey: clientKey)
        let quota = quotas[clientKey]
        // How many tokens it takes is known later: now there must be one.
        if let quota, !quota.allows(1) { return .refused(.quota(quota.quota, end: quota.count.end)) }
        var worst: (scope: LimitScope, breach: ScopeWindows.Breach)?
        for index in keys.indices {
            guard let breach = scopes[keys[index]]?.breach(now: now) else { continue }
            if worst == nil || breach.wait > worst?.breach.wait ?? 0 { worst = (keys[index].scope, breach) }
        }
        if let worst { return .refused(.limit(worst.scope, worst.breach)) }
        var admitted = Admitted()
        if let quota {
            let amount = quota.quota.unit == .requests ? 1 : 0
            quota.count.add(amount)
            admitted.quota = (clientKey, amount)
        }
        for index in keys.indices where scopes[keys[index]] != nil {
            scopes[keys[index]]?.take(now: now)
            admitted.counted.append(keys[index])
            let figures = scopes[keys[index]]?.figures(now: now)
            if let figures, figures.tighter(than: admitted.figures) { admitted.figures = figures }
        }
        return .admitted(admitted)
    }

    /// How the tightest of an exchange's windows stands, for one that is refused.
    func figures(upstream: Int, clientKey: Int, now: Int) -> ScopeWindows.Figures? {
        var tightest: ScopeWindows.Figures?
        let keys = Self.keys(upstream: upstream, clientKey: clientKey)
        for index in keys.indices {
            let figures = scopes[keys[index]]?.figures(now: now)
            if let figures, figures.tighter(than: tightest) { tightest = figures }
        }
        return tightest
    }

    /// Takes so many tokens of the quota beforehand: what an exchange will use at least.
    ///
    /// - Returns: the quota, when it has less than that.
    mutating func reserve(tokens: Int, for admitted: inout Admitted) -> Refused? {
        guard let (key, amount) = admitted.quota, let quota = quotas[key], quota.quota.unit == .tokens else {
            return nil
        }
        guard quota.allows(tokens) else { return .quota(quota.quota, end: quota.count.end) }
        quota.count.add(tokens)
        admitted.quota = (key, amount + tokens)
        return nil
    }

    /// An exchange that was admitted has ended.
    ///
    /// Of one that no upstream has seen nothing is counted. `tokens` is what it has used; nil where nobody knows, and then
    /// what was reserved stays.
    mutating func release(_ admitted: Admitted, wasSent: Bool, tokens: Int?) {
        for key in admitted.counted { scopes[key]?.release() }
        guard let (key, amount) = admitted.quota, let quota = quotas[key] else { return }
        switch quota.quota.unit {
        case _ where !wasSent: quota.count.add(-amount)
        case .requests: break
        case .tokens: quota.count.add((tokens ?? amount) - amount)
        }
    }

    // MARK: Quotas

    mutating func setQuota(_ key: Int, _ quota: CountedQuota?) {
        quotas[key] = quota
    }

    /// Begins anew whatever has come to its end.
    func rollOver(now: Int, _ ends: QuotaEnds) {
        for quota in quotas.values { _ = quota.count.rollOver(now: now, quota.quota.period, ends) }
    }

    private static func keys(upstream: Int, clientKey: Int) -> InlineArray<3, LimitKey> {
        [.global, LimitKey(scope: .upstream, id: upstream), LimitKey(scope: .clientKey, id: clientKey)]
    }
}
