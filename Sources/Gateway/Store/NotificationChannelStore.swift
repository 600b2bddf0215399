import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The rows of notification channels: what may be shown as JSON, and what may hold secrets sealed beside it.
struct NotificationChannelStore: Sendable {
    private struct Definition: Codable {
        var kind: NotificationChannelKind
        var events: [NotificationEvent]
        var minSeverity: NotificationSeverity
        var quietHours: QuietHours?
        var dedupe: String
        var maxPerMinute: Int
    }

    let database: DatabasePool
    let masterKey: MasterKey

    /// `file`: what the configuration file defines, each with the id and the switch that its row has.
    func all(file: [NotificationChannelSettings]) throws -> [NotificationChannelSettings] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM notification_channels ORDER BY id").compactMap { row in
                try channel(row, file: file)
            }
        }
    }

    /// nil for one that has left the file.
    private func channel(
        _ row: Row,
        file: [NotificationChannelSettings]
    ) throws -> NotificationChannelSettings? {
        let name: String = row["name"]
        if row["source"] == Source.file.rawValue {
            guard var channel = file.first(where: { $0.name == name }) else { return nil }
            (channel.id, channel.version, channel.source) = (row["id"], row["version"], .file)
            channel.isEnabled = channel.isEnabled && row["enabled"]
            return channel
        }
        guard let text = row["definition"] as String?, let sealed = row["sealed"] as Data? else { return nil }
        let definition = try JSONForm.value(Definition.self, from: Data(text.utf8))
        var channel = NotificationChannelSettings(id: row["id"], name: name, kind: definition.kind)
        channel.isEnabled = row["enabled"]
        (channel.events, channel.minSeverity) = (definition.events, definition.minSeverity)
        (channel.quietHours, channel.maxPerMinute) = (definition.quietHours, definition.maxPerMinute)
        channel.dedupe = Duration(text: definition.dedupe) ?? channel.dedupe
        let secret = try masterKey.open(sealed, place: Self.place(channel.id))
        channel.address = try JSONForm.value(
            NotificationChannelSettings.Address.self,
            from: Data(secret.value.utf8)
        )
        channel.version = row["version"]
        return channel
    }

    static func place(_ id: Int) -> String { "notification_channels/\(id)/address" }

    /// Gives every channel of the file a row, so that its id and switch outlive restarts.
    func adopt(_ channels: [NotificationChannelSettings]) throws {
        guard !channels.isEmpty else { return }
        try database.write { db in
            for channel in channels {
                let source = try String.fetchOne(
                    db,
                    sql: "SELECT source FROM notification_channels WHERE name = ?",
                    arguments: [channel.name]
                )
                if let source {
                    guard source == Source.file.rawValue else {
                        let message =
                            "the file defines the notification channel \(channel.name), which an operator has made; "
                            + "rename or delete one"
                        throw OperationsError(.conflict, message, parameter: "notifications.channels")
                    }
                    continue
                }
                try db.execute(
                    sql: "INSERT INTO notification_channels (name, source) VALUES (?, 'file')",
                    arguments: [channel.name]
                )
            }
        }
    }

    func create(_ channel: NotificationChannelSettings, by user: Operator) throws -> Int {
        try database.change { db in
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM notification_channels") ?? 0
            guard count < NotificationChannelChecks.countLimit else {
                throw OperationsError(
                    .conflict,
                    "there can be \(NotificationChannelChecks.countLimit) channels"
                )
            }
            try Self.checkName(channel.name, except: 0, db)
            try db.execute(
                sql: "INSERT INTO notification_channels (name, source, enabled) VALUES (?, 'database', ?)",
                arguments: [channel.name, channel.isEnabled]
            )
            var made = channel
            made.id = Int(db.lastInsertedRowID)
            try write(made, version: 1, db)
            try Self.record("create", made.id, nil, made, user, db)
            return made.id
        }
    }

    private static func checkName(_ name: String, except id: Int, _ db: Database) throws {
        let isTaken = try Bool.fetchOne(
            db,
            sql: "SELECT EXISTS (SELECT 1 FROM notification_channels WHERE name = ? AND id != ?)",
            arguments: [name, id]
        )
        if isTaken == true {
            throw OperationsError(.conflict, "another channel has this name", parameter: "name")
        }
    }

    private func write(_ channel: NotificationChannelSettings, version: Int, _ db: Database) throws {
        let definition = Definition(
            kind: channel.kind,
            events: channel.events,
            minSeverity: channel.minSeverity,
            quietHours: channel.quietHours,
            dedupe: channel.dedupe.text,
            maxPerMinute: channel.maxPerMinute
        )
        let secret = Secret(try JSONForm.text(channel.address))
        try db.execute(
            sql: """
                UPDATE notification_channels SET name = ?, enabled = ?, definition = ?, sealed = ?, version = ?
                WHERE id = ?
                """,
            arguments: [
                channel.name, channel.isEnabled, try JSONForm.text(definition),
                try masterKey.seal(secret, place: Self.place(channel.id)), version, channel.id,
            ]
        )
    }

    func change(
        _ id: Int,
        ifVersion version: Int?,
        file: [NotificationChannelSettings],
        by user: Operator,
        _ change: @Sendable (inout NotificationChannelSettings) throws -> Void
    ) throws {
        try database.change { db in
            let before = try find(id, file, db)
            try Precondition.check(version, is: before.version)
            var after = before
            try change(&after)
            if before.source == .file {
                // What is left of a change is the switch.
                try db.execute(
                    sql: "UPDATE notification_channels SET enabled = ?, version = ? WHERE id = ?",
                    arguments: [after.isEnabled, before.version + 1, id]
                )
            } else {
                try Self.checkName(after.name, except: id, db)
                try write(after, version: before.version + 1, db)
            }
            try Self.record("change", id, before, after, user, db)
        }
    }

    private func find(
        _ id: Int,
        _ file: [NotificationChannelSettings],
        _ db: Database
    ) throws -> NotificationChannelSettings {
        let row = try Row.fetchOne(
            db,
            sql: "SELECT * FROM notification_channels WHERE id = ?",
            arguments: [id]
        )
        guard let row, let found = try channel(row, file: file) else {
            throw OperationsError(.notFound, "there is no notification channel \(id)")
        }
        return found
    }

    func delete(_ id: Int, ifVersion: Int?, file: [NotificationChannelSettings], by user: Operator) throws {
        try database.change { db in
            let before = try find(id, file, db)
            try Precondition.check(ifVersion, is: before.version)
            guard before.source == .database else { throw GatewayOperations.managedByFile }
            try db.execute(sql: "DELETE FROM notification_channels WHERE id = ?", arguments: [id])
            try db.execute(sql: "DELETE FROM notification_templates WHERE channel_id = ?", arguments: [id])
            try Self.record("delete", id, before, nil, user, db)
        }
    }

    /// What may be a secret is not written down, only that it is there or has changed.
    private static func record(
        _ action: String,
        _ id: Int,
        _ before: NotificationChannelSettings?,
        _ after: NotificationChannelSettings?,
        _ user: Operator,
        _ db: Database
    ) throws {
        func shown(_ channel: NotificationChannelSettings?) throws -> String? {
            guard let channel else { return nil }
            var fields = [
                "name": channel.name, "kind": channel.kind.rawValue, "enabled": "\(channel.isEnabled)",
                "events": channel.events.map(\.rawValue).joined(separator: ","),
                "min_severity": channel.minSeverity.rawValue,
            ]
            if let before, let after, before.address != after.address {
                fields["address"] = "(changed, not shown)"
            }
            return try JSONForm.text(fields)
        }
        let record = ChangeRecord(
            user: user,
            action: action,
            object: "notification_channel",
            objectID: id,
            before: try shown(before),
            after: try shown(after)
        )
        try Store.record(record, db)
    }
}

