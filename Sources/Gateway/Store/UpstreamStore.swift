import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An upstream's row; its definition is in the file when the file is its source.
struct UpstreamRow: Sendable {
    var id: Int
    var slug: String
    var source: Source
    var isEnabled: Bool
    var definition: UpstreamDefinition?
    /// As it was last written down; the pool knows better while the gateway runs.
    var health = HealthStateMachine()
    var version: Int
}

/// An upstream key's row; its definition and value are in the file when the file is its source.
struct UpstreamKeyRow: Sendable {
    var id: Int
    var upstreamID: Int
    var source: Source
    var definition: UpstreamKeyDefinition
    var sealed: Data?
    /// Of the value, where it is known.
    var digest: Data?
    /// As it was last written down; the pool knows better while the gateway runs.
    var health: HealthStateMachine
    var version: Int

    /// What a sealed value is bound to.
    static func place(_ id: Int) -> String { "upstream_keys/\(id)/value" }
}

/// The rows of upstreams and their keys.
struct UpstreamStore: Sendable {
    let database: DatabasePool

    func all() throws -> (upstreams: [UpstreamRow], keys: [UpstreamKeyRow]) {
        try database.read { db in
            let upstreams = try Row.fetchAll(db, sql: "SELECT * FROM upstreams ORDER BY id").map(
                Self.upstream
            )
            let keys = try Row.fetchAll(db, sql: "SELECT * FROM upstream_keys ORDER BY id").map(Self.key)
            return (upstreams, keys)
        }
    }

    /// Gives everything that the file defines a row, so that ids and states outlive restarts.
    ///
    /// A key whose value has changed since, also while the gateway was stopped, begins anew.
    func adopt(_ upstreams: [Configuration.Upstream], _ masterKey: MasterKey) throws {
        try database.write { db in
            var adopted: Set<Int> = []
            for upstream in upstreams {
                let id = try Self.adopt(slug: upstream.slug, db)
                for key in upstream.keys {
                    try db.execute(
                        sql: """
                            INSERT INTO upstream_keys (upstream_id, name, source) VALUES (?, ?, 'file')
                            ON CONFLICT (upstream_id, name) DO NOTHING
                            """,
                        arguments: [id, key.definition.name]
                    )
                    let digest = masterKey.digest(of: key.value)
                    try Self.adopt(key.definition.name, of: id, digest, db).map { _ = adopted.insert($0) }
                }
            }
            // One that the file has no more must not stand in the way of another with its value.
            let known = "SELECT id FROM upstream_keys WHERE source = 'file' AND digest IS NOT NULL"
            for id in try Int.fetchAll(db, sql: known) where !adopted.contains(id) {
                try db.execute(sql: "UPDATE upstream_keys SET digest = NULL WHERE id = ?", arguments: [id])
            }
        }
    }

    /// - Returns: the row's id; nil where an operator's own key has the name.
    private static func adopt(_ name: String, of upstream: Int, _ digest: Data, _ db: Database) throws -> Int?
    {
        let found = try db.cachedStatement(
            sql: "SELECT * FROM upstream_keys WHERE upstream_id = ? AND name = ? AND source = 'file'"
        )
        guard let row = try Row.fetchOne(found, arguments: [upstream, name]).map(Self.key) else { return nil }
        guard row.digest != digest else { return row.id }
        var health = row.health
        // What an operator has said stands; without a digest nobody knows whether the value is another one.
        if row.digest != nil, !health.isByHand { health.reset() }
        try db.execute(
            sql: """
                UPDATE upstream_keys SET digest = ?, state = ?, reason = ?, cause = ?, until = ?, since = ?, rests = ?
                WHERE id = ?
                """,
            arguments: [
                digest, health.name.rawValue, health.reason, health.cause?.rawValue, health.returnsAt,
                health.since, health.rests, row.id,
            ]
        )
        return row.id
    }

    private static func adopt(slug: String, _ db: Database) throws -> Int {
        let found = try Row.fetchOne(
            db,
            sql: "SELECT id, source FROM upstreams WHERE slug = ?",
            arguments: [slug]
        )
        guard let found else {
            try db.execute(sql: "INSERT INTO upstreams (slug, source) VALUES (?, 'file')", arguments: [slug])
            return Int(db.lastInsertedRowID)
        }
        guard found["source"] == "file" else {
            let message =
                "the file defines the upstream \(slug), which an operator has created; rename or delete one"
            throw OperationsError(.conflict, message, parameter: "slug")
        }
        return found["id"]
    }

