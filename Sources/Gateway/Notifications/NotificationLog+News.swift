import GRDB
import Operations

/// What has happened, on its way to those who want to know.
///
/// The same about the same is told once in a while and counted in between. What goes back and forth is told so that the
/// last word is true: its newest state waits until the while is over, and is not told at all when it is gone by then.
extension NotificationLog {
    /// What no channel wants is told apart for so long.
    private static let unroutedDedupe = 300_000_000

    /// Writes down what has happened, once for each channel that wants it.
    func add(_ entries: [Entry], now: Int) throws {
        try database.write { db in
            var touched: Set<Int> = []
            for entry in entries {
                if entry.channels.isEmpty {
                    try Self.add(entry, to: nil, dedupe: Self.unroutedDedupe, now: now, db)
                }
                for channel in entry.channels {
                    try Self.add(entry, to: channel, dedupe: channel.dedupe.milliseconds * 1000, now: now, db)
                    touched.insert(channel.id)
                }
            }
            for channel in touched { try Self.drop(channel, db) }
        }
    }

    static func add(
        _ entry: Entry,
        to channel: NotificationChannelSettings?,
        dedupe: Int,
        now: Int,
        _ db: Database
    ) throws {
        let place = text(entry.news.place)
        try withdraw(entry.news.place, channel?.id, now: now, db)
        let earlier = try Row.fetchOne(
            db,
            sql:
                """
                SELECT id, at FROM notifications WHERE place = ? AND channel_id IS ? AND at > ?
                AND status NOT IN ('dead', 'dropped') ORDER BY id DESC LIMIT 1
                """,
            arguments: [place, channel?.id, entry.news.first - dedupe]
        )
        var due = 0
        if let earlier {
            guard try isContradicted(entry.news.place, since: earlier["id"], channel?.id, db) else {
                try db.execute(
                    sql: "UPDATE notifications SET count = count + ?, last_at = max(last_at, ?) WHERE id = ?",
                    arguments: [entry.news.count, entry.news.last, earlier["id"] as Int]
                )
                return
            }
            // Nobody is told when a pool has a usable key again, so nothing could call this back.
            if entry.news.place.event != .poolExhausted { due = earlier["at"] + dedupe }
        }
        try db.execute(
            sql: """
                INSERT INTO notifications
                (at, last_at, event, place, subject, data, count, channel_id, channel, status, due)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                entry.news.first, entry.news.last, entry.news.place.event.rawValue, place, entry.subject,
                try JSONForm.text(entry.news.data), entry.news.count, channel?.id, channel?.name,
                channel == nil
                    ? NotificationRecord.Status.unrouted.rawValue
                    : NotificationRecord.Status.pending.rawValue, due,
            ]
        )
    }

    /// Leaves out what waits longest where too much waits; a message that was put together already stays.
    private static func drop(_ channel: Int, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE notifications SET status = 'dropped', reason = ? WHERE id IN (
                    SELECT id FROM notifications WHERE channel_id = ? AND status = 'pending' AND message_id IS NULL
                    ORDER BY id DESC LIMIT -1 OFFSET ?
                )
                """,
            arguments: ["more than \(queueLimit) waited", channel, queueLimit]
        )
    }

    // MARK: Back and forth

    private static func text(_ place: NotificationInbox.Place) -> String {
        "\(place.event.rawValue)|\(place.upstream)|\(place.id)|\(place.detail)"
    }

    /// Beginnings of the places that say the opposite of one.
    private static func opposites(_ place: NotificationInbox.Place) -> [String] {
        func of(_ event: NotificationEvent, id: Int? = nil) -> String {
            "\(event.rawValue)|\(place.upstream)|" + (id.map { "\($0)|" } ?? "")
        }
        switch place.event {
        case .keyRecovered:
            return [NotificationEvent.keyDisabled, .keyBanned, .quotaExceeded].map { of($0, id: place.id) }
        case .keyDisabled, .keyBanned, .quotaExceeded: return [of(.keyRecovered, id: place.id)]
        case .poolExhausted: return [of(.keyRecovered), of(.upstreamRecovered)]
        case .upstreamDown: return [of(.upstreamRecovered)]
        case .upstreamRecovered: return [of(.upstreamDown)]
        case .rateLimitExceeded, .auditDegraded, .scriptFailing, .ruleMatched, .test: return []
        }
    }

    /// The first text that does not begin so.
    private static func end(_ beginning: String) -> String { beginning.dropLast() + "}" }

    /// Whether whoever reads the channel was told the opposite since.
    private static func isContradicted(
        _ place: NotificationInbox.Place,
        since id: Int,
        _ channel: Int?,
        _ db: Database
    ) throws -> Bool {
        try opposites(place).contains { opposite in
            let sql = """
                SELECT EXISTS (SELECT 1 FROM notifications WHERE place >= ? AND place < ? AND channel_id IS ? AND id > ?
                AND status NOT IN ('dead', 'dropped'))
                """
            let arguments: StatementArguments = [opposite, end(opposite), channel, id]
            return try Bool.fetchOne(db, sql: sql, arguments: arguments) ?? false
        }
    }

    /// What waits for its while to be over, and is over before it, is not told.
    private static func withdraw(
        _ place: NotificationInbox.Place,
        _ channel: Int?,
        now: Int,
        _ db: Database
    ) throws {
        for opposite in opposites(place) {
            try db.execute(
                sql: """
                    UPDATE notifications SET status = 'dropped', reason = 'over before it was told again'
                    WHERE place >= ? AND place < ? AND channel_id IS ? AND status = 'pending' AND message_id IS NULL
                    AND due > ?
                    """,
                arguments: [opposite, end(opposite), channel, now]
            )
        }
    }
}