/// The texts that operators have put in the place of those that ship.
struct NotificationTemplateStore: Sendable {
    struct Stored: Sendable, Equatable {
        var title: String
        var body: String
        /// 0 for all channels.
        var channel: Int
    }

    let database: DatabasePool

    /// The channel's own, else that of all channels; nil where the one that ships is in force.
    func find(_ event: NotificationEvent, channel: Int?) throws -> Stored? {
        try database.read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT * FROM notification_templates WHERE event = ? AND channel_id IN (0, ?)
                    ORDER BY channel_id DESC LIMIT 1
                    """,
                arguments: [event.rawValue, channel ?? 0]
            ).map { Stored(title: $0["title"], body: $0["body"], channel: $0["channel_id"]) }
        }
    }

    /// `text`: nil goes back to the one that ships.
    func set(_ event: NotificationEvent, channel: Int?, _ text: MessageText?, by user: Operator) throws {
        try database.change { db in
            try db.execute(
                sql: "DELETE FROM notification_templates WHERE event = ? AND channel_id = ?",
                arguments: [event.rawValue, channel ?? 0]
            )
            if let text {
                try db.execute(
                    sql:
                        "INSERT INTO notification_templates (event, channel_id, title, body) VALUES (?, ?, ?, ?)",
                    arguments: [event.rawValue, channel ?? 0, text.title, text.body]
                )
            }
            let after = text.map { ["event": event.rawValue, "title": $0.title, "body": $0.body] }
            let record = ChangeRecord(
                user: user,
                action: text == nil ? "reset" : "change",
                object: "notification_template",
                objectID: channel,
                after: try JSONForm.text(after ?? ["event": event.rawValue])
            )
            try Store.record(record, db)
        }
    }
}
