import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What was told, as operators look at it.
extension NotificationLog {
    /// Newest first; `limit` + 1 rows where there are more.
    func history(_ query: NotificationQuery, before id: Int) throws -> [NotificationRecord] {
        try database.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT n.*, m.size FROM notifications n LEFT JOIN messages m ON m.id = n.message_id
                    WHERE n.id < ?1 AND (?2 IS NULL OR n.channel_id = ?2) AND (?3 IS NULL OR n.event = ?3)
                    AND (?4 IS NULL OR n.status = ?4) ORDER BY n.id DESC LIMIT ?5
                    """,
                arguments: [
                    id, query.channel, query.event?.rawValue, query.status?.rawValue, query.limit + 1,
                ]
            )
            // Those of one digest share their tries.
            var known: [Int: Tries] = [:]
            return try rows.compactMap { row in
                guard let message = row["message_id"] as Int? else { return try Self.record(row, Tries()) }
                let tries = try known[message] ?? Self.tries(message, db)
                known[message] = tries
                return try Self.record(row, tries)
            }
        }
    }

    func record(_ id: Int) throws -> NotificationRecord? {
        try database.read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT n.*, m.size FROM notifications n LEFT JOIN messages m ON m.id = n.message_id WHERE n.id = ?
                    """,
                arguments: [id]
            )
            return try row.flatMap { row in
                try Self.record(
                    row,
                    try (row["message_id"] as Int?).map { try Self.tries($0, db) } ?? Tries()
                )
            }
        }
    }

    /// Those of one message.
    private struct Tries {
        var count = 0
        /// The last ones, oldest first.
        var newest: [NotificationTry] = []
    }

    private static func tries(_ message: Int, _ db: Database) throws -> Tries {
        let count = try Int.fetchOne(
            db,
            sql: "SELECT count(*) FROM tries WHERE message_id = ?",
            arguments: [message]
        )
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT * FROM tries WHERE message_id = ? ORDER BY id DESC LIMIT ?",
            arguments: [message, NotificationRecord.shownTries]
        )
        let newest = rows.reversed().map { row in
            NotificationTry(
                time: Timestamp(microseconds: row["at"]),
                succeeded: row["succeeded"],
                detail: row["detail"],
                durationMs: row["duration_ms"]
            )
        }
        return Tries(count: count ?? 0, newest: newest)
    }

    private static func record(_ row: Row, _ tries: Tries) throws -> NotificationRecord? {
        guard let event = NotificationEvent(rawValue: row["event"]),
            let status = NotificationRecord.Status(rawValue: row["status"])
        else { return nil }
        var record = NotificationRecord(
            id: row["id"],
            time: Timestamp(microseconds: row["at"]),
            event: event,
            subject: row["subject"],
            data: try JSONForm.value([String: String].self, from: Data((row["data"] as String).utf8))
        )
        (record.channelId, record.channel) = (row["channel_id"], row["channel"])
        (record.status, record.reason) = (status, row["reason"])
        if status == .pending, let due: Int = row["due"], due > 0 {
            record.dueAt = Timestamp(microseconds: due)
        }
        (record.count, record.lastTime) = (row["count"], Timestamp(microseconds: row["last_at"]))
        record.digest = row["size"] ?? 1
        record.sentAt = (row["sent_at"] as Int?).map { Timestamp(microseconds: $0) }
        (record.tries, record.triesCount) = (tries.newest, tries.count)
        return record
    }

    /// When each channel last told something, in microseconds since 1970.
    func lastSent() throws -> [Int: Int] {
        try database.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT channel_id, max(sent_at) AS at FROM notifications
                    WHERE status = 'sent' AND channel_id IS NOT NULL GROUP BY channel_id
                    """
            )
            return Dictionary(rows.map { ($0["channel_id"], $0["at"]) }) { $1 }
        }
    }

    /// - Returns: how much was too old, or too much.
    func cleanUp(now: Int) throws -> Int {
        try database.write { db in
            try db.execute(
                sql: """
                    DELETE FROM notifications WHERE status != 'pending'
                    AND (at < ? OR id <= (SELECT max(id) FROM notifications) - ?)
                    """,
                arguments: [now - Self.historyTime, Self.historyLimit]
            )
            let count = db.changesCount
            try db.execute(
                sql:
                    "DELETE FROM messages WHERE id NOT IN (SELECT message_id FROM notifications WHERE message_id IS NOT NULL)"
            )
            try db.execute(sql: "DELETE FROM tries WHERE message_id NOT IN (SELECT id FROM messages)")
            return count
        }
    }
}
