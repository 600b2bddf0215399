import Operations
import Synchronization

/// Figures that many consoles show are worked out once for all of them.
final class FigureCache: Sendable {
    private struct Entry {
        var day: (cell: TrafficCell, at: Int)?
        var live: (dashboard: Dashboard, points: [ChartPoint], at: ContinuousClock.Instant)?
    }

    /// The sum of a day moves slowly; counting it from the audit can be dear.
    static let daySeconds = 10
    static let dayOfAuditSeconds = 60
    /// Less than the second between two snapshots of one console, so that each gets new figures.
    static let liveTime = Duration.milliseconds(700)
    private static let limit = 64

    private let entries = Mutex<[String: Entry]>([:])

    func day(_ filter: String, now: Int, validFor seconds: Int, _ count: () throws -> TrafficCell) rethrows
        -> TrafficCell
    {
        if let day = entries.withLock({ $0[filter]?.day }), now - day.at < seconds { return day.cell }
        let cell = try count()
        set(filter) { $0.day = (cell, now) }
        return cell
    }

    func live(_ filter: String) -> (dashboard: Dashboard, points: [ChartPoint])? {
        guard let live = entries.withLock({ $0[filter]?.live }), .now - live.at < Self.liveTime else { return nil }
        return (live.dashboard, live.points)
    }

    func setLive(_ filter: String, _ dashboard: Dashboard, _ points: [ChartPoint]) {
        set(filter) { $0.live = (dashboard, points, .now) }
    }

    private func set(_ filter: String, _ change: (inout Entry) -> Void) {
        entries.withLock { entries in
            // Filters of the past are not worth keeping.
            if entries.count >= Self.limit, entries[filter] == nil { entries = [:] }
            change(&entries[filter, default: Entry()])
        }
    }
}
