import GRDB
import Operations

/// The rows of header rules.
struct HeaderRuleStore: Sendable {
    let database: DatabasePool

    func all() throws -> [HeaderRule] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM header_rules ORDER BY upstream_id, position, id")
                .map(Self.rule)
        }
    }

    /// `rule.position`: where it is to stand among those of its upstream; behind them all when too large.
    func create(_ rule: HeaderRule, by user: Operator) throws -> Int {
        try database.change { db in
            let others = try Self.ids(ofUpstream: rule.upstreamId, db)
            guard others.count < HeaderRuleChecks.countLimit else {
                let most = "an upstream can have \(HeaderRuleChecks.countLimit) header rules"
                throw OperationsError(.conflict, most)
            }
            try db.execute(
                sql: """
                    INSERT INTO header_rules
                        (upstream_id, name, kind, value, script, on_failure, fallback, cache_seconds, position, enabled)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
                    """,
                arguments: [
                    rule.upstreamId, rule.name, rule.kind.rawValue, rule.value, rule.script,
                    rule.onFailure.rawValue, rule.fallback, rule.cacheSeconds, rule.enabled,
                ]
            )
            let id = Int(db.lastInsertedRowID)
            try Self.place(id, at: rule.position, among: others, db)
            try Self.record("create", id, nil, try Self.find(id, db), user, db)
            return id
        }
    }

    func change(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        _ change: @Sendable (inout HeaderRule) throws -> Void
    ) throws {
        try database.change { db in
            let before = try Self.find(id, db)
            try Precondition.check(version, is: before.version)
            var rule = before
            try change(&rule)
            try db.execute(
                sql: """
                    UPDATE header_rules SET name = ?, kind = ?, value = ?, script = ?, on_failure = ?, fallback = ?,
                        cache_seconds = ?, enabled = ?, version = version + 1
                    WHERE id = ?
                    """,
                arguments: [
                    rule.name, rule.kind.rawValue, rule.value, rule.script, rule.onFailure.rawValue,
                    rule.fallback, rule.cacheSeconds, rule.enabled, id,
                ]
            )
            if rule.position != before.position {
                let others = try Self.ids(ofUpstream: before.upstreamId, db).filter { $0 != id }
                try Self.place(id, at: rule.position, among: others, db)
            }
            try Self.record("change", id, before, try Self.find(id, db), user, db)
        }
    }

    func delete(_ id: Int, ifVersion: Int?, by user: Operator) throws {
        try database.change { db in
            let before = try Self.find(id, db)
            try Precondition.check(ifVersion, is: before.version)
            try db.execute(sql: "DELETE FROM header_rules WHERE id = ?", arguments: [id])
            try Self.renumber(try Self.ids(ofUpstream: before.upstreamId, db), db)
            try Self.record("delete", id, before, nil, user, db)
        }
    }

    func reorder(_ ids: [Int], by user: Operator) throws {
        try database.change { db in
            guard let first = ids.first else {
                throw OperationsError(
                    .invalid,
                    "must name every header rule of one upstream",
                    parameter: "ids"
                )
            }
            let upstream = try Self.find(first, db).upstreamId
            let known = try Self.ids(ofUpstream: upstream, db)
            guard Set(ids) == Set(known), ids.count == known.count else {
                throw OperationsError(
                    .invalid,
                    "must name every header rule of one upstream once",
                    parameter: "ids"
                )
            }
            try Self.renumber(ids, db)
            let record = ChangeRecord(
                user: user,
                action: "reorder",
                object: "header_rule",
                objectID: nil,
                before: try JSONForm.text(known),
                after: try JSONForm.text(ids)
            )
            try Store.record(record, db)
        }
    }

    /// Numbers the rules of every upstream anew after some have come back.
    static func closeUp(_ db: Database) throws {
        let upstreams = try Int.fetchAll(db, sql: "SELECT DISTINCT upstream_id FROM header_rules")
        for upstream in upstreams { try renumber(try ids(ofUpstream: upstream, db), db) }
    }

    // MARK: Rows

    private static func ids(ofUpstream id: Int, _ db: Database) throws -> [Int] {
        try Int.fetchAll(
            db,
            sql: "SELECT id FROM header_rules WHERE upstream_id = ? ORDER BY position, id",
            arguments: [id]
        )
    }

    private static func place(_ id: Int, at position: Int, among others: [Int], _ db: Database) throws {
        var ids = others
        ids.insert(id, at: min(max(position, 1), ids.count + 1) - 1)
        try renumber(ids, db)
    }

    private static func renumber(_ ids: [Int], _ db: Database) throws {
        for (index, id) in ids.enumerated() {
            try db.execute(
                sql: "UPDATE header_rules SET position = ? WHERE id = ?",
                arguments: [index + 1, id]
            )
        }
    }

    private static func find(_ id: Int, _ db: Database) throws -> HeaderRule {
        let found = try Row.fetchOne(db, sql: "SELECT * FROM header_rules WHERE id = ?", arguments: [id])
        guard let found else { throw OperationsError(.notFound, "there is no header rule \(id)") }
        return try rule(found)
    }

    /// Values may be secrets: of them it is written down that they are there, and whether they have changed.
    private static func record(
        _ action: String,
        _ id: Int,
        _ before: HeaderRule?,
        _ after: HeaderRule?,
        _ user: Operator,
        _ db: Database
    ) throws {
        func shown(_ rule: HeaderRule?, other: HeaderRule?) throws -> String? {
            guard var rule else { return nil }
            if let value = rule.value {
                rule.value = other?.value.map { $0 != value } ?? true ? "(not shown)" : "(unchanged)"
            }
            if let value = rule.fallback {
                rule.fallback = other?.fallback.map { $0 != value } ?? true ? "(not shown)" : "(unchanged)"
            }
            if let script = rule.script {
                rule.script = other?.script.map { $0 != script } ?? true ? "(not shown)" : "(unchanged)"
            }
            return try JSONForm.text(rule)
        }
        let record = ChangeRecord(
            user: user,
            action: action,
            object: "header_rule",
            objectID: id,
            before: try shown(before, other: after),
            after: try shown(after, other: before)
        )
        try Store.record(record, db)
    }

    private static func rule(_ row: Row) throws -> HeaderRule {
        guard let kind = HeaderValueKind(rawValue: row["kind"]),
            let policy = HeaderFailurePolicy(rawValue: row["on_failure"])
        else { throw DatabaseError(message: "a header rule is of no kind that there is") }
        var rule = HeaderRule(id: row["id"], upstreamId: row["upstream_id"], name: row["name"], kind: kind)
        rule.value = row["value"]
        rule.script = row["script"]
        rule.onFailure = policy
        rule.fallback = row["fallback"]
        rule.cacheSeconds = row["cache_seconds"]
        rule.position = row["position"]
        rule.enabled = row["enabled"]
        rule.version = row["version"]
        return rule
    }
}
