import GRDB
import Operations

/// Takes back what operators have changed.
struct ChangeUndo {
    struct Outcome {
        /// The first of the lines that say so.
        let change: OperatorChange
        /// Every row that has become another one by it.
        let touches: [Changeset.Touch]
        /// Keys whose state has become another one, as it is now: their rows may be written at any time by what the
        /// pool finds out.
        let keys: [UpstreamKeyRow]
    }

    let database: DatabasePool

    /// In one transaction with everything that was changed in one go with it; `mayGo` throws where an upstream, by its id,
    /// must not be deleted.
    ///
    /// - Throws: `OperationsError` when there is nothing to take back, or the rows are no longer as the change left them.
    func undo(_ id: Int, by user: Operator, mayGo: (Int) throws -> Void) throws -> Outcome {
        try database.change { db in
            guard let change = try OperatorNotes.change(id, db) else {
                throw OperationsError(.notFound, "there is no change \(id)")
            }
            let (group, changeset) = try Self.changeset(of: change, db)
            let undone = try OperatorNotes.changes(ofChangeset: group, db)
            if undone.contains(where: { $0.action == "revoke" }) {
                throw OperationsError(.conflict, "a key is revoked for good; rotate or create one")
            }
            let columns = try Changeset.Columns(db)
            let inverse = try changeset.inverted()
            let touches = try inverse.touches(columns)
            for touch in touches where touch.table == "upstreams" && touch.kind == .delete {
                try Self.checkNothingElse(isIn: touch.id, touches, db)
                try mayGo(touch.id)
            }
            do {
                let isOrder = undone.contains { $0.action == "reorder" }
                let aliases = try VersionAliases(of: touches, db)
                let judge = ChangesetJudge(columns, aliases, touches, isOrder: isOrder)
                try inverse.apply(to: db, judge)
            } catch let misfit as Changeset.Misfit {
                throw try Self.refusal(misfit, of: change, db)
            }
            try Self.raiseVersions(touches, by: try changeset.touches(columns), db)
            try Self.closeUp(touches, db)
            let first = try Self.record(undone, by: user, db)
            try db.execute(
                sql: "UPDATE changesets SET undone_by = ? WHERE id = ?",
                arguments: [first, group]
            )
            guard let made = try OperatorNotes.change(first, db) else {
                throw DatabaseError(message: "the line of the undo is not there")
            }
            return Outcome(change: made, touches: touches, keys: try Self.keys(touches, db))
        }
    }

    private static func keys(_ touches: [Changeset.Touch], _ db: Database) throws -> [UpstreamKeyRow] {
        try touches.filter { $0.table == "upstream_keys" && $0.columns.contains("state") }.compactMap {
            touch in
            let sql = "SELECT * FROM upstream_keys WHERE id = ?"
            return try Row.fetchOne(db, sql: sql, arguments: [touch.id]).map(UpstreamStore.key)
        }
    }

    /// What was made in an upstream since would go with it, and nothing would say so.
    private static func checkNothingElse(
        isIn upstream: Int,
        _ touches: [Changeset.Touch],
        _ db: Database
    ) throws {
        for (table, what) in [
            ("upstream_keys", "keys"), ("header_rules", "header rules"), ("rules", "rules"),
        ] {
            let own = Set(touches.filter { $0.table == table && $0.kind == .delete }.map(\.id))
            let ids = try Int.fetchAll(
                db,
                sql: "SELECT id FROM \(table) WHERE upstream_id = ?",
                arguments: [upstream]
            )
            guard own.isSuperset(of: ids) else {
                throw OperationsError(.conflict, "the upstream has got \(what) since; delete it instead")
            }
        }
    }

