import Operations

/// What the dashboard shows.
struct DashboardState: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case charts, problems, recent
    }

    var part = Part.charts
    var window = ChartWindow.fiveMinutes
    /// The newest moment in sight; nil follows the clock.
    var end: Timestamp?
    var isPaused = false
    /// The step that is read, counted back from the newest one; nil reads the newest.
    var cursor: Int?
    private(set) var points: [ChartPoint] = []
    /// What `points` answers.
    private(set) var shown: ChartRequest?
    var isLoading = true
    var fault: String?
    var requestScale = ChartScale(floor: 4)
    var latencyScale = ChartScale(floor: 10)
    var recent = TableState<LogRecord>()
    /// What the older ones of `recent` have been fetched for; news alone has holes.
    var recentWatch: LogWatch?
    var isRecentKnown = false
    var stats: [StatsGrouping: [StatsItem]] = [:]
    var problem = 0

    var isLive: Bool { end == nil && !isPaused }

    static let recentLimit = 50

    /// Exchanges that came with news, or were fetched; the same one may come by both ways.
    mutating func add(recent records: [LogRecord]) {
        let new = Set(records.map(\.id))
        let all = records + recent.rows.filter { !new.contains($0.id) }
        recent.replace(Array(all.sorted { $0.id > $1.id }.prefix(Self.recentLimit)), isNewestFirst: true)
    }

    func request(_ filter: String) -> ChartRequest {
        ChartRequest(filter: filter, window: window, end: end)
    }

    /// The point under the cursor, or the newest.
    var pointed: ChartPoint? {
        guard let cursor else { return points.last }
        let index = points.count - 1 - cursor
        return points.indices.contains(index) ? points[index] : nil
    }

    mutating func take(_ charts: Charts, for request: ChartRequest) {
        if shown != request {
            requestScale.reset()
            latencyScale.reset()
        }
        points = charts.points
        shown = request
        isLoading = false
        fault = nil
        scale()
    }

    /// Adds seconds that have just ended; only the finest window is made of them.
    ///
    /// - Returns: whether nothing is missing between what was there and what has come.
    mutating func append(_ new: [ChartPoint]) -> Bool {
        guard window == .fiveMinutes, isLive, let last = points.last, shown?.window == .fiveMinutes else {
            return true
        }
        if let first = new.first, first.time.seconds > last.time.seconds + 1 { return false }
        points += new.filter { $0.time > last.time }
        // A late snapshot corrects what came too early.
        for point in new {
            if let index = points.lastIndex(where: { $0.time == point.time }) { points[index] = point }
        }
        points = Array(points.suffix(window.seconds))
        if let cursor { self.cursor = min(cursor, points.count - 1) }
        scale()
        return true
    }

    private mutating func scale() {
        let step = Double(max(window.step, 1))
        requestScale.update((points.map { Double($0.requests) / step }.max() ?? 0) * 1.05)
        latencyScale.update(points.compactMap(\.latencyP99Ms).max() ?? 0)
    }

    mutating func moveCursor(by steps: Int) -> Bool {
        let old = cursor ?? 0
        let wanted = old - steps
        guard wanted >= 0, wanted < points.count else { return false }
        cursor = wanted
        return true
    }
}
