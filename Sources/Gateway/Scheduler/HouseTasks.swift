import GRDB
import Operations

/// What the gateway does by itself, each with what it needs.
struct HouseTasks: Sendable {
    let audit: AuditService
    let limiter: Limiter
    let pools: PoolRegistry
    let probes: HealthProbes
    let snapshots: SnapshotPublisher
    let notifications: NotificationLog
    let database: DatabasePool

    private static let second = Duration.seconds(1)
    private static let hour = Duration.seconds(3600)
    private static let day = Duration.seconds(86_400)

    var all: [TaskDefinition] {
        [
            TaskDefinition(
                name: .retention,
                summary:
                    "Drops audit files that are older, or together larger, than the configuration allows",
                interval: .seconds(10),
                allowed: Self.second...Self.hour,
                work: { _ in retain() }
            ),
            TaskDefinition(
                name: .quotaReset,
                summary: "Begins quotas anew whose day, week or month is over",
                interval: Self.second,
                allowed: Self.second...Self.hour,
                work: { _ in resetQuotas() }
            ),
            TaskDefinition(
                name: .keyRecovery,
                summary: "Lets upstream keys be tried again whose rest is over",
                interval: .seconds(5),
                allowed: Self.second...Self.hour,
                work: { _ in recoverKeys() }
            ),
            TaskDefinition(
                name: .healthProbe,
                summary: "Asks upstreams that have a probe how they and their keys are",
                interval: .seconds(5),
                allowed: Self.second...Self.day,
                work: { await probes.round(snapshots.upstreams, isAsked: $0) }
            ),
            TaskDefinition(
                name: .databaseUpkeep,
                summary:
                    "Checks the configuration database, refreshes its statistics and empties its journal",
                interval: Self.day,
                allowed: .seconds(60)...Duration.seconds(30 * 86_400),
                work: { _ in try await keepUp() }
            ),
            TaskDefinition(
                name: .expiredKeys,
                summary:
                    "Notes client keys whose time is over, and deletes those that rotation replaced a month ago",
                interval: .seconds(60),
                allowed: .seconds(10)...Self.day,
                work: { _ in try await sweepExpired() }
            ),
            TaskDefinition(
                name: .recordCleanup,
                summary:
                    "Forgets remembered answers, old undos, counts, rests and notifications that nobody will ask for again",
                interval: Self.hour,
                allowed: .seconds(60)...Self.day,
                work: { _ in try cleanUp() }
            ),
        ]
    }

    private func retain() -> String {
        let dropped = audit.retain()
        return dropped.isEmpty
            ? "nothing is too old or too much" : "dropped \(Self.count(dropped.count, "file"))"
    }

    private func resetQuotas() -> String {
        let now = WallClock.now().microseconds
        guard let ends = limiter.rollOver(zone: snapshots.configuration.timeZone, now: now) else {
            return "no period is over"
        }
        pools.rollOver(ends, now: now)
        return "a period is over: its quotas begin anew"
    }

    private func recoverKeys() -> String {
        let now = WallClock.now().microseconds
        let sums = pools.timePassed(now: now)
        guard sums.due > 0 else { return sums.resting == 0 ? "none rests" : "\(sums.resting) rest" }
        return "\(Self.count(sums.due, "key")) may be tried again, \(sums.resting) rest"
    }

    private func keepUp() async throws -> String {
        try await SearchThreads.run { [database] in
            // Reading it through holds no writer up.
            let size = try database.read { db in
                let fault = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
                guard fault == "ok" else { throw DatabaseError(message: "the database is damaged: \(fault)") }
                let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                return try pages * (Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
            }
            try database.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA optimize")
                _ = try db.checkpoint(.truncate)
            }
            return "the database is whole and has \((size + 1023) / 1024) kb"
        }
    }

    private func sweepExpired() async throws -> String {
        let keys = ClientKeyStore(database: database)
        let swept = try keys.sweepExpired(now: WallClock.now().microseconds)
        if !swept.deleted.isEmpty { try await snapshots.publishClientKeys(swept.deleted) }
        guard swept.noted + swept.deleted.count > 0 else { return "none" }
        return "\(Self.count(swept.noted, "key")) expired, \(swept.deleted.count) deleted"
    }

    /// How many transactions of operators can be undone.
    private static let undoLimit = 1000

    private func cleanUp() throws -> String {
        let now = WallClock.now()
        let notes = OperatorNotes(database: database)
        let answers = try notes.forgetAnswers(before: now.seconds - GatewayOperations.idempotencyTime)
        let undos = try notes.forgetChangesets(keeping: Self.undoLimit)
        let records = pools.cleanUp(now: now.microseconds)
        let told = try notifications.cleanUp(now: now.microseconds)
        return
            "\(Self.count(answers, "answer")), \(Self.count(undos, "undo")), \(Self.count(records, "record")) of keys and "
            + "\(Self.count(told, "notification")) forgotten"
    }

    private static func count(_ number: Int, _ what: String) -> String {
        "\(number) \(what)\(number == 1 ? "" : "s")"
    }
}
