import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A client key's row.
struct ClientKeyRow {
    var key: ClientKey
    var digest: KeyDigest
    /// The key that rotation has put in its place.
    var successorID: Int?
}

/// The rows of client keys; a list's cursor is the last id seen.
struct ClientKeyStore: Sendable {
    let database: DatabasePool

    func all() throws -> [ClientKeyRow] {
        try database.read { db in
            var rows: [ClientKeyRow] = []
            let cursor = try Row.fetchCursor(db, sql: "SELECT * FROM client_keys")
            while let row = try cursor.next() {
                rows.append(try Self.decode(row))
            }
            return rows
        }
    }

    /// How many are neither disabled nor revoked.
    func usableCount() throws -> Int {
        try database.read { db in
            try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM client_keys WHERE enabled AND revoked_at IS NULL"
            ) ?? 0
        }
    }

    func page(_ query: ClientKeyQuery) throws -> Page<ClientKey> {
        let after = try query.cursor.map(Cursor.number) ?? Int.max
        let pattern = query.search.map { "%" + SQLPattern.escape($0) + "%" }
        let limit = min(max(query.limit, 1), 1000)
        let items = try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM client_keys WHERE id < ?1 AND (?2 IS NULL OR owner = ?2)
                    AND (?3 IS NULL OR name LIKE ?3 ESCAPE '\\' OR owner LIKE ?3 ESCAPE '\\' OR prefix LIKE ?3 ESCAPE '\\')
                    ORDER BY id DESC LIMIT ?4
                    """,
                arguments: [after, query.owner, pattern, limit + 1]
            ).map { try Self.decode($0).key }
        }
        let next = items.count > limit ? Cursor.text(items[limit - 1].id) : nil
        return Page(items: Array(items.prefix(limit)), nextCursor: next)
    }

    /// Those of `ids` that exist.
    func find(_ ids: [Int]) throws -> [Int: ClientKeyRow] {
        try database.read { db in
            var rows: [Int: ClientKeyRow] = [:]
            let statement = try db.cachedStatement(sql: "SELECT * FROM client_keys WHERE id = ?")
            for id in ids {
                rows[id] = try Row.fetchOne(statement, arguments: [id]).map(Self.decode)
            }
            return rows
        }
    }

    /// The youngest of the keys that count together, by the key that they count as; nil where none is left.
    func youngest(ofGroups groups: Set<Int>) throws -> [Int: ClientKeyRow?] {
        try database.read { db in
            var rows: [Int: ClientKeyRow?] = [:]
            let statement = try db.cachedStatement(
                sql: "SELECT * FROM client_keys WHERE id = ?1 OR counts_as = ?1 ORDER BY id DESC LIMIT 1"
            )
            for group in groups {
                rows[group] = .some(try Row.fetchOne(statement, arguments: [group]).map(Self.decode))
            }
            return rows
        }
    }

    func find(_ id: Int) throws -> ClientKeyRow {
        try database.read { try Self.find(id, $0) }
    }

    static func find(_ id: Int, _ db: Database) throws -> ClientKeyRow {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM client_keys WHERE id = ?", arguments: [id])
        else {
            throw OperationsError(.notFound, "there is no client key \(id)")
        }
        return try decode(row)
    }

    /// Adds the key and returns it with its id.
    func insert(_ row: ClientKeyRow, by user: Operator) throws -> ClientKey {
        try database.change { try Self.insert(row, by: user, action: "create", $0) }
    }

    static func insert(
        _ row: ClientKeyRow,
        by user: Operator,
        action: String,
        _ db: Database
    ) throws -> ClientKey {
        var inserted = row.key
        inserted.id = try add(row, db)
        try Store.record(
            ChangeRecord(
                user: user,
                action: action,
                object: "client_key",
                objectID: inserted.id,
                after: try JSONForm.text(inserted)
            ),
            db
        )
        return inserted
    }

    /// Adds the key, with no word in the operators' audit.
    ///
    /// - Returns: its id.
    static func add(_ row: ClientKeyRow, _ db: Database) throws -> Int {
        let key = row.key
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO client_keys (name, owner, prefix, last4, digest, enabled, revoked_at, expires_at,
                permissions, notes, created_at, limits, counts_as, quota, version)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
                """
        )
        try statement.execute(arguments: [
            key.name, key.owner, key.prefix, key.last4, Data(row.digest.bytes), key.enabled,
            key.revokedAt?.microseconds, key.expiresAt?.microseconds,
            try permissionsText(key.permissions), key.notes, key.createdAt.microseconds,
            try RateLimitsColumn.text(key.limits), key.countsAs,
            try key.quota.map { try JSONForm.text($0.quota) },
        ])
        return Int(db.lastInsertedRowID)
    }

    /// Changes a key in one transaction; a version that is not the row's is refused.
    func update(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        action: String,
        _ change: @Sendable (inout ClientKeyRow) throws -> Void
    ) throws -> ClientKey {
        try database.change { try Self.update(id, ifVersion: version, by: user, action: action, change, $0) }
    }

    static func update(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        action: String,
        _ change: (inout ClientKeyRow) throws -> Void,
        _ db: Database
    ) throws -> ClientKey {
        var row = try Self.find(id, db)
        try Precondition.check(version, is: row.key.version)
        let before = try JSONForm.text(row.key)
        try change(&row)
        row.key.version += 1
        let key = row.key
        try db.execute(
            sql: """
                UPDATE client_keys SET name = ?, owner = ?, prefix = ?, last4 = ?, digest = ?, enabled = ?,
                revoked_at = ?, expires_at = ?, permissions = ?, notes = ?, version = ?,
                successor_id = ?, limits = ?, quota = ? WHERE id = ?
                """,
            arguments: [
                key.name, key.owner, key.prefix, key.last4, Data(row.digest.bytes), key.enabled,
                key.revokedAt?.microseconds, key.expiresAt?.microseconds,
                try permissionsText(key.permissions),
                key.notes, key.version, row.successorID, try RateLimitsColumn.text(key.limits),
                try key.quota.map { try JSONForm.text($0.quota) }, id,
            ]
        )
        let after = try JSONForm.text(key)
        let record = ChangeRecord(
            user: user,
            action: action,
            object: "client_key",
            objectID: id,
            before: before,
            after: after
        )
        try Store.record(record, db)
        return key
    }

    func delete(_ id: Int, ifVersion: Int?, by user: Operator) throws {
        try database.change { db in
            try Precondition.check(ifVersion, is: try Self.find(id, db).key.version)
            try Self.delete(id, by: user, db)
        }
    }

    static func delete(_ id: Int, by user: Operator, _ db: Database) throws {
        let before = try JSONForm.text(try Self.find(id, db).key)
        try db.execute(sql: "DELETE FROM client_keys WHERE id = ?", arguments: [id])
        let record = ChangeRecord(
            user: user,
            action: "delete",
            object: "client_key",
            objectID: id,
            before: before
        )
        try Store.record(record, db)
    }

    /// When keys were last used, by id, in microseconds since 1970; no operator did this.
    func markUsed(_ times: [Int: Int]) throws {
        try database.write { db in
            let statement = try db.cachedStatement(
                sql: "UPDATE client_keys SET last_used_at = ? WHERE id = ?"
            )
            for (id, time) in times {
                try statement.execute(arguments: [time, id])
            }
        }
    }

    /// Columns by position, in the schema's order, to which a migration only adds: names would make a start with
    /// 100,000 keys 50 ms longer.
    static func decode(_ row: Row) throws -> ClientKeyRow {
        let created: Int = row[11]
        var key = ClientKey(
            id: row[0],
            name: row[1],
            owner: row[2],
            prefix: row[3],
            last4: row[4],
            createdAt: Timestamp(microseconds: created)
        )
        key.enabled = row[6]
        key.revokedAt = (row[7] as Int?).map(Timestamp.init(microseconds:))
        key.expiresAt = (row[8] as Int?).map(Timestamp.init(microseconds:))
        key.lastUsedAt = (row[12] as Int?).map(Timestamp.init(microseconds:))
        let permissions: String = row[9]
        if permissions != ClientKeyStore.noPermissions {
            key.permissions = try JSONForm.value(ClientKeyPermissions.self, from: Data(permissions.utf8))
        }
        key.notes = row[10]
        key.version = row[13]
        key.limits = try RateLimitsColumn.value(row[15])
        key.countsAs = row[16]
        key.quota = try (row[17] as String?).map { text in
            QuotaStanding(try JSONForm.value(Quota.self, from: Data(text.utf8)))
        }
        guard let digest = KeyDigest(stored: row[5] as Data) else {
            throw OperationsError(.internalError, "the digest of client key \(key.id) is damaged")
        }
        return ClientKeyRow(key: key, digest: digest, successorID: row[14])
    }

    private static func permissionsText(_ permissions: ClientKeyPermissions) throws -> String {
        permissions == ClientKeyPermissions() ? noPermissions : try JSONForm.text(permissions)
    }

    /// Most keys have none, and 100,000 of them must load quickly.
    private static let noPermissions = "{\"cidrs\":[],\"models\":[],\"paths\":[],\"upstreams\":[]}"
}

