import CSQLiteSession
import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// SQLite's own record of what a transaction does to the rows that operators change, kept so that it can be taken back.
final class ChangeSession {
    /// What operators change; everything else is bookkeeping.
    static let tables = [
        "upstreams", "upstream_keys", "client_keys", "rules", "header_rules", "notification_channels",
        "notification_templates", "tasks",
    ]

    private let session: OpaquePointer

    init(_ db: Database) throws {
        var session: OpaquePointer?
        try SQLiteCode.check(sqlite3session_create(db.sqliteConnection, "main", &session), "begin a session")
        guard let session else { throw DatabaseError(message: "a session has not begun") }
        self.session = session
        for table in Self.tables {
            try SQLiteCode.check(sqlite3session_attach(session, table), "watch \(table)")
        }
    }

    deinit {
        sqlite3session_delete(session)
    }

    /// What has been done since the beginning; empty when nothing has come of it.
    func changeset() throws -> Data {
        var size: Int32 = 0
        var bytes: UnsafeMutableRawPointer?
        defer { sqlite3_free(bytes) }
        try SQLiteCode.check(sqlite3session_changeset(session, &size, &bytes), "read a session")
        guard let bytes, size > 0 else { return Data() }
        return Data(bytes: bytes, count: Int(size))
    }
}

/// Results of SQLite's C functions as errors.
enum SQLiteCode {
    static func check(_ code: Int32, _ what: String) throws {
        guard code == SQLITE_OK else {
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: "cannot \(what)")
        }
    }
}

extension DatabasePool {
    /// Larger ones are not kept: what they did cannot be taken back.
    private static let changesetLimit = 4 << 20

    /// A transaction of an operator, whose changes are undone together: the lines that it adds to the operators' audit
    /// get what it did to the rows.
    func change<Value>(_ work: (Database) throws -> Value) throws -> Value {
        try write { db in
            let last = try Int.fetchOne(db, sql: "SELECT max(id) FROM changes") ?? 0
            let session = try ChangeSession(db)
            let value = try work(db)
            let changeset = try session.changeset()
            let first = try Int.fetchOne(
                db,
                sql: "SELECT min(id) FROM changes WHERE id > ?",
                arguments: [last]
            )
            guard let first, !changeset.isEmpty, changeset.count <= Self.changesetLimit else { return value }
            try db.execute(
                sql: "INSERT INTO changesets (id, changeset) VALUES (?, ?)",
                arguments: [first, changeset]
            )
            try db.execute(sql: "UPDATE changes SET changeset_id = ? WHERE id > ?", arguments: [first, last])
            return value
        }
    }
}
