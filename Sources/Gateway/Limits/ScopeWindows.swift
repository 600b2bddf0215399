import Operations

/// All windows of one scope, and how many of its requests are under way.
struct ScopeWindows: Sendable {
    struct Entry: Sendable {
        let window: LimitWindow
        let counts: SlidingWindow
    }

    var windows: [Entry] = []
    var concurrency: Int?
    var inFlight = 0

    var isUnlimited: Bool { windows.isEmpty && concurrency == nil }

    /// Why one more may not begin now.
    struct Breach: Equatable, Sendable {
        enum Kind: Equatable, Sendable {
            case window(LimitWindow)
            /// Too many are under way.
            case concurrency
        }

        let kind: Kind
        let limit: Int
        /// Microseconds; 0 where only the end of another request helps.
        let wait: Int
    }

    /// How the window stands that has the least room.
    struct Figures: Equatable, Sendable {
        let limit: Int
        let remaining: Int
        /// Microseconds until there is room for one more than now.
        let reset: Int

        func tighter(than other: Figures?) -> Bool {
            guard let other else { return true }
            return (remaining, -reset) < (other.remaining, -other.reset)
        }
    }

    /// The breach that lasts longest, nil when one more may begin.
    func breach(now: Int) -> Breach? {
        var worst: Breach?
        for entry in windows {
            let wait = entry.counts.wait(now: now)
            guard wait > worst?.wait ?? 0 else { continue }
            worst = Breach(kind: .window(entry.window), limit: entry.counts.limit, wait: wait)
        }
        if worst == nil, let concurrency, inFlight >= concurrency {
            return Breach(kind: .concurrency, limit: concurrency, wait: 0)
        }
        return worst
    }

    mutating func take(now: Int) {
        for entry in windows { entry.counts.take(now: now) }
        inFlight += 1
    }

    mutating func release() {
        inFlight = max(0, inFlight - 1)
    }

    func figures(now: Int) -> Figures? {
        var tightest: Figures?
        for counts in windows.lazy.map(\.counts) {
            let remaining = max(0, counts.limit - counts.current(now: now))
            // Which of two is full for longer matters only between equals.
            if let known = tightest, remaining > known.remaining { continue }
            let figures = Figures(
                limit: counts.limit,
                remaining: remaining,
                // Of a limit that was lowered more may count than it allows.
                reset: max(counts.untilFirstLeaves(now: now), remaining > 0 ? 0 : counts.wait(now: now))
            )
            if figures.tighter(than: tightest) { tightest = figures }
        }
        return tightest
    }

    /// One window as operators see it.
    struct Standing: Equatable, Sendable {
        let window: LimitWindow
        let limit: Int
        let current: Int
        /// Microseconds.
        let wait: Int
    }

    func standings(now: Int) -> [Standing] {
        windows.map { entry in
            let counts = entry.counts
            return Standing(
                window: entry.window,
                limit: counts.limit,
                current: counts.current(now: now),
                wait: counts.wait(now: now)
            )
        }
    }
}
