import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The rows of rules.
struct RuleStore: Sendable {
    let database: DatabasePool

    /// What a row's text holds; the rest has columns of its own.
    private struct Definition: Codable {
        var when: RuleCondition
        var threshold: RuleThreshold?
        var then: [RuleAction]
    }

    func all() throws -> [Rule] {
        try database.read(Self.all)
    }

    static func all(_ db: Database) throws -> [Rule] {
        try Row.fetchAll(db, sql: "SELECT * FROM rules ORDER BY position, id").map(rule)
    }

    /// In the order in which they are tried; runs inside a migration, too.
    static func insertDefaults(_ db: Database) throws {
        for rule in DefaultRules.all { try insert(rule, db) }
    }

    private static func insert(_ rule: Rule, _ db: Database) throws {
        let definition = Definition(when: rule.when, threshold: rule.threshold, then: rule.then)
        try db.execute(
            sql:
                "INSERT INTO rules (upstream_id, name, position, enabled, definition) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                rule.upstreamId, rule.name, rule.position, rule.enabled, try JSONForm.text(definition),
            ]
        )
    }

    /// `check`: judges all rules as they would then stand; what it throws leaves everything as it is.
    func create(_ rule: Rule, by user: Operator, check: @Sendable ([Rule]) throws -> Void) throws -> Int {
        try database.change { db in
            var new = rule
            let others = try Self.all(db)
            new.position = min(max(rule.position, 1), others.count + 1)
            try db.execute(
                sql: "UPDATE rules SET position = position + 1 WHERE position >= ?",
                arguments: [new.position]
            )
            try Self.insert(new, db)
            let id = Int(db.lastInsertedRowID)
            try check(try Self.all(db))
            try Self.record("create", id, nil, try Self.find(id, db), user, db)
            return id
        }
    }

    func change(
        _ id: Int,
        ifVersion version: Int?,
        by user: Operator,
        check: @Sendable ([Rule]) throws -> Void,
        _ change: @Sendable (inout Rule) throws -> Void
    ) throws {
        try database.change { db in
            let before = try Self.find(id, db)
            try Precondition.check(version, is: before.version)
            var rule = before
            try change(&rule)
            let definition = Definition(when: rule.when, threshold: rule.threshold, then: rule.then)
            try db.execute(
                sql: """
                    UPDATE rules SET upstream_id = ?, name = ?, enabled = ?, definition = ?, version = version + 1
                    WHERE id = ?
                    """,
                arguments: [
                    rule.upstreamId, rule.name, rule.enabled, try JSONForm.text(definition), id,
                ]
            )
            if rule.position != before.position {
                var ids = try Self.all(db).map(\.id).filter { $0 != id }
                ids.insert(id, at: min(max(rule.position, 1), ids.count + 1) - 1)
                try Self.renumber(ids, db)
            }
            try check(try Self.all(db))
            try Self.record("change", id, before, try Self.find(id, db), user, db)
        }
    }

    /// Numbers rules anew after some have gone.
    static func closeUp(_ db: Database) throws {
        try renumber(try all(db).map(\.id), db)
    }

    func delete(_ id: Int, ifVersion: Int?, by user: Operator) throws {
        try database.change { db in
            let before = try Self.find(id, db)
            try Precondition.check(ifVersion, is: before.version)
            try db.execute(sql: "DELETE FROM rules WHERE id = ?", arguments: [id])
            try Self.renumber(try Self.all(db).map(\.id), db)
            try Self.record("delete", id, before, nil, user, db)
        }
    }

    func reorder(_ ids: [Int], by user: Operator) throws {
        try database.change { db in
            let known = try Self.all(db).map(\.id)
            guard Set(ids) == Set(known), ids.count == known.count else {
                throw OperationsError(.invalid, "must name every rule once", parameter: "ids")
            }
            try Self.renumber(ids, db)
            let record = ChangeRecord(
                user: user,
                action: "reorder",
                object: "rule",
                objectID: nil,
                before: try JSONForm.text(known),
                after: try JSONForm.text(ids)
            )
            try Store.record(record, db)
        }
    }

    func resetDefaults(by user: Operator) throws {
        try database.change { db in
            let before = try JSONForm.text(try Self.all(db))
            try db.execute(sql: "DELETE FROM rules WHERE upstream_id IS NULL")
            // Those of single upstreams are tried before what holds for all.
            let own = try Self.all(db).map(\.id)
            try Self.insertDefaults(db)
            let ids = try Self.all(db).map(\.id)
            try Self.renumber(own + ids.filter { !own.contains($0) }, db)
            let record = ChangeRecord(
                user: user,
                action: "reset",
                object: "rule",
                objectID: nil,
                before: before,
                after: try JSONForm.text(try Self.all(db))
            )
            try Store.record(record, db)
        }
    }

    /// Adds what rules have done since the last time; no change by an operator, so the version stays.
    func count(_ hits: [Int: RuleHits.Count]) throws {
        try database.write { db in
            for (id, count) in hits {
                try db.execute(
                    sql: "UPDATE rules SET hits = hits + ?, last_hit_at = ? WHERE id = ?",
                    arguments: [count.hits, count.last, id]
                )
            }
        }
    }

    // MARK: Rows

    private static func find(_ id: Int, _ db: Database) throws -> Rule {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM rules WHERE id = ?", arguments: [id]) else {
            throw OperationsError(.notFound, "there is no rule \(id)")
        }
        return try rule(row)
    }

    private static func renumber(_ ids: [Int], _ db: Database) throws {
        for (index, id) in ids.enumerated() {
            try db.execute(sql: "UPDATE rules SET position = ? WHERE id = ?", arguments: [index + 1, id])
        }
    }

    private static func record(
        _ action: String,
        _ id: Int,
        _ before: Rule?,
        _ after: Rule?,
        _ user: Operator,
        _ db: Database
    ) throws {
        let record = ChangeRecord(
            user: user,
            action: action,
            object: "rule",
            objectID: id,
            before: try before.map { try JSONForm.text($0) },
            after: try after.map { try JSONForm.text($0) }
        )
        try Store.record(record, db)
    }

    private static func rule(_ row: Row) throws -> Rule {
        let text: String = row["definition"]
        let definition = try JSONForm.value(Definition.self, from: Data(text.utf8))
        var rule = Rule(id: row["id"], name: row["name"], when: definition.when, then: definition.then)
        rule.upstreamId = row["upstream_id"]
        rule.position = row["position"]
        rule.enabled = row["enabled"]
        rule.threshold = definition.threshold
        rule.hits = row["hits"]
        rule.lastHitAt = (row["last_hit_at"] as Int?).map(Timestamp.init(microseconds:))
        rule.version = row["version"]
        return rule
    }
}