/// Limits as a column: JSON, or NULL where there are none.
enum RateLimitsColumn {
    static func text(_ limits: RateLimits) throws -> String? {
        limits.isUnlimited ? nil : try JSONForm.text(limits)
    }

    static func value(_ text: String?) throws -> RateLimits {
        try text.map { try JSONForm.value(RateLimits.self, from: Data($0.utf8)) } ?? RateLimits()
    }
}

/// `If-Match` against the version that is there.
enum Precondition {
    static func check(_ wanted: Int?, is version: Int) throws {
        if let wanted, wanted != version {
            let message = "the object has changed since you read it (version \(version), not \(wanted))"
            throw OperationsError(.preconditionFailed, message)
        }
    }
}

/// An opaque, URL-safe place in a list.
enum Cursor {
    static func text(_ number: Int) -> String {
        "c" + String(number, radix: 36)
    }

    static func number(_ text: String) throws -> Int {
        guard text.hasPrefix("c"), let number = Int(text.dropFirst(), radix: 36) else {
            throw OperationsError(.badRequest, "the cursor is not one of ours", parameter: "cursor")
        }
        return number
    }
}

enum SQLPattern {
    /// Makes text match itself in LIKE … ESCAPE '\'.
    static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if "%_\\".contains(character) { result.append("\\") }
            result.append(character)
        }
    }
}
