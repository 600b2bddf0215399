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
    var stats: [StatsGrouping: [StatsItem]] = [:]
    var problem = 0

    var isLive: Bool { end == nil && !isPaused }

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

    /// Seconds that have just ended; only the finest window is made of them.
    mutating func append(_ new: [ChartPoint]) {
        guard window == .fiveMinutes, isLive, let last = points.last, shown?.window == .fiveMinutes else {
            return
        }
        for point in new where point.time > last.time {
            // A second that brought no snapshot is one without a value, not one less.
            let gap = point.time.seconds - (points.last?.time.seconds ?? point.time.seconds)
            for missing in stride(from: gap - 1, to: 0, by: -1) where gap <= window.seconds {
                points.append(
                    ChartPoint(time: Timestamp(seconds: point.time.seconds - missing), requests: 0, errors: 0)
                )
            }
            points.append(point)
        }
        // A late snapshot corrects what came too early.
        for point in new {
            if let index = points.lastIndex(where: { $0.time == point.time }) { points[index] = point }
        }
        points = Array(points.suffix(window.seconds))
        if let cursor { self.cursor = min(cursor, points.count - 1) }
        scale()
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
