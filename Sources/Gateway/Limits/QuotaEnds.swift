import Foundation
import Operations

/// When the day, the week and the month of a time zone end: microseconds since 1970.
struct QuotaEnds: Equatable, Sendable {
    private let zone: String
    private let since: Int
    private var day = 0
    private var week = 0
    private var month = 0

    /// Of the periods that are running at `now`.
    ///
    /// An unknown zone is UTC. Slow: never on a loop.
    init(zone: String, after now: Int) {
        (self.zone, since) = (zone, now)
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(identifier: zone) ?? .gmt
        let date = Date(timeIntervalSince1970: Double(now) / 1_000_000)
        func end(_ component: Calendar.Component) -> Int {
            // Every moment of the common calendar has a day, a week and a month.
            let end = calendar.dateInterval(of: component, for: date)?.end ?? date.addingTimeInterval(86_400)
            return Int(end.timeIntervalSince1970) * 1_000_000
        }
        (day, week, month) = (end(.day), end(.weekOfYear), end(.month))
    }

    /// Whether the same periods run at `now`: a week and a month end with a day.
    func hold(zone: String, at now: Int) -> Bool {
        zone == self.zone && now >= since && now < day
    }

    /// 0 for what never ends.
    subscript(period: QuotaPeriod) -> Int {
        switch period {
        case .none: 0
        case .day: day
        case .week: week
        case .month: month
        }
    }
}
