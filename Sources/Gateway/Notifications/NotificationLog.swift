import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The queue of messages and the history of them, in a database of its own, so that a restart loses none.
///
/// Synchronous like every store; used by the notifier and by operators' requests.
struct NotificationLog: Sendable {
    /// News with the channels that want them.
    struct Entry: Sendable, Equatable {
        var news: NotificationInbox.News
        var subject: String
        var channels: [NotificationChannelSettings]
    }

    /// A message that waits to be handed over.
    struct Message: Sendable, Equatable {
        var id: Int
        /// When it was put together; microseconds since 1970.
        var at: Int
        var entries: [NotificationEntry]
    }

    /// Waiting on one channel; older ones are left out beyond that.
    static let queueLimit = 1000
    /// Rows of the history.
    static let historyLimit = 100_000
    static let historyTime = 30 * 86_400_000_000

    let database: DatabasePool

    init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        do {
            database = try DatabasePool(path: path, configuration: configuration)
            try database.write { db in
                try db.execute(sql: Self.schema)
                try Self.addDue(db)
                // Nobody waits for the outcome of a test any more.
                try db.execute(
                    sql: """
                        UPDATE notifications SET status = 'dead', reason = 'the gateway ended during the test'
                        WHERE status = 'pending' AND event = 'test'
                        """
                )
            }
        } catch let error as DatabaseError {
            throw StartFailure(
                "\(path) cannot be used: \(error.message ?? "unknown fault"); move it away to begin a new history"
            )
        }
    }

    func close() throws { try database.close() }

    /// Files of the first version tell everything at once.
    private static func addDue(_ db: Database) throws {
        guard !(try db.columns(in: "notifications").contains { $0.name == "due" }) else { return }
        try db.execute(sql: "ALTER TABLE notifications ADD COLUMN due INTEGER NOT NULL DEFAULT 0")
    }

    private static let schema = """
        CREATE TABLE IF NOT EXISTS notifications (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            event TEXT NOT NULL,
            place TEXT NOT NULL,
            subject TEXT NOT NULL,
            data TEXT NOT NULL,
            count INTEGER NOT NULL,
            channel_id INTEGER,
            channel TEXT,
            status TEXT NOT NULL,
            reason TEXT,
            message_id INTEGER,
            sent_at INTEGER,
            due INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX IF NOT EXISTS notifications_pending ON notifications (channel_id, id) WHERE status = 'pending';
        CREATE INDEX IF NOT EXISTS notifications_place ON notifications (place, channel_id, id);
        CREATE INDEX IF NOT EXISTS notifications_message ON notifications (message_id) WHERE message_id IS NOT NULL;
        CREATE TABLE IF NOT EXISTS messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            channel_id INTEGER NOT NULL,
            at INTEGER NOT NULL,
            size INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE IF NOT EXISTS tries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id INTEGER NOT NULL,
            at INTEGER NOT NULL,
            succeeded INTEGER NOT NULL,
            detail TEXT NOT NULL,
            duration_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS tries_message ON tries (message_id);
        """

    // MARK: Messages

    /// How many wait, by channel, and how many more wait for a later time.
    func waiting(now: Int) throws -> [Int: (due: Int, later: Int)] {
        try database.read { db in
            let rows = try Row.fetchAll(
                db,
                sql:
                    """
                    SELECT channel_id, sum(due <= ?) AS due, sum(due > ?) AS later FROM notifications
                    WHERE status = 'pending' AND event != 'test' GROUP BY channel_id
                    """,
                arguments: [now, now]
            )
            let pairs = rows.compactMap { row in
                (row["channel_id"] as Int?).map { ($0, (due: row["due"] as Int, later: row["later"] as Int)) }
            }
            return Dictionary(pairs) { $1 }
        }
    }

    /// The message that was put together and is not handed over yet, else a new one of what waits.
    ///
    /// `critical`: only what is.
    func message(for channel: Int, _ plan: DigestPlan, critical: Bool, now: Int) throws -> Message? {
        try database.write { db in
            if let open = try Row.fetchOne(
                db,
                sql: """
                    SELECT id, at FROM messages WHERE id = (
                        SELECT message_id FROM notifications
                        WHERE channel_id = ? AND status = 'pending' AND event != 'test'
                        AND message_id IS NOT NULL LIMIT 1
                    )
                    """,
                arguments: [channel]
            ) {
                let entries = try Self.entries(of: open["id"], db)
                if !critical || entries.contains(where: { $0.event.severity == .critical }) {
                    return Message(id: open["id"], at: open["at"], entries: entries)
                }
                // What is critical does not wait behind it, and it waits for the morning.
                try db.execute(
                    sql:
                        "UPDATE notifications SET message_id = NULL WHERE message_id = ? AND status = 'pending'",
                    arguments: [open["id"] as Int]
                )
            }
            let waiting = try Row.fetchAll(
                db,
                sql: """
                    SELECT id, event FROM notifications
                    WHERE channel_id = ? AND status = 'pending' AND event != 'test' AND message_id IS NULL AND due <= ?
                    ORDER BY id
                    """,
                arguments: [channel, now]
            ).compactMap { row -> Int? in
                let event = NotificationEvent(rawValue: row["event"])
                return !critical || event?.severity == .critical ? row["id"] : nil
            }
            let chosen = waiting.prefix(plan.count(of: waiting.count))
            guard !chosen.isEmpty else { return nil }
            try db.execute(
                sql: "INSERT INTO messages (channel_id, at, size) VALUES (?, ?, ?)",
                arguments: [channel, now, chosen.count]
            )
            let id = Int(db.lastInsertedRowID)
            let update = try db.cachedStatement(sql: "UPDATE notifications SET message_id = ? WHERE id = ?")
            for entry in chosen { try update.execute(arguments: [id, entry]) }
            return Message(id: id, at: now, entries: try Self.entries(of: id, db))
        }
    }

    private static func entries(of message: Int, _ db: Database) throws -> [NotificationEntry] {
        try Row.fetchAll(
            db,
            sql: "SELECT * FROM notifications WHERE message_id = ? AND status = 'pending' ORDER BY id",
            arguments: [message]
        ).compactMap { row in
            // An event of a newer version is nothing that this one can tell of.
            guard let event = NotificationEvent(rawValue: row["event"]) else { return nil }
            return NotificationEntry(
                id: row["id"],
                event: event,
                subject: row["subject"],
                data: try JSONForm.value([String: String].self, from: Data((row["data"] as String).utf8)),
                at: row["at"],
                count: row["count"]
            )
        }
    }

    /// Writes down how a try ended.
    ///
    /// `isOver`: nothing is tried any more.
    func tried(_ message: Int, _ outcome: DeliveryOutcome, isOver: Bool, began: Int, now: Int) throws {
        try database.write { db in
            try db.execute(
                sql:
                    "INSERT INTO tries (message_id, at, succeeded, detail, duration_ms) VALUES (?, ?, ?, ?, ?)",
                arguments: [message, began, outcome.isDelivered, outcome.detail, (now - began) / 1000]
            )
            let status: NotificationRecord.Status = outcome.isDelivered ? .sent : isOver ? .dead : .pending
            try db.execute(
                sql: """
                    UPDATE notifications SET status = ?, reason = ?, sent_at = ?
                    WHERE message_id = ? AND status = 'pending'
                    """,
                arguments: [
                    status.rawValue, outcome.isDelivered ? nil : outcome.detail,
                    outcome.isDelivered ? now : nil, message,
                ]
            )
        }
    }

    /// Puts a dead letter back into the queue.
    func resend(_ id: Int) throws {
        try database.write { db in
            let row = try Row.fetchOne(
                db,
                sql: "SELECT status, event FROM notifications WHERE id = ?",
                arguments: [id]
            )
            guard let row else { throw OperationsError(.notFound, "there is no notification \(id)") }
            guard row["event"] != NotificationEvent.test.rawValue else {
                throw OperationsError(.conflict, "it is a test: test its channel again")
            }
            let status: String = row["status"]
            guard
                status == NotificationRecord.Status.dead.rawValue
                    || status == NotificationRecord.Status.dropped.rawValue
            else {
                throw OperationsError(.conflict, "it is \(status): only dead or dropped ones are sent again")
            }
            try db.execute(
                sql:
                    "UPDATE notifications SET status = 'pending', reason = NULL, message_id = NULL, due = 0 WHERE id = ?",
                arguments: [id]
            )
        }
    }

    /// What waits on a channel that is gone is told to nobody.
    func forget(channel: Int) throws {
        try database.write { db in
            try db.execute(
                sql: """
                    UPDATE notifications SET status = 'dropped', reason = 'the channel was deleted'
                    WHERE channel_id = ? AND status = 'pending'
                    """,
                arguments: [channel]
            )
        }
    }

    /// Writes a test down as a message of its own, which waits for nothing.
    func begin(test news: NotificationInbox.News, on channel: NotificationChannelSettings) throws -> Message {
        try database.write { db in
            try Self.add(
                Entry(news: news, subject: channel.name, channels: [channel]),
                to: channel,
                dedupe: 0,
                now: news.first,
                db
            )
            let id = Int(db.lastInsertedRowID)
            try db.execute(
                sql: "INSERT INTO messages (channel_id, at, size) VALUES (?, ?, 1)",
                arguments: [channel.id, news.first]
            )
            let message = Int(db.lastInsertedRowID)
            try db.execute(
                sql: "UPDATE notifications SET message_id = ? WHERE id = ?",
                arguments: [message, id]
            )
            return Message(id: message, at: news.first, entries: try Self.entries(of: message, db))
        }
    }
}
