import GRDB

/// Erases what the log holds of one caller.
struct AuditPurge {
    /// Rows of one transaction: whoever writes the audit waits for no more.
    private static let batch = 500

    let files: AuditFiles
    let clientKey: Int
    /// Exchanges that began later stay, in microseconds since 1970.
    let until: Int

    /// What was erased.
    struct Count: Sendable {
        var records = 0
        var bodies = 0
    }

    /// A record goes after its bodies: what is cut off can be done again.
    ///
    /// To be called when the writer has begun other files: those that had something of the caller are written anew, since
    /// SQLite leaves traces in the pages of what it deletes.
    func run() throws -> Count {
        var count = Count()
        var touched: Set<ObjectIdentifier> = []
        for rows in files.files(.rows) {
            var last = 0
            while true {
                let ids = try ids(in: rows, after: last)
                guard let highest = ids.last else { break }
                for bodies in files.candidates(.bodies, holding: ids[0]) {
                    let erased = try erase(ids, in: bodies)
                    count.bodies += erased
                    if erased > 0 { touched.insert(ObjectIdentifier(bodies)) }
                }
                count.records += try erase(ids, in: rows)
                touched.insert(ObjectIdentifier(rows))
                last = highest
            }
        }
        for file in AuditFileKind.allCases.flatMap(files.files) {
            try file.database.writeWithoutTransaction { db in
                // Free pages: a purge before this one was cut off.
                let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
                guard free > 0 || touched.contains(ObjectIdentifier(file)) else { return }
                try db.execute(sql: "VACUUM")
                // Pages as they were stand in the write-ahead log until it is taken in.
                _ = try db.checkpoint(.truncate)
            }
        }
        return count
    }

    private func ids(in file: AuditFile, after last: Int) throws -> [Int] {
        try file.database.read { db in
            try Int.fetchAll(
                db,
                sql: """
                    SELECT id FROM exchanges WHERE id > ? AND client_key_id = ? AND time <= ? AND is_open = 0
                    ORDER BY id LIMIT ?
                    """,
                arguments: [last, clientKey, until, Self.batch]
            )
        }
    }

    private func erase(_ ids: [Int], in file: AuditFile) throws -> Int {
        try file.database.write { db in
            let delete = try db.cachedStatement(sql: "DELETE FROM \(file.kind.table) WHERE id = ?")
            var erased = 0
            for id in ids {
                try delete.execute(arguments: [id])
                erased += db.changesCount
            }
            return erased
        }
    }
}
