import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Rows that become upstream keys.
struct UpstreamKeyTable: ImportTable {
    static let object = "upstream_key"

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

    private let masterKey: MasterKey
    private let reader: KeyRowReader
    /// Of rows seen so far, with the number of each.
    private var names: [Mark: Int] = [:]
    private var values: [Mark: Int] = [:]
    /// The upstream that a JSON file names for all of its keys.
    private var upstream: Int?
    /// Rows that name no upstream.
    private(set) var unsettled: Set<Int> = []

    init(_ upstreams: [UpstreamRow], masterKey: MasterKey) {
        reader = KeyRowReader(upstreams)
        self.masterKey = masterKey
    }

    mutating func examine(
        _ row: ImportRow<KeyColumn>,
        _ options: ImportOptions,
        _ db: Database
    ) throws(RowFailure) {
        let key = try reader.key(row)
        if key.upstream == nil {
            guard options.format == .json else { throw Self.noUpstream }
            unsettled.insert(row.number)
        }
        do throws(RowFailure) {
            try checkDoubles(key, db)
        } catch {
            unsettled.remove(row.number)
            throw error
        }
    }

    private static let noUpstream = RowFailure(message: "upstream_id must not be empty")

    /// Within the file, and against the pool.
    private mutating func checkDoubles(_ key: KeyToImport, _ db: Database) throws(RowFailure) {
        // The file's own upstream is known last; what it already has is found out when it is put in.
        let upstream = key.upstream ?? 0
        let digest = masterKey.digest(of: key.value)
        let value = Mark(upstream, digest)
        let name = Mark(upstream, masterKey.digest(of: Secret(key.definition.name)))
        if let row = names[name] {
            throw RowFailure(message: "row \(row) has the same name, “\(key.definition.name)”")
        }
        if let row = values[value] { throw RowFailure(message: "row \(row) has the same key_value") }
        if upstream != 0, let fault = try KeyInserts.double(key, upstream, digest, db) { throw fault }
        names[name] = key.number
        values[value] = key.number
    }

    mutating func settle(_ shared: ImportRow<KeyColumn>?) throws(OperationsError) {
        guard let shared else { return }
        do throws(RowFailure) {
            var whole = shared
            (whole[.name], whole[.keyValue]) = ("x", "x")
            upstream = try reader.key(whole).upstream
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "upstream_id")
        }
    }

    func examineSettled(_ row: ImportRow<KeyColumn>, _ db: Database) throws(RowFailure) {
        _ = try placed(row, db)
    }

    /// A key with the upstream that it is for, which has nothing like it yet.
    private func placed(
        _ row: ImportRow<KeyColumn>,
        _ db: Database
    ) throws(RowFailure) -> (key: KeyToImport, upstream: Int, digest: Data) {
        let key = try reader.key(row)
        guard let upstream = key.upstream ?? upstream else { throw Self.noUpstream }
        let digest = masterKey.digest(of: key.value)
        if let fault = try KeyInserts.double(key, upstream, digest, db) { throw fault }
        return (key, upstream, digest)
    }

    let details: [String: String] = [:]

    mutating func insert(_ row: ImportRow<KeyColumn>, _ db: Database) throws(RowFailure) {
        let (key, upstream, digest) = try placed(row, db)
        do {
            try KeyInserts(db).insert(key, upstream, digest) { [masterKey] id in
                try masterKey.seal(key.value, place: UpstreamKeyRow.place(id))
            }
        } catch {
            throw RowFailure(message: "cannot be written: \(error)")
        }
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
    ) throws(RowFailure) -> RowFailure? {
        do {
            let named = try db.cachedStatement(
                sql: "SELECT id FROM upstream_keys WHERE upstream_id = ? AND name = ?"
            )
            if try Int.fetchOne(named, arguments: [upstream, key.definition.name]) != nil {
                return RowFailure(message: "the upstream has a key of this name, “\(key.definition.name)”")
            }
            let valued = try db.cachedStatement(
                sql: "SELECT name FROM upstream_keys WHERE upstream_id = ? AND digest = ?"
            )
            if let name = try String.fetchOne(valued, arguments: [upstream, digest]) {
                return RowFailure(message: "the upstream's key “\(name)” has the same key_value")
            }
            return nil
        } catch {
            throw RowFailure(message: "cannot be looked up: \(error)")
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