    private static func changeset(
        of change: OperatorChange,
        _ db: Database
    ) throws -> (group: Int, changeset: Changeset) {
        if let other = change.undoneBy {
            throw OperationsError(.conflict, "was undone already, by change \(other)")
        }
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT changesets.id, changesets.changeset FROM changes
                JOIN changesets ON changesets.id = changes.changeset_id WHERE changes.id = ?
                """,
            arguments: [change.id]
        )
        guard let row else { throw try Self.reason(change, db) }
        return (row["id"], Changeset(data: row["changeset"]))
    }

    /// What changes nothing that is kept.
    private static let passing: Set = [
        "test", "resend", "cut", "reload", "reveal", "backup", "purge", "rotate", "expire", "run",
    ]

    /// Why there is nothing to take back.
    private static func reason(_ change: OperatorChange, _ db: Database) throws -> OperationsError {
        let rotation = try Int.fetchOne(
            db,
            sql: "SELECT max(id) FROM changes WHERE action = 'rotate' AND object = 'master_key'"
        )
        let object = change.object.replacing("_", with: " ")
        if change.action == "import" {
            return OperationsError(
                .conflict,
                "an import cannot be undone: disable or delete what it has brought"
            )
        }
        if change.object == "master_key" || passing.contains(change.action) && change.object != "client_key"
            || ["purge", "expire"].contains(change.action)
        {
            return OperationsError(.conflict, "a \(change.action) of a \(object) cannot be undone")
        }
        if let rotation, rotation > change.id {
            return OperationsError(
                .conflict,
                "cannot be undone: the master key was rotated since, by change \(rotation)"
            )
        }
        return OperationsError(
            .conflict,
            "cannot be undone: it was too much at once, or is too long ago (the last 1,000 are kept)"
        )
    }

    private static func refusal(
        _ misfit: Changeset.Misfit,
        of change: OperatorChange,
        _ db: Database
    ) throws -> OperationsError {
        switch misfit {
        case .changedSince(let table, let id):
            let isOrder = change.action == "reorder"
            let object = String(table.dropLast())
            let later = try Int.fetchOne(
                db,
                sql: """
                    SELECT changes.id FROM changes LEFT JOIN changesets ON changesets.id = changes.changeset_id
                    WHERE changes.id > ? AND object = ? AND (? OR object_id = ?) AND changesets.id IS NOT NULL
                    AND changesets.undone_by IS NULL AND changes.undoes IS NULL ORDER BY changes.id DESC LIMIT 1
                    """,
                arguments: [change.id, object, isOrder, id]
            )
            let what = object.replacing("_", with: " ")
            let advice = later.map { "; undo change \($0) first" } ?? ""
            return OperationsError(
                .conflict,
                (isOrder ? "the order of \(what)s" : "\(what) \(id)") + " has changed since\(advice)"
            )
        case .noPlace:
            return OperationsError(
                .conflict,
                "something else has its name now, or what it belonged to is gone"
            )
        }
    }

    /// Rules stand in order without gaps, and together they must be ones that the gateway can go by.
    private static func closeUp(_ touches: [Changeset.Touch], _ db: Database) throws {
        let tables = Set(touches.map(\.table))
        if tables.contains("header_rules") { try HeaderRuleStore.closeUp(db) }
        guard tables.contains("rules") else { return }
        try RuleStore.closeUp(db)
        _ = try RuleSets(try RuleStore.all(db))
    }

    /// An undone row is not the one that somebody has read under the same version before.
    private static func raiseVersions(
        _ touches: [Changeset.Touch],
        by originals: [Changeset.Touch],
        _ db: Database
    ) throws {
        let highest = Dictionary(
            originals.compactMap { touch in touch.version.map { ("\(touch.table)/\(touch.id)", $0) } }
        ) { max($0, $1) }
        for touch in touches {
            guard let version = touch.version else { continue }
            let given = try VersionAliases.highest(of: touch, db)
            let least = max(version, highest["\(touch.table)/\(touch.id)"] ?? 0, given) + 1
            let table = touch.table
            try db.execute(
                sql: "UPDATE \(table) SET version = ? WHERE id = ?",
                arguments: [least, touch.id]
            )
            try VersionAliases.add(least, standsFor: version, of: touch, db)
        }
    }

    /// One line for each that is taken back.
    private static func record(_ undone: [OperatorChange], by user: Operator, _ db: Database) throws -> Int {
        var first: Int?
        for change in undone.reversed() {
            var record = ChangeRecord(
                user: user,
                action: "undo",
                object: change.object,
                objectID: change.objectId,
                before: change.after,
                after: change.before
            )
            record.undoes = change.id
            try Store.record(record, db)
            first = first ?? Int(db.lastInsertedRowID)
        }
        return first ?? 0
    }
}
