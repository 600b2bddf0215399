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
    struct Refused: Equatable, Sendable {
        let scope: LimitScope
        let breach: ScopeWindows.Breach
    }

    /// An exchange that is counted, and what is told of it.
    struct Admitted: Equatable, Sendable {
        /// How the tightest of its windows stands after it.
        var figures: ScopeWindows.Figures?
        /// The scopes that count it as under way: a limit that is set later does not.
        fileprivate(set) var counted: [LimitKey] = []
    }

    enum Decision: Equatable, Sendable {
        case admitted(Admitted)
        case refused(Refused)
    }

    private(set) var scopes: [LimitKey: ScopeWindows] = [:]

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
        var worst: Refused?
        for index in keys.indices {
            guard let breach = scopes[keys[index]]?.breach(now: now) else { continue }
            if worst == nil || breach.wait > worst?.breach.wait ?? 0 {
                worst = Refused(scope: keys[index].scope, breach: breach)
            }
        }
        if let worst { return .refused(worst) }
        var admitted = Admitted()
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

    /// An exchange that was admitted has ended.
    mutating func release(_ admitted: Admitted) {
        for key in admitted.counted { scopes[key]?.release() }
    }

    private static func keys(upstream: Int, clientKey: Int) -> InlineArray<3, LimitKey> {
        [.global, LimitKey(scope: .upstream, id: upstream), LimitKey(scope: .clientKey, id: clientKey)]
    }
}
