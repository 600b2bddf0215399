import GRDB
import Operations

/// What is kept of operators: what they changed, what they chose, and answers that a repeated request gets again.
///
/// Synchronous like every store: a thread that waits for a database must not need another thread of the shared pool
/// to be woken.
struct OperatorNotes {
    struct Answer {
        let request: String
        /// Sealed.
        let answer: String
    }

    let database: DatabasePool

    func record(_ change: ChangeRecord) throws {
        try database.write { try Store.record(change, $0) }
    }

    /// Newest first.
    func changes(before id: Int, limit: Int) throws -> [OperatorChange] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: Self.changes + " WHERE changes.id < ? ORDER BY changes.id DESC LIMIT ?",
                arguments: [id, limit]
            ).map(OperatorChange.init(row:))
        }
    }

    /// Whether there is such a key, or ever was.
    func knows(clientKey id: Int) throws -> Bool {
        try database.read { db in
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM client_keys WHERE id = ?1)
                    OR EXISTS (SELECT 1 FROM changes WHERE object = 'client_key' AND object_id = ?1)
                    """,
                arguments: [id]
            ) ?? false
        }
    }

    static func change(_ id: Int, _ db: Database) throws -> OperatorChange? {
        try Row.fetchOne(db, sql: changes + " WHERE changes.id = ?", arguments: [id]).map(
            OperatorChange.init(row:)
        )
    }

    /// Those that were made in one go with the one whose changeset it is, oldest first.
    static func changes(ofChangeset id: Int, _ db: Database) throws -> [OperatorChange] {
        try Row.fetchAll(
            db,
            sql: changes + " WHERE changes.changeset_id = ? ORDER BY changes.id",
            arguments: [id]
        ).map(OperatorChange.init(row:))
    }

    private static let changes = """
        SELECT changes.*, changesets.undone_by, changesets.id IS NOT NULL AS is_kept FROM changes
        LEFT JOIN changesets ON changesets.id = changes.changeset_id
        """

    /// Drops what the oldest changes did to rows; their lines in the operators' audit stay.
    ///
    /// - Returns: how many can be undone no more.
    func forgetChangesets(keeping count: Int) throws -> Int {
        try database.write { db in
            try db.execute(
                sql: """
                    DELETE FROM changesets WHERE id <= (SELECT id FROM changesets ORDER BY id DESC LIMIT 1 OFFSET ?)
                    """,
                arguments: [count]
            )
            let forgotten = db.changesCount
            try VersionAliases.forget(keeping: 10 * count, db)
            return forgotten
        }
    }

    func settings(of name: String) throws -> String? {
        try database.read { db in
            try String.fetchOne(
                db,
                sql: "SELECT settings FROM operator_settings WHERE operator = ?",
                arguments: [name]
            )
        }
    }

    func saveSettings(_ json: String, of name: String) throws {
        try database.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO operator_settings (operator, settings) VALUES (?, ?)",
                arguments: [name, json]
            )
        }
    }

    func answer(to key: String, of name: String, after oldest: Int) throws -> Answer? {
        try database.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT request, answer FROM idempotency WHERE operator = ? AND key = ? AND at > ?",
                arguments: [name, key, oldest]
            ).map { Answer(request: $0["request"], answer: $0["answer"]) }
        }
    }

    /// - Returns: how many there were.
    func forgetAnswers(before oldest: Int) throws -> Int {
        try database.write { db in
            try db.execute(sql: "DELETE FROM idempotency WHERE at < ?", arguments: [oldest])
            return db.changesCount
        }
    }

    /// `answer`: made in the transaction, so that the master key that seals it is the one of then.
    func remember(for key: String, of name: String, at now: Int, _ answer: () throws -> Answer) throws {
        try database.write { db in
            let answer = try answer()
            try db.execute(
                sql:
                    "INSERT OR REPLACE INTO idempotency (key, operator, request, answer, at) VALUES (?, ?, ?, ?, ?)",
                arguments: [key, name, answer.request, answer.answer, now]
            )
        }
    }
}

extension OperatorChange {
    fileprivate init(row: Row) {
        self.init(
            id: row["id"],
            time: Timestamp(microseconds: row["at"]),
            operator: row["operator"],
            role: row["role"],
            via: row["via"],
            action: row["action"],
            object: row["object"]
        )
        objectId = row["object_id"]
        before = row["before"]
        after = row["after"]
        undoes = row["undoes"]
        undoneBy = row["undone_by"]
        undoable = row["is_kept"] && undoneBy == nil && action != "revoke"
    }
}
