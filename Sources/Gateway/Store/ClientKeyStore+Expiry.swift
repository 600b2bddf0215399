import GRDB
import Operations

extension ClientKeyStore {
    /// How long a key stays that rotation has replaced, in microseconds.
    private static let replacedTime = 30 * 86_400 * 1_000_000
    /// In one transaction.
    private static let sweepLimit = 1000

    /// Writes down which keys have expired since the last time, and deletes those that were replaced long ago.
    func sweepExpired(now: Int) throws -> (noted: Int, deleted: [Int]) {
        try database.write { db in
            let expired = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM client_keys WHERE expires_at <= ? AND revoked_at IS NULL
                    AND expiry_noted IS NOT expires_at LIMIT ?
                    """,
                arguments: [now, Self.sweepLimit]
            )
            for row in expired {
                let key = try Self.decode(row).key
                try db.execute(
                    sql: "UPDATE client_keys SET expiry_noted = expires_at WHERE id = ?",
                    arguments: [key.id]
                )
                try Self.record("expire", key, db)
            }
            let replaced = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM client_keys WHERE expires_at <= ? AND successor_id IS NOT NULL LIMIT ?
                    """,
                arguments: [now - Self.replacedTime, Self.sweepLimit]
            ).map { try Self.decode($0).key }
            for key in replaced {
                try db.execute(sql: "DELETE FROM client_keys WHERE id = ?", arguments: [key.id])
                try Self.record("delete", key, db)
            }
            return (expired.count, replaced.map(\.id))
        }
    }

    private static func record(_ action: String, _ key: ClientKey, _ db: Database) throws {
        let record = ChangeRecord(
            user: .gateway,
            action: action,
            object: "client_key",
            objectID: key.id,
            before: try JSONForm.text(key)
        )
        try Store.record(record, db)
    }
}

extension Operator {
    /// Who has changed what nobody else has.
    static let gateway = Operator(name: "gateway", role: .admin, via: "scheduler")
}
