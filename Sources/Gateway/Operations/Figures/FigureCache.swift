import Operations
import Synchronization

/// Figures that many consoles show are worked out once for all of them.
final class FigureCache: Sendable {
    private struct Entry {
        var day: (cell: TrafficCell, at: Int)?
        var live: (dashboard: Dashboard, points: [ChartPoint], until: ContinuousClock.Instant)?
    }

    /// The sum of a day up to a minute that is over moves once a minute; counting it from the audit can be dear.
    static let daySeconds = 60
    static let dayOfAuditSeconds = 300
    /// Less than the second between two snapshots of one console, so that each gets new figures.
    static let liveTime = Duration.milliseconds(700)
    private static let limit = 64

    private let entries = Mutex<[String: Entry]>([:])

    /// What `count` gives for the day up to a minute, counted again when `seconds` have passed.
    func day(
        _ filter: String,
        upTo minute: Int,
        validFor seconds: Int,
        _ count: () throws -> TrafficCell
    ) rethrows -> (cell: TrafficCell, upTo: Int) {
        if let day = entries.withLock({ $0[filter]?.day }), minute - day.at < seconds {
            return (day.cell, day.at)
        }
        let cell = try count()
        set(filter) { $0.day = (cell, minute) }
        return (cell, minute)
    }

    func live(_ filter: String) -> (dashboard: Dashboard, points: [ChartPoint])? {
        guard let live = entries.withLock({ $0[filter]?.live }), live.until > .now else { return nil }
        return (live.dashboard, live.points)
    }

    /// `cost`: what it took to find them; dear ones are kept for longer, so that a filter over heavy traffic slows its
    /// own figures and nothing else.
    func setLive(_ filter: String, _ dashboard: Dashboard, _ points: [ChartPoint], cost: Duration) {
        set(filter) { $0.live = (dashboard, points, .now + max(Self.liveTime, cost * 20)) }
    }

    private func set(_ filter: String, _ change: (inout Entry) -> Void) {
        entries.withLock { entries in
            // Filters of the past are not worth keeping.
            if entries.count >= Self.limit, entries[filter] == nil { entries = [:] }
            change(&entries[filter, default: Entry()])
        }
    }
}
