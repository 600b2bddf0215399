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
        /// With the moment at which the client key's quota begins anew, 0 for never, and what is left until then.
        case quota(Quota, end: Int, left: Int, wanted: Int)
    }

    /// An exchange that is counted, and what is told of it.
    struct Admitted: Equatable, Sendable {
        /// How the tightest of its windows stands after it.
        var figures: ScopeWindows.Figures?
        /// The scopes that count it as under way: a limit that is set later does not.
        fileprivate(set) var counted: [LimitKey] = []
        fileprivate(set) var quota: Reservation?

        /// Whether anything has to be given back at its end.
        var isCounted: Bool { !counted.isEmpty || quota != nil }
    }

    /// What of a client key's quota is taken beforehand.
    struct Reservation: Equatable, Sendable {
        let key: Int
        var amount: Int
        /// The quota begins anew, and then nothing of before is given back.
        let epoch: UInt64
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
        var windows = windows ?? ScopeWindows()
        windows.inFlight = scopes[key]?.inFlight ?? 0
        // Those under way are counted to their end: a limit that comes back must know of them.
        scopes[key] = windows.isUnlimited && windows.inFlight == 0 ? nil : windows
    }

    mutating func admit(upstream: Int, clientKey: Int, now: Int) -> Decision {
        let keys = Self.keys(upstream: upstream, clientKey: clientKey)
        let quota = quotas[clientKey]
        // How many tokens it takes is known later: now there must be one.
        if let quota, !quota.allows(1) { return .refused(Self.refused(quota, wanted: 1)) }
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
            admitted.quota = Reservation(key: clientKey, amount: amount, epoch: quota.count.epoch)
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
        guard let held = admitted.quota, let quota = quotas[held.key], quota.quota.unit == .tokens else {
            return nil
        }
        guard quota.allows(tokens) else { return Self.refused(quota, wanted: tokens) }
        quota.count.add(tokens)
        admitted.quota?.amount += tokens
        return nil
    }

    private static func refused(_ quota: CountedQuota, wanted: Int) -> Refused {
        .quota(
            quota.quota,
            end: quota.count.end,
            left: max(0, quota.quota.total - quota.count.used),
            wanted: wanted
        )
    }

    /// An exchange that was admitted has ended.
    ///
    /// Of one that no upstream has seen nothing is counted. `tokens` is what it has used; nil where nobody knows, and then
    /// what was reserved stays.
    mutating func release(_ admitted: Admitted, wasSent: Bool, tokens: Int?) {
        for key in admitted.counted {
            scopes[key]?.release()
            if let scope = scopes[key], scope.isUnlimited, scope.inFlight == 0 { scopes[key] = nil }
        }
        guard let held = admitted.quota, let quota = quotas[held.key] else { return }
        let reserved = quota.count.epoch == held.epoch ? held.amount : 0
        switch quota.quota.unit {
        case _ where !wasSent: quota.count.add(-reserved)
        case .requests: break
        case .tokens: quota.count.add((tokens ?? reserved) - reserved)
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
