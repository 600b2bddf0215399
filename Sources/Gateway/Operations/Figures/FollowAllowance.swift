import Operations

/// How often, and how many at a time, somebody who follows the log is sent new records.
struct FollowAllowance: Sendable {
    /// Exchanges that end together are written together.
    private static let gathering = Duration.milliseconds(20)

    private let perSecond: Int
    private let interval: Duration
    private var due = ContinuousClock.now
    /// Records that may be sent now; what a quiet time leaves is not lost to a burst.
    private var left: Int
    private var filledAt = ContinuousClock.now
    private var cost = Duration.zero

    /// Five times a second is quick enough for an eye, and cheap; who wants few records gets them once a second, and
    /// who waits for certain ones sooner.
    init(perSecond: Int, isFiltered: Bool) {
        self.perSecond = perSecond
        left = perSecond
        interval = perSecond < 50 ? .seconds(1) : .milliseconds(isFiltered ? 100 : 200)
    }

    /// When to look: at once after a pause, else with what comes in the meantime; seldom when looking is dear.
    mutating func next(after now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let start = max(due, now + Self.gathering)
        due = start + max(interval, cost * 4)
        return start
    }

    /// How many records may be sent.
    mutating func take(at now: ContinuousClock.Instant) -> Int {
        let earned = Int(Double((now - filledAt).milliseconds) * Double(perSecond) / 1000)
        if earned > 0 {
            left = min(perSecond, left + earned)
            filledAt = now
        }
        // A full second of them at once would not be followed by any eye, but none must be kept from it either.
        return max(1, left)
    }

    mutating func spend(_ count: Int, cost: Duration) {
        left = max(0, left - count)
        self.cost = cost
    }
}
