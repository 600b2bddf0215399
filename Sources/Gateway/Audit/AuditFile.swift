import GRDB
import GRDBSQLite

/// What a file of the audit holds; rows outlive bodies.
enum AuditFileKind: String, CaseIterable {
    case rows
    case bodies

    var table: String {
        switch self {
        case .rows: "exchanges"
        case .bodies: "bodies"
        }
    }

    var schema: String {
        switch self {
        case .rows:
            """
            CREATE TABLE IF NOT EXISTS exchanges (
                id INTEGER PRIMARY KEY, request_id TEXT, time INTEGER NOT NULL,
                client_key_id INTEGER, client_key TEXT, owner TEXT, upstream_id INTEGER, upstream TEXT,
                upstream_key_id INTEGER, upstream_key TEXT, client_address TEXT, method TEXT, path TEXT, query TEXT,
                status INTEGER, error TEXT, latency INTEGER, ttft INTEGER, bytes_in INTEGER, bytes_out INTEGER,
                is_stream INTEGER, stream_chunks INTEGER, model TEXT, prompt_tokens INTEGER,
                completion_tokens INTEGER, usage INTEGER, attempts INTEGER, overhead INTEGER,
                upstream_status INTEGER, detail TEXT, is_open INTEGER NOT NULL, attempts_detail TEXT
            ) STRICT
            """
        case .bodies:
            """
            CREATE TABLE IF NOT EXISTS bodies (
                id INTEGER PRIMARY KEY, request_headers BLOB, request_body BLOB, request_size INTEGER,
                response_headers BLOB, response_body BLOB, response_size INTEGER,
                pieces INTEGER, piece_bytes INTEGER, first_piece INTEGER, last_piece INTEGER, longest_gap INTEGER,
                gaps TEXT
            ) STRICT
            """
        }
    }
}

/// One SQLite file of the audit: named by the first exchange it holds, dropped whole when its time is over.
final class AuditFile: Sendable {
    let kind: AuditFileKind
    /// Every exchange in here has this id or a later one.
    let firstID: Int
    let path: String
    let database: DatabasePool

    init(kind: AuditFileKind, firstID: Int, folder: String) throws {
        self.kind = kind
        self.firstID = firstID
        path = "\(folder)/\(kind.rawValue)-\(firstID).db"
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 3
        configuration.prepareDatabase { db in
            // The journal holds what a power cut could take from the write-ahead log's end.
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            db.add(function: LogPattern.function)
        }
        database = try DatabasePool(path: path, configuration: configuration)
        try database.write { [kind] db in
            // A file that is no database, or is cut off, fails here; `isSound` reads the whole, later.
            try db.execute(sql: kind.schema)
            try Self.addColumn(kind == .rows ? "attempts_detail" : "gaps", of: kind, db)
            _ = try Row.fetchOne(db, sql: "SELECT max(id) FROM \(kind.table)")
        }
    }

    /// Files of earlier versions have no column for several attempts, or for the pauses of a stream.
    private static func addColumn(_ name: String, of kind: AuditFileKind, _ db: Database) throws {
        guard !(try db.columns(in: kind.table).contains { $0.name == name }) else { return }
        switch kind {
        case .rows: try db.execute(sql: "ALTER TABLE exchanges ADD COLUMN attempts_detail TEXT")
        case .bodies: try db.execute(sql: "ALTER TABLE bodies ADD COLUMN gaps TEXT")
        }
    }

    /// Reads every page, which takes as long as the file is large: never while a start waits for it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled meanwhile: an end does not wait for it either.
    func isSound() async throws -> Bool {
        let wanted = QueryBound.Switch()
        return try await SearchThreads.run(while: wanted) { [database] in
            try database.read { db in
                var answer: String?
                let isComplete = try QueryBound.run(db, while: wanted) {
                    answer = try String.fetchOne(db, sql: "PRAGMA quick_check(1)")
                }
                // Not having looked is no finding.
                guard isComplete else { throw DatabaseError(resultCode: .SQLITE_INTERRUPT) }
                return answer == "ok"
            }
        }
    }

    /// `rows-1795255401452000.db` read back.
    static func parse(_ name: String) -> (kind: AuditFileKind, firstID: Int)? {
        guard name.hasSuffix(".db") else { return nil }
        let parts = name.dropLast(3).split(separator: "-")
        guard parts.count == 2, let kind = AuditFileKind(rawValue: String(parts[0])), let id = Int(parts[1])
        else {
            return nil
        }
        return (kind, id)
    }

    /// With the write-ahead log.
    var size: Int {
        (DataDirectory.size(of: path) ?? 0) + (DataDirectory.size(of: path + "-wal") ?? 0)
    }
}
