import Operations
import Synchronization

/// Admits exchanges for all loops: the windows behind one lock, which is held for less than a microsecond.
///
/// One lock for all of them, because an exchange is counted in all of its windows or in none.
final class Limiter: Sendable {
    private let state = Mutex(LimiterState())
    private let file: Mutex<WindowFile>
    private let refusals = Mutex<[String: Int]>([:])

    let clock: LimitClock

    /// - Throws: `SystemError` when the file of counts cannot be made or mapped.
    init(path: String) throws(SystemError) {
        let file = try WindowFile(path: path, LimitClock.Reading.now())
        clock = file.clock
        self.file = Mutex(file)
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
            refusals.withLock { $0[refused.parameter, default: 0] += 1 }
            throw refused.refusal(figures)
        }
    }

    func release(_ admitted: LimiterState.Admitted) {
        guard !admitted.counted.isEmpty else { return }
        state.withLock { $0.release(admitted) }
    }

    /// How often a scope's window has refused, by `scope.window`.
    var refusalCounts: [String: Int] { refusals.withLock { $0 } }

    // MARK: Configuration

    /// Sets what counts for a scope from now on; what has been counted stays.
    func set(_ key: LimitKey, _ limits: RateLimits) {
        reserve(limits)
        state.withLock { state in
            guard !limits.isUnlimited || state.scopes[key] != nil else { return }
            state.set(key, windows(of: key, limits))
        }
    }

    /// Sets what counts for everybody, all upstreams and all client keys, and forgets the windows of all others.
    func setAll(_ limits: [LimitKey: RateLimits]) {
        for key in state.withLock({ Array($0.scopes.keys) }) where limits[key] == nil {
            set(key, RateLimits())
        }
        for (key, limits) in limits { set(key, limits) }
        file.withLock { file in
            file.removeAll { key, window in key.scope == .upstreamKey || limits[key]?[window] != nil }
        }
    }

    /// Forgets the windows of upstream keys that are gone.
    func keepOnly(upstreamKeys ids: Set<Int>) {
        file.withLock { file in
            file.removeAll { key, _ in key.scope != .upstreamKey || ids.contains(key.id) }
        }
    }

    /// Makes room for windows beforehand, since that may take longer than a lock should be held.
    func reserve(_ limits: RateLimits) {
        let wanted = LimitWindow.allCases.compactMap { limits[$0] }
        if !wanted.isEmpty { file.withLock { $0.reserve(limits: wanted) } }
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
    func standings() -> [(key: LimitKey, standings: [ScopeWindows.Standing])] {
        let now = clock.now()
        return state.withLock { $0.scopes.map { ($0.key, $0.value.standings(now: now)) } }
    }

    // MARK: Disk

    /// Notes the time, and returns what is needed to write the counts to the disk outside of the lock, and what is wrong.
    func markTime() -> (descriptor: Int32?, problem: String?) {
        file.withLock { file in
            file.mark(LimitClock.Reading.now())
            return (file.duplicateDescriptor(), file.problem)
        }
    }
}

extension LimiterState.Refused {
    /// `client_key.minute`, `global.concurrency`.
    var parameter: String { "\(scope.rawValue).\(breach.window?.rawValue ?? "concurrency")" }

    /// What the caller is told: never more of others than that there are too many requests.
    func refusal(_ figures: ScopeWindows.Figures?) -> Refusal {
        let whose =
            switch scope {
            case .global: "the gateway"
            case .upstream: "the upstream"
            case .clientKey, .upstreamKey: "the API key"
            }
        guard let window = breach.window else {
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