    func insert(
        _ slug: String,
        _ definition: UpstreamDefinition,
        isEnabled: Bool,
        by user: Operator
    ) throws -> Int {
        try database.change { db in
            let isTaken = try Bool.fetchOne(
                db,
                sql: "SELECT EXISTS (SELECT 1 FROM upstreams WHERE slug = ?)",
                arguments: [slug]
            )
            guard isTaken != true else {
                throw OperationsError(.conflict, "another upstream has this slug", parameter: "slug")
            }
            let text = try JSONForm.text(StoredDefinition(definition))
            try db.execute(
                sql: "INSERT INTO upstreams (slug, source, enabled, definition) VALUES (?, 'database', ?, ?)",
                arguments: [slug, isEnabled, text]
            )
            let id = Int(db.lastInsertedRowID)
            let made = UpstreamRow(
                id: id,
                slug: slug,
                source: .database,
                isEnabled: isEnabled,
                definition: definition,
                version: 1
            )
            let record = ChangeRecord(
                user: user,
                action: "create",
                object: "upstream",
                objectID: id,
                after: try JSONForm.text(AuditedUpstream(made))
            )
            try Store.record(record, db)
            return id
        }
    }

    func update(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        action: String,
        _ change: @Sendable (inout UpstreamRow) throws -> Void
    ) throws {
        try database.change { db in
            guard
                let found = try Row.fetchOne(db, sql: "SELECT * FROM upstreams WHERE id = ?", arguments: [id])
            else {
                throw OperationsError(.notFound, "there is no upstream \(id)")
            }
            var row = try Self.upstream(found)
            try Precondition.check(version, is: row.version)
            let before = try JSONForm.text(AuditedUpstream(row))
            try change(&row)
            let text = try row.definition.map { try JSONForm.text(StoredDefinition($0)) }
            try db.execute(
                sql: "UPDATE upstreams SET enabled = ?, definition = ?, version = ? WHERE id = ?",
                arguments: [row.isEnabled, text, row.version + 1, id]
            )
            let record = ChangeRecord(
                user: user,
                action: action,
                object: "upstream",
                objectID: id,
                before: before,
                after: try JSONForm.text(AuditedUpstream(row))
            )
            try Store.record(record, db)
        }
    }

    func delete(_ table: String, _ id: Int, ifVersion: Int?, before: String, by user: Operator) throws {
        try database.change { db in
            let find =
                table == "upstream"
                ? "SELECT version FROM upstreams WHERE id = ?"
                : "SELECT version FROM upstream_keys WHERE id = ?"
            if let version = try Int.fetchOne(db, sql: find, arguments: [id]) {
                try Precondition.check(ifVersion, is: version)
            }
            switch table {
            case "upstream":
                try db.execute(sql: "DELETE FROM upstreams WHERE id = ?", arguments: [id])
                // Its rules went with it; the others close up.
                try RuleStore.closeUp(db)
            default: try db.execute(sql: "DELETE FROM upstream_keys WHERE id = ?", arguments: [id])
            }
            let record = ChangeRecord(
                user: user,
                action: "delete",
                object: table,
                objectID: id,
                before: before
            )
            try Store.record(record, db)
        }
    }

    // MARK: Keys

