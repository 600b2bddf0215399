import GRDB
import Operations

/// What is kept of tasks over restarts: intervals that operators have set, and the last run.
struct TaskStore: Sendable {
    struct Kept: Sendable {
        var interval: Duration?
        var last: TaskState.Run?
    }

    let database: DatabasePool

    func all() throws -> [String: Kept] {
        try database.read { db in
            var all: [String: Kept] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT * FROM tasks") {
                var kept = Kept()
                kept.interval = (row["interval_ms"] as Int?).map { .milliseconds($0) }
                if let began = row["began_at"] as Int? {
                    kept.last = TaskState.Run(
                        began: began,
                        duration: .milliseconds(row["duration_ms"] as Int? ?? 0),
                        succeeded: row["succeeded"] as Bool? ?? true,
                        result: row["result"] as String? ?? ""
                    )
                }
                all[row["name"]] = kept
            }
            return all
        }
    }

    func keep(_ run: TaskState.Run, of name: ScheduledTask.Name) throws {
        try database.write { db in
            try db.execute(
                sql: """
                    INSERT INTO tasks (name, began_at, duration_ms, succeeded, result) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET began_at = excluded.began_at,
                    duration_ms = excluded.duration_ms, succeeded = excluded.succeeded, result = excluded.result
                    """,
                arguments: [
                    name.rawValue, run.began, run.duration.milliseconds, run.succeeded, run.result,
                ]
            )
        }
    }

    /// `interval`: nil for the default.
    func set(
        _ interval: Duration?,
        before: Duration,
        of name: ScheduledTask.Name,
        by user: Operator
    ) throws {
        // The row is there before the change, so that undoing it leaves what is known of runs.
        try database.write { db in
            try db.execute(sql: "INSERT OR IGNORE INTO tasks (name) VALUES (?)", arguments: [name.rawValue])
        }
        try database.change { db in
            try db.execute(
                sql: "UPDATE tasks SET interval_ms = ? WHERE name = ?",
                arguments: [interval?.milliseconds, name.rawValue]
            )
            let record = ChangeRecord(
                user: user,
                action: "change",
                object: "task",
                objectID: nil,
                before: try JSONForm.text(["name": name.rawValue, "interval": before.text]),
                after: try JSONForm.text(["name": name.rawValue, "interval": interval?.text ?? "default"])
            )
            try Store.record(record, db)
        }
    }
}
