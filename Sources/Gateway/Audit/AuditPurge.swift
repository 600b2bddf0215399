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
        /// Files that still hold traces, because somebody reads them or the disk is full.
        var unclean: [String] = []
    }

    /// A record goes after its bodies: what is cut off can be done again.
    ///
    /// To be called when the writer has begun other files: those that had something of the caller are written anew, since
    /// SQLite leaves traces in the pages of what it deletes.
    func run() throws -> Count {
        var count = Count()
        var touched: Set<ObjectIdentifier> = []
        // The last of each kind is being written, and held nothing when this began; with the audit off it is as the others.
        let isWriting = files.hasTurned
        let current = isWriting ? files.files(.rows).last : nil
        for rows in files.files(.rows) {
            var last = 0
            while true {
                // An open row of an earlier file is one that a crash has left.
                let ids = try ids(in: rows, after: last, alsoOpen: rows !== current)
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
        for file in AuditFileKind.allCases.flatMap({ files.files($0).dropLast(isWriting ? 1 : 0) }) {
            do {
                try clean(file, isTouched: touched.contains(ObjectIdentifier(file)))
            } catch let error as DatabaseError {
                count.unclean.append("\(file.path) (\(error.message ?? "busy"))")
            }
        }
        return count
    }

    /// Writes a file anew that had something of the caller, also where a purge before this one was cut off.
    private func clean(_ file: AuditFile, isTouched: Bool) throws {
        try file.database.writeWithoutTransaction { db in
            let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            if isTouched || free > 0 { try db.execute(sql: "VACUUM") }
            // Pages as they were stand in the write-ahead log until it is taken in.
            if DataDirectory.size(of: file.path + "-wal") ?? 0 > 0 { _ = try db.checkpoint(.truncate) }
        }
    }

    private func ids(in file: AuditFile, after last: Int, alsoOpen: Bool) throws -> [Int] {
        try file.database.read { db in
            try Int.fetchAll(
                db,
                sql: """
                    SELECT id FROM exchanges WHERE id > ? AND client_key_id = ? AND time <= ? AND is_open <= ?
                    ORDER BY id LIMIT ?
                    """,
                arguments: [last, clientKey, until, alsoOpen, Self.batch]
            )
        }
    }

    private func erase(_ ids: [Int], in file: AuditFile) throws -> Int {
        try file.database.write { db in
            let table = file.kind.table
            let delete = try db.cachedStatement(sql: "DELETE FROM \(table) WHERE id = ?")
            var erased = 0
            for id in ids {
                try delete.execute(arguments: [id])
                erased += db.changesCount
            }
            return erased
        }
    }
}
