import GRDB

/// Which versions of a row are the same: an undo gives a row back as it was, under a version that nobody has read before.
struct VersionAliases {
    /// By table, id and version: the version whose content it has.
    private var standsFor: [String: Int] = [:]

    /// Those of the rows that a changeset touches.
    init(of touches: [Changeset.Touch], _ db: Database) throws {
        for touch in touches {
            let rows = try Row.fetchAll(
                db,
                sql: "SELECT version, stands_for FROM version_aliases WHERE object = ? AND object_id = ?",
                arguments: [touch.table, touch.id]
            )
            for row in rows {
                standsFor[Self.name(touch.table, touch.id, row["version"])] = row["stands_for"]
            }
        }
    }

    private static func name(_ table: String, _ id: Int, _ version: Int) -> String {
        "\(table)/\(id)/\(version)"
    }

    func areSame(_ one: Int, _ other: Int, of table: String, _ id: Int) -> Bool {
        original(one, table, id) == original(other, table, id)
    }

    private func original(_ version: Int, _ table: String, _ id: Int) -> Int {
        var version = version
        // An older version each time, so that this ends.
        while let older = standsFor[Self.name(table, id, version)], older < version { version = older }
        return version
    }

    /// The highest that an undo has given the row, which may have been gone in between; 0 where none has.
    static func highest(of touch: Changeset.Touch, _ db: Database) throws -> Int {
        try Int.fetchOne(
            db,
            sql: "SELECT max(version) FROM version_aliases WHERE object = ? AND object_id = ?",
            arguments: [touch.table, touch.id]
        ) ?? 0
    }

    static func add(_ version: Int, standsFor older: Int, of touch: Changeset.Touch, _ db: Database) throws {
        try db.execute(
            sql: "INSERT INTO version_aliases (object, object_id, version, stands_for) VALUES (?, ?, ?, ?)",
            arguments: [touch.table, touch.id, version, older]
        )
    }

    /// Leaves so many of the newest.
    static func forget(keeping count: Int, _ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM version_aliases WHERE id <=
                (SELECT id FROM version_aliases ORDER BY id DESC LIMIT 1 OFFSET ?)
                """,
            arguments: [count]
        )
    }
}
