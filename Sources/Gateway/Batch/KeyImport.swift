import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One file of upstream keys on its way in: every row is looked at while the file comes, and what holds is put into
/// the database in one transaction afterwards.
final class KeyImport {
    /// What a row must not share with another.
    private struct Mark: Hashable {
        let upstream: Int
        let high: UInt64
        let low: UInt64

        init(_ upstream: Int, _ digest: Data) {
            self.upstream = upstream
            (high, low) = digest.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                )
            }
        }
    }

    /// What rows must not share is kept in memory, some hundred bytes for each.
    static let rowLimit = 1_000_000

    private let store: UpstreamStore
    private let masterKey: MasterKey
    private let options: ImportOptions
    private let rowLimit: Int
    private let reader: KeyRowReader
    private let spool: RowSpool
    private var source: KeyRowSource
    /// Of rows seen so far, with the number of each.
    private var names: [Mark: Int] = [:]
    private var values: [Mark: Int] = [:]
    private(set) var result = BatchResult()
    private(set) var rows = 0
    private var upstream: Int?
    /// Rows that name no upstream, and those of them that were found wanting at the file's end.
    private var unplaced: Set<Int> = []
    private var refused: Set<Int> = []

    init(
        store: UpstreamStore,
        masterKey: MasterKey,
        options: ImportOptions,
        folder: String,
        rowLimit: Int = KeyImport.rowLimit
    ) throws {
        self.store = store
        self.masterKey = masterKey
        self.options = options
        self.rowLimit = rowLimit
        reader = KeyRowReader(try store.upstreamRows())
        spool = try RowSpool(folder: folder)
        source = KeyRowSource(options.format)
    }

    // MARK: Reading

    func read(_ bytes: [UInt8]) throws { try take(try source.read(bytes)) }

    /// - Returns: what has come of it so far; nothing is in the database yet.
    func finishReading() throws {
        try take(try source.finish())
        if let row = source.upstream {
            do throws(KeyRowFault) {
                var whole = row
                (whole[.name], whole[.keyValue]) = ("x", "x")
                upstream = try reader.key(whole).upstream
            } catch {
                throw OperationsError(.invalid, error.message, parameter: "upstream_id")
            }
        }
        try place()
        result.successCount = spool.count - refused.count
    }

    /// Looks at the rows that are meant for the file's own upstream, now that it is known.
    private func place() throws {
        guard !unplaced.isEmpty else { return }
        try store.database.read { db in
            try spool.read { rows in
                for row in rows where unplaced.contains(row.number) {
                    guard let fault = try fault(ofUnplaced: row, db) else { continue }
                    refused.insert(row.number)
                    result.fail(row.number, fault.message)
                }
            }
        }
    }

    private func fault(ofUnplaced row: KeyRow, _ db: Database) throws -> KeyRowFault? {
        guard let upstream else { return KeyRowFault(message: "upstream_id must not be empty") }
        let key = try reader.key(row)
        return try KeyInserts.double(key, upstream, masterKey.digest(of: key.value), db)
    }

    private func take(_ rows: [KeyRowSource.Row]) throws {
        guard !rows.isEmpty else { return }
        self.rows += rows.count
        guard self.rows <= rowLimit else {
            throw OperationsError(
                .invalid,
                "has more than \(rowLimit) rows; import it in parts",
                parameter: "file"
            )
        }
        try store.database.read { db in
            for row in rows {
                switch row {
                case .fault(let fault): result.fail(fault.row, fault.error)
                case .row(let row):
                    do throws(KeyRowFault) {
                        let key = try reader.key(row)
                        if key.upstream == nil {
                            guard options.format == .json else {
                                throw KeyRowFault(message: "upstream_id must not be empty")
                            }
                        }
                        try checkDoubles(key, db)
                        try keep(row)
                        if key.upstream == nil { unplaced.insert(row.number) }
                    } catch {
                        result.fail(row.number, error.message)
                    }
                }
            }
        }
    }

    private func keep(_ row: KeyRow) throws(KeyRowFault) {
        do {
            try spool.add(row)
        } catch {
            throw KeyRowFault(message: "cannot be kept until the file is whole: \(error)")
        }
    }

    /// Within the file, and against the pool.
    private func checkDoubles(_ key: KeyToImport, _ db: Database) throws(KeyRowFault) {
        // The file's own upstream is known last; what it already has is found out when it is put in.
        let upstream = key.upstream ?? 0
        let digest = masterKey.digest(of: key.value)
        let value = Mark(upstream, digest)
        let name = Mark(upstream, masterKey.digest(of: Secret(key.definition.name)))
        if let row = names[name] {
            throw KeyRowFault(message: "row \(row) has the same name, “\(key.definition.name)”")
        }
        if let row = values[value] { throw KeyRowFault(message: "row \(row) has the same key_value") }
        if upstream != 0, let fault = try KeyInserts.double(key, upstream, digest, db) { throw fault }
        names[name] = key.number
        values[value] = key.number
    }

    // MARK: Writing

    /// Puts all rows that hold into the database, or none.
    ///
    /// `progress`: told how many are in it, while none of them can be seen yet.
    func write(by user: Operator, progress: (Int) -> Void) throws {
        let isRefused = options.mode == .allOrNothing && result.failedCount > 0
        guard !options.dryRun, !isRefused, spool.count > refused.count else {
            if isRefused { result.successCount = 0 }
            return
        }
        let before = result
        do {
            try store.database.write { db in
                result.successCount = 0
                let inserts = try KeyInserts(db)
                try spool.read { rows in
                    for row in rows where !refused.contains(row.number) { put(row, inserts, db) }
                    progress(result.successCount)
                }
                if options.mode == .allOrNothing, result.failedCount > 0 { throw Refused() }
                try Store.record(try change(by: user), db)
            }
            result.committed = result.successCount > 0
        } catch is Refused {
            result.successCount = 0
        } catch {
            result = before
            throw error
        }
    }

    /// A row that does not hold after all, where all of them have to.
    private struct Refused: Error {}

    private func put(_ row: KeyRow, _ inserts: KeyInserts, _ db: Database) {
        do throws(KeyRowFault) {
            let key = try reader.key(row)
            guard let upstream = key.upstream ?? upstream else {
                throw KeyRowFault(message: "upstream_id must not be empty")
            }
            let digest = masterKey.digest(of: key.value)
            if let fault = try KeyInserts.double(key, upstream, digest, db) { throw fault }
            try insert(key, upstream, digest, inserts)
            result.successCount += 1
        } catch {
            result.fail(row.number, error.message)
        }
    }

    private func insert(
        _ key: KeyToImport,
        _ upstream: Int,
        _ digest: Data,
        _ inserts: KeyInserts
    ) throws(KeyRowFault) {
        do {
            try inserts.insert(key, upstream, digest) { [masterKey] id in
                try masterKey.seal(key.value, place: UpstreamKeyRow.place(id))
            }
        } catch {
            throw KeyRowFault(message: "cannot be written: \(error)")
        }
    }

    private func change(by user: Operator) throws -> ChangeRecord {
        let after = [
            "keys": "\(result.successCount)", "failed": "\(result.failedCount)",
            "format": options.format.rawValue,
        ]
        return ChangeRecord(
            user: user,
            action: "import",
            object: "upstream_key",
            objectID: nil,
            after: try JSONForm.text(after)
        )
    }
}

