/// The figures at the top of the dashboard; rates are of the last 60 seconds, counts of the last 24 hours.
package struct Dashboard: Codable, Sendable {
    /// In the last 24 hours.
    package var requests: Int
    package var requestsPerSecond: Double
    /// From 0 to 1; nil when nothing was rated.
    @ShownNull package var successRate: Double?
    @ShownNull package var latencyAvgMs: Double?
    @ShownNull package var latencyP50Ms: Double?
    @ShownNull package var latencyP95Ms: Double?
    @ShownNull package var latencyP99Ms: Double?
    package var inFlight: Int
    package var clientKeysActive: Int
    package var upstreamKeysActive: Int
    /// As `Status.state`.
    package var state: String
    /// What is wrong now, worst first.
    package var problems: [Problem]

    package init(requests: Int, inFlight: Int, state: String) {
        self.requests = requests
        self.inFlight = inFlight
        self.state = state
        requestsPerSecond = 0
        clientKeysActive = 0
        upstreamKeysActive = 0
        problems = []
    }
}

/// Something that an operator should look at.
package struct Problem: Codable, Sendable, Equatable {
    package enum Severity: String, Codable, Sendable, CaseIterable {
        case error
        case warning
    }

    package var severity: Severity
    /// `audit`, `upstream`, `pool`, `key`, `scripts`, `script`, `channel` or `traffic`.
    package var kind: String
    /// Which one of its kind; empty where there is but one.
    package var name: String
    package var state: String
    package var detail: String

    package init(_ severity: Severity, kind: String, name: String, state: String, detail: String) {
        self.severity = severity
        self.kind = kind
        self.name = name
        self.state = state
        self.detail = detail
    }
}

/// What all charts of the dashboard show of one step of time; nil where there is nothing to measure.
package struct ChartPoint: Codable, Sendable, Equatable {
    package var time: Timestamp
    package var requests: Int
    package var errors: Int
    /// From 0 to 1.
    @ShownNull package var successRate: Double?
    @ShownNull package var latencyP50Ms: Double?
    @ShownNull package var latencyP95Ms: Double?
    @ShownNull package var latencyP99Ms: Double?

    package init(time: Timestamp, requests: Int, errors: Int) {
        self.time = time
        self.requests = requests
        self.errors = errors
    }
}

/// The dashboard's charts over one stretch of time, a point a step.
package struct Charts: Codable, Sendable {
    package var stepSeconds: Int
    package var points: [ChartPoint]

    package init(stepSeconds: Int, points: [ChartPoint]) {
        self.stepSeconds = stepSeconds
        self.points = points
    }
}

/// A figure that has a history.
package enum Metric: String, Codable, Sendable, CaseIterable {
    case requests
    case successRate = "success_rate"
    case latencyAvg = "latency_avg_ms"
    case latencyP50 = "latency_p50_ms"
    case latencyP95 = "latency_p95_ms"
    case latencyP99 = "latency_p99_ms"
    case ttftP50 = "ttft_p50_ms"
    case ttftP95 = "ttft_p95_ms"
    case errors
    case bytesIn = "bytes_in"
    case bytesOut = "bytes_out"
    case tokens
}

/// A metric over time; a stretch without any request has no value.
package struct Series: Codable, Sendable {
    package struct Point: Codable, Sendable {
        package var time: Timestamp
        @ShownNull package var value: Double?

        package init(time: Timestamp, value: Double?) {
            self.time = time
            self.value = value
        }
    }

    package var metric: Metric
    package var stepSeconds: Int
    package var points: [Point]

    package init(metric: Metric, stepSeconds: Int, points: [Point]) {
        self.metric = metric
        self.stepSeconds = stepSeconds
        self.points = points
    }
}

/// Which stretch of a metric is wanted.
package struct SeriesQuery: Sendable {
    package var metric = Metric.requests
    package var filter = ""
    package var from: Timestamp?
    package var to: Timestamp?
    /// Seconds; nil lets the range decide.
    package var step: Int?

    package init() {}
}

/// What exchanges can be counted by.
package enum StatsGrouping: String, Codable, Sendable, CaseIterable {
    case clientKey = "client_key"
    case owner
    case upstream
    case upstreamKey = "upstream_key"
    case model
    case error
}

/// One line of a statistic.
package struct StatsItem: Codable, Sendable {
    @ShownNull package var name: String?
    package var requests: Int
    package var errors: Int
    @ShownNull package var latencyAvgMs: Double?
    package var bytesIn: Int
    package var bytesOut: Int
    package var promptTokens: Int
    package var completionTokens: Int

    package init(name: String?, requests: Int, errors: Int, latencyAvgMs: Double?) {
        self.requests = requests
        self.errors = errors
        bytesIn = 0
        bytesOut = 0
        promptTokens = 0
        completionTokens = 0
        self.name = name
        self.latencyAvgMs = latencyAvgMs
    }
}

/// Figures over time.
package protocol DashboardOperations: Sendable {
    func dashboard(filter: String, by user: Operator) async throws -> Dashboard
    func series(_ query: SeriesQuery, by user: Operator) async throws -> Series
    /// Every chart at once, from the same reading; `metric` of the query says nothing here.
    func charts(_ query: SeriesQuery, by user: Operator) async throws -> Charts
    /// `from`: only exchanges that began then or later; nil counts all there are.
    func stats(
        by grouping: StatsGrouping,
        filter: String,
        from: Timestamp?,
        by user: Operator
    ) async throws -> Page<StatsItem>
}
