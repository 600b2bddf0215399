/// A job that the gateway does by itself, again and again.
package struct ScheduledTask: Codable, Sendable, Equatable {
    package enum Name: String, Codable, Sendable, CaseIterable {
        case retention
        case quotaReset = "quota_reset"
        case keyRecovery = "key_recovery"
        case healthProbe = "health_probe"
        case databaseUpkeep = "database_upkeep"
        case expiredKeys = "expired_keys"
        case recordCleanup = "record_cleanup"
    }

    package var name: Name
    /// What it does, in a sentence.
    package var summary: String
    /// From one begin to the next, a duration as text: `10s`.
    package var interval: String
    package var defaultInterval: String
    package var running: Bool
    /// Since the start.
    package var runs: Int
    package var failures: Int
    @ShownNull package var lastRunAt: Timestamp?
    @ShownNull package var lastDurationMs: Double?
    /// nil before the first run.
    @ShownNull package var succeeded: Bool?
    /// What the last run has done, or why it failed.
    @ShownNull package var result: String?
    package var nextRunAt: Timestamp

    package init(
        name: Name,
        summary: String,
        interval: Duration,
        defaultInterval: Duration,
        nextRunAt: Timestamp
    ) {
        self.name = name
        self.summary = summary
        self.interval = interval.text
        self.defaultInterval = defaultInterval.text
        self.nextRunAt = nextRunAt
        running = false
        runs = 0
        failures = 0
    }
}

/// What may change of a task.
package struct ScheduledTaskChange: Codable, Sendable {
    /// A duration as text; null restores the default.
    package var interval: Change<String> = .keep

    package init() {}

    package static let fields = ["interval"]
}

/// What the gateway does by itself.
package protocol TaskOperations: Sendable {
    func tasks(by user: Operator) async throws -> Page<ScheduledTask>
    func changeTask(
        _ name: String,
        _ change: ScheduledTaskChange,
        by user: Operator
    ) async throws -> ScheduledTask
    /// Returns once it has been done.
    func runTask(_ name: String, by user: Operator) async throws -> ScheduledTask
}