/// The statements that put many keys into the database.
struct KeyInserts {
    private let database: Database
    private let insert: Statement
    private let seal: Statement

    init(_ db: Database) throws {
        database = db
        insert = try db.cachedStatement(
            sql: """
                INSERT INTO upstream_keys
                (upstream_id, name, source, location, param_name, value_prefix, weight, priority, limits, quota,
                state, reason, cause, digest) VALUES (?, ?, 'database', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        seal = try db.cachedStatement(sql: "UPDATE upstream_keys SET sealed = ? WHERE id = ?")
    }

    /// What the pool has already of a key.
    static func double(
        _ key: KeyToImport,
        _ upstream: Int,
        _ digest: Data,
        _ db: Database
    ) throws(KeyRowFault) -> KeyRowFault? {
        do {
            let named = try db.cachedStatement(
                sql: "SELECT id FROM upstream_keys WHERE upstream_id = ? AND name = ?"
            )
            if try Int.fetchOne(named, arguments: [upstream, key.definition.name]) != nil {
                return KeyRowFault(message: "the upstream has a key of this name, “\(key.definition.name)”")
            }
            let valued = try db.cachedStatement(
                sql: "SELECT name FROM upstream_keys WHERE upstream_id = ? AND digest = ?"
            )
            if let name = try String.fetchOne(valued, arguments: [upstream, digest]) {
                return KeyRowFault(message: "the upstream's key “\(name)” has the same key_value")
            }
            return nil
        } catch {
            throw KeyRowFault(message: "cannot be looked up: \(error)")
        }
    }

    func insert(_ key: KeyToImport, _ upstream: Int, _ digest: Data, seal sealed: (Int) throws -> Data) throws
    {
        let definition = key.definition
        try insert.execute(arguments: [
            upstream, definition.name, definition.location.rawValue, definition.paramName,
            definition.valuePrefix,
            definition.weight, definition.priority, try RateLimitsColumn.text(definition.limits),
            try Self.quota(definition.quota), key.state.rawValue, key.state == .active ? nil : key.reason,
            key.state == .active ? nil : HealthStateMachine.Cause.hand.rawValue, digest,
        ])
        let id = Int(database.lastInsertedRowID)
        try seal.execute(arguments: [try sealed(id), id])
    }

    /// Most keys have none, and encoding it is slow.
    private static func quota(_ quota: KeyQuota) throws -> String? {
        quota == KeyQuota() ? nil : try JSONForm.text(quota)
    }
}
