import Operations

/// When a channel may be used next, and what becomes of a message that could not be handed over: no clock, no lock.
///
/// Times are microseconds since 1970.
struct ChannelPace: Equatable, Sendable {
    enum Verdict: Equatable, Sendable {
        case again(at: Int)
        case giveUp
    }

    private static let minute = 60_000_000
    private static let longestWait = 60_000_000
    /// A message is tried for a day; one that was understood and refused a few times.
    static let patience = 86_400_000_000
    static let refusalLimit = 3

    /// Messages within any sixty seconds.
    let limit: Int
    /// Of the last sixty seconds.
    private(set) var tries: [Int] = []
    /// On end, of any message.
    private(set) var failures = 0
    private(set) var retryAt = 0
    /// Of the message at hand.
    private(set) var refusals = 0
    private var lastWasDigest = false

    init(limit: Int) {
        self.limit = limit
    }

    /// When the next message may go: what waits behind a digest waits longer, so that it becomes the next one.
    func mayGo(_ plan: DigestPlan, waiting: Int) -> Int {
        var at = retryAt
        if tries.count >= limit { at = max(at, tries[tries.count - limit] + Self.minute) }
        if let last = tries.last, lastWasDigest || waiting > plan.singles {
            at = max(at, last + plan.gap)
        }
        return at
    }

    mutating func began(now: Int, isDigest: Bool) {
        tries.removeAll { $0 <= now - Self.minute || $0 > now }
        tries.append(now)
        lastWasDigest = isDigest
    }

    mutating func delivered() {
        (failures, refusals, retryAt) = (0, 0, 0)
    }

    /// `jitter`: from 0 to 1; channels that failed together must not come back together.
    mutating func failed(_ outcome: DeliveryOutcome, messageAt: Int, now: Int, jitter: Double) -> Verdict {
        failures += 1
        var wait = min(Self.longestWait, 1_000_000 << min(failures - 1, 6))
        wait -= Int(Double(wait) * 0.25 * jitter)
        switch outcome {
        case .delivered: return .giveUp
        case .hopeless:
            refusals = 0
            return .giveUp
        case .refused:
            refusals += 1
            retryAt = now + wait
            guard refusals < Self.refusalLimit else {
                refusals = 0
                return .giveUp
            }
        case .throttled(_, let seconds):
            retryAt = now + max(wait, min(seconds ?? 60, 3600) * 1_000_000)
        case .unreachable:
            retryAt = now + wait
        }
        guard now - messageAt < Self.patience else {
            refusals = 0
            return .giveUp
        }
        return .again(at: retryAt)
    }

    /// After its settings were changed: what has been found out of the old ones says nothing of the new.
    mutating func forgive() {
        (failures, refusals, retryAt) = (0, 0, 0)
    }
}

/// How much waits before it is told in one message.
struct DigestPlan: Equatable, Sendable {
    /// Up to so many are told one by one.
    let singles: Int
    /// From one message to the next while more than that wait, in microseconds.
    let gap: Int
    /// In one message.
    let most: Int

    init(_ kind: NotificationChannelKind) {
        switch kind {
        // A person reads it.
        case .email: (singles, gap, most) = (3, 30_000_000, 5000)
        case .dingtalk: (singles, gap, most) = (3, 5_000_000, 5000)
        // A program does.
        case .webhook: (singles, gap, most) = (20, 1_000_000, 500)
        }
    }

    /// How many of those that wait go into the next message.
    func count(of waiting: Int) -> Int {
        waiting <= singles ? min(1, waiting) : min(waiting, most)
    }
}

/// Whether a channel is left alone now.
struct QuietTime: Equatable, Sendable {
    /// Minutes since midnight.
    let from: Int
    let to: Int

    init?(_ hours: QuietHours?) {
        guard let hours, let from = QuietHours.minutes(hours.from), let to = QuietHours.minutes(hours.to)
        else {
            return nil
        }
        (self.from, self.to) = (from, to)
    }

    func contains(minute: Int) -> Bool {
        from < to ? (from..<to).contains(minute) : minute >= from || minute < to
    }
}
