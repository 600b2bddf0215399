import GRDB
import Operations

/// Keys one by one and in pages, since there may be a hundred thousand of them.
extension UpstreamStore {
    func upstreamRows() throws -> [UpstreamRow] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM upstreams ORDER BY id").map(Self.upstream)
        }
    }

    /// A key with its upstream.
    func find(key id: Int) throws -> (upstream: UpstreamRow, key: UpstreamKeyRow)? {
        try database.read { db in
            guard
                let key = try Row.fetchOne(
                    db,
                    sql: "SELECT * FROM upstream_keys WHERE id = ?",
                    arguments: [id]
                ).map(Self.key)
            else { return nil }
            return try Row.fetchOne(
                db,
                sql: "SELECT * FROM upstreams WHERE id = ?",
                arguments: [key.upstreamID]
            ).map { (try Self.upstream($0), key) }
        }
    }

    /// Those behind an id, in the order of ids.
    func keys(
        ofUpstream upstream: Int?,
        name: String? = nil,
        after id: Int,
        limit: Int
    ) throws -> [UpstreamKeyRow] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM upstream_keys WHERE id > ?1 AND (?2 IS NULL OR upstream_id = ?2)
                    AND (?3 IS NULL OR name = ?3) ORDER BY id LIMIT ?4
                    """,
                arguments: [id, upstream, name, limit]
            ).map(Self.key)
        }
    }

    /// Gives keys that were added before there were digests theirs.
    func fillDigests(_ masterKey: MasterKey) throws {
        let rows = try database.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM upstream_keys WHERE sealed IS NOT NULL AND digest IS NULL"
            )
            .map(Self.key)
        }
        guard !rows.isEmpty else { return }
        try database.write { db in
            let update = try db.cachedStatement(sql: "UPDATE upstream_keys SET digest = ? WHERE id = ?")
            for row in rows {
                guard let sealed = row.sealed else { continue }
                let value = try masterKey.open(sealed, place: UpstreamKeyRow.place(row.id))
                try update.execute(arguments: [masterKey.digest(of: value), row.id])
            }
        }
    }

    // MARK: Many at once

    /// Deletes keys in one transaction, with one line in the operators' audit for each.
    ///
    /// - Returns: those that were there and an operator's own.
    func delete(keys ids: [Int], by user: Operator) throws -> (deleted: Set<Int>, ofFile: Set<Int>) {
        try database.change { db in
            var (deleted, ofFile): (Set<Int>, Set<Int>) = ([], [])
            let find = try db.cachedStatement(sql: "SELECT * FROM upstream_keys WHERE id = ?")
            let delete = try db.cachedStatement(sql: "DELETE FROM upstream_keys WHERE id = ?")
            for id in ids {
                guard let row = try Row.fetchOne(find, arguments: [id]).map(Self.key) else { continue }
                guard row.source == .database else {
                    ofFile.insert(id)
                    continue
                }
                try delete.execute(arguments: [id])
                try Self.record(
                    "delete",
                    row,
                    before: try JSONForm.text(AuditedKey(row)),
                    after: nil,
                    user,
                    db
                )
                deleted.insert(id)
            }
            return (deleted, ofFile)
        }
    }

    /// Puts keys into a state in one transaction.
    ///
    /// - Returns: the upstream of each that was there.
    func set(
        keys ids: [Int],
        _ health: HealthStateMachine,
        action: String,
        by user: Operator
    ) throws -> [Int: Int] {
        try database.change { db in
            var found: [Int: Int] = [:]
            let find = try db.cachedStatement(sql: "SELECT * FROM upstream_keys WHERE id = ?")
            let update = try db.cachedStatement(
                sql: """
                    UPDATE upstream_keys SET state = ?, reason = ?, cause = ?, until = ?, since = ?, rests = ?,
                    version = version + 1 WHERE id = ?
                    """
            )
            for id in ids {
                guard var row = try Row.fetchOne(find, arguments: [id]).map(Self.key) else { continue }
                let before = try JSONForm.text(AuditedKey(row))
                try update.execute(arguments: [
                    health.name.rawValue, health.reason, health.cause?.rawValue, health.returnsAt,
                    health.since, health.rests, id,
                ])
                row.health = health
                try Self.record(
                    action,
                    row,
                    before: before,
                    after: try JSONForm.text(AuditedKey(row)),
                    user,
                    db
                )
                found[id] = row.upstreamID
            }
            return found
        }
    }

    private static func record(
        _ action: String,
        _ row: UpstreamKeyRow,
        before: String?,
        after: String?,
        _ user: Operator,
        _ db: Database
    ) throws {
        let record = ChangeRecord(
            user: user,
            action: action,
            object: "upstream_key",
            objectID: row.id,
            before: before,
            after: after
        )
        try Store.record(record, db)
    }
}