    /// `digest`, `seal`: of the value, the latter by the row's id; asked in the transaction, by the master key of then.
    func insertKey(
        _ definition: UpstreamKeyDefinition,
        upstream id: Int,
        by user: Operator,
        digest: @Sendable () -> Data,
        seal: @Sendable (Int) throws -> Data
    ) throws -> Int {
        try database.change { db in
            try Self.checkName(definition.name, ofUpstream: id, except: 0, db)
            try db.execute(
                sql: """
                    INSERT INTO upstream_keys
                    (upstream_id, name, source, location, param_name, value_prefix, weight, priority, limits,
                    quota, digest) VALUES (?, ?, 'database', ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    id, definition.name, definition.location.rawValue, definition.paramName,
                    definition.valuePrefix, definition.weight, definition.priority,
                    try RateLimitsColumn.text(definition.limits), try JSONForm.text(definition.quota),
                    digest(),
                ]
            )
            let keyID = Int(db.lastInsertedRowID)
            try db.execute(
                sql: "UPDATE upstream_keys SET sealed = ? WHERE id = ?",
                arguments: [try seal(keyID), keyID]
            )
            let after = try JSONForm.text(AuditedKey(definition))
            try Store.record(
                ChangeRecord(
                    user: user,
                    action: "create",
                    object: "upstream_key",
                    objectID: keyID,
                    after: after
                ),
                db
            )
            return keyID
        }
    }

    private static func checkName(
        _ name: String,
        ofUpstream upstream: Int,
        except id: Int,
        _ db: Database
    ) throws {
        let isTaken = try Bool.fetchOne(
            db,
            sql: "SELECT EXISTS (SELECT 1 FROM upstream_keys WHERE upstream_id = ? AND name = ? AND id != ?)",
            arguments: [upstream, name, id]
        )
        guard isTaken != true else {
            throw OperationsError(.conflict, "another key of this upstream has this name", parameter: "name")
        }
    }

    func updateKey(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        action: String,
        _ change: @Sendable (inout UpstreamKeyRow) throws -> Void
    ) throws {
        try database.change { db in
            guard
                let found = try Row.fetchOne(
                    db,
                    sql: "SELECT * FROM upstream_keys WHERE id = ?",
                    arguments: [id]
                )
            else { throw OperationsError(.notFound, "there is no upstream key \(id)") }
            var row = try Self.key(found)
            try Precondition.check(version, is: row.version)
            let (before, digest) = (try JSONForm.text(AuditedKey(row)), row.digest)
            try change(&row)
            try Self.checkName(row.definition.name, ofUpstream: row.upstreamID, except: id, db)
            try db.execute(
                sql: """
                    UPDATE upstream_keys SET name = ?, location = ?, param_name = ?, value_prefix = ?, sealed = ?,
                    weight = ?, priority = ?, limits = ?, quota = ?, state = ?, reason = ?, cause = ?, until = ?,
                    since = ?, rests = ?, digest = ?, version = ?
                    WHERE id = ?
                    """,
                arguments: [
                    row.definition.name, row.definition.location.rawValue, row.definition.paramName,
                    row.definition.valuePrefix, row.sealed, row.definition.weight, row.definition.priority,
                    try RateLimitsColumn.text(row.definition.limits), try JSONForm.text(row.definition.quota),
                    row.health.name.rawValue, row.health.reason, row.health.cause?.rawValue,
                    row.health.returnsAt, row.health.since,
                    row.health.rests, row.digest, row.version + 1, id,
                ]
            )
            let record = ChangeRecord(
                user: user,
                action: action,
                object: "upstream_key",
                objectID: id,
                before: before,
                after: try JSONForm.text(AuditedKey(row, hasNewValue: row.digest != digest))
            )
            try Store.record(record, db)
        }
    }

    static func upstream(_ row: Row) throws -> UpstreamRow {
        let text: String? = row["definition"]
        let definition = try text.map {
            try JSONForm.value(StoredDefinition.self, from: Data($0.utf8)).definition()
        }
        return UpstreamRow(
            id: row["id"],
            slug: row["slug"],
            source: row["source"] == "file" ? .file : .database,
            isEnabled: row["enabled"],
            definition: definition,
            health: health(row),
            version: row["version"]
        )
    }

    static func key(_ row: Row) throws -> UpstreamKeyRow {
        var definition = UpstreamKeyDefinition(name: row["name"])
        definition.location = (row["location"] as String?).flatMap(KeyLocation.init) ?? .header
        definition.paramName = row["param_name"] ?? definition.paramName
        definition.valuePrefix = row["value_prefix"] ?? definition.valuePrefix
        definition.weight = row["weight"] ?? definition.weight
        definition.priority = row["priority"] ?? definition.priority
        definition.limits = try RateLimitsColumn.value(row["limits"])
        if let text = row["quota"] as String? {
            definition.quota = try JSONForm.value(KeyQuota.self, from: Data(text.utf8))
        }
        return UpstreamKeyRow(
            id: row["id"],
            upstreamID: row["upstream_id"],
            source: row["source"] == "file" ? .file : .database,
            definition: definition,
            sealed: row["sealed"],
            digest: row["digest"],
            health: health(row),
            version: row["version"]
        )
    }
}
