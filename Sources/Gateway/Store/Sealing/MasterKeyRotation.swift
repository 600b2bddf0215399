import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Seals everything anew under another master key, in one transaction.
struct MasterKeyRotation {
    let database: DatabasePool
    let masterKey: MasterKey

    /// What was sealed anew.
    struct Count: Sendable {
        var upstreamKeys = 0
        var channels = 0
    }

    /// From its return on `masterKey` is `next`; when it throws, everything is as it was.
    ///
    /// Undos and remembered answers of before hold what the old key has sealed, and end here.
    func rotate(to next: MasterKey, by user: Operator) throws -> Count {
        var before: MasterKey.Standing?
        do {
            return try database.write { db in
                let count = Count(
                    upstreamKeys: try resealKeys(next, db),
                    channels: try resealChannels(next, db)
                )
                try db.execute(sql: "DELETE FROM changesets; DELETE FROM idempotency")
                try Store.remember(next, db)
                let record = ChangeRecord(user: user, action: "rotate", object: "master_key", objectID: nil)
                try Store.record(record, db)
                // Whoever seals after this transaction does so with the next key.
                before = masterKey.become(next)
                return count
            }
        } catch {
            if let before, try !Store(database: database).isSealed(by: next) { masterKey.goBack(to: before) }
            throw error
        }
    }

    /// Takes what the old key has sealed out of the write-ahead log, too.
    ///
    /// While somebody reads there it stays, for the
    /// task of the database's upkeep.
    func forgetTraces() {
        try? database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    }

    private func resealKeys(_ next: MasterKey, _ db: Database) throws -> Int {
        let rows = try Row.fetchCursor(
            db,
            sql: "SELECT id, sealed FROM upstream_keys WHERE sealed IS NOT NULL"
        )
        let update = try db.cachedStatement(
            sql: "UPDATE upstream_keys SET sealed = ?, digest = ? WHERE id = ?"
        )
        var values: [(id: Int, sealed: Data)] = []
        while let row = try rows.next() { values.append((row["id"], row["sealed"])) }
        // What values of the file are is told by the next start.
        try db.execute(sql: "UPDATE upstream_keys SET digest = NULL WHERE sealed IS NULL")
        for (id, sealed) in values {
            let place = UpstreamKeyRow.place(id)
            let value = try masterKey.open(sealed, place: place)
            try update.execute(arguments: [try next.seal(value, place: place), next.digest(of: value), id])
        }
        return values.count
    }

    private func resealChannels(_ next: MasterKey, _ db: Database) throws -> Int {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT id, sealed FROM notification_channels WHERE sealed IS NOT NULL"
        )
        for row in rows {
            let place = NotificationChannelStore.place(row["id"])
            let value = try masterKey.open(row["sealed"], place: place)
            try db.execute(
                sql: "UPDATE notification_channels SET sealed = ? WHERE id = ?",
                arguments: [try next.seal(value, place: place), row["id"] as Int]
            )
        }
        return rows.count
    }
}
