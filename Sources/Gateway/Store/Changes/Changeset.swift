import CSQLiteSession
import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What one transaction did to the rows of operators, as SQLite writes it down.
struct Changeset {
    /// One row that it touches.
    struct Touch: Equatable {
        enum Kind: Equatable {
            case insert
            case update
            case delete
        }

        let table: String
        let kind: Kind
        /// 0 in tables whose rows go by a name.
        let id: Int
        /// Columns of an update that it sets.
        let columns: Set<String>
        /// What an update or an insert leaves in `version`.
        let version: Int?
    }

    /// Why it does not fit any more.
    enum Misfit: Error {
        /// The row has another version, or is there no more.
        case changedSince(table: String, id: Int)
        /// Something else has its name, or what it belongs to is gone.
        case noPlace(table: String, id: Int)
    }

    let data: Data

    func inverted() throws -> Changeset {
        try data.withUnsafeBytes { bytes in
            var size: Int32 = 0
            var inverted: UnsafeMutableRawPointer?
            defer { sqlite3_free(inverted) }
            let code = sqlite3changeset_invert(Int32(bytes.count), bytes.baseAddress, &size, &inverted)
            try SQLiteCode.check(code, "invert a changeset")
            guard let inverted else { return Changeset(data: Data()) }
            return Changeset(data: Data(bytes: inverted, count: Int(size)))
        }
    }

    /// Every row that it touches, in its own order.
    func touches(_ columns: Columns) throws -> [Touch] {
        // The iterator reads from the bytes as it goes.
        var data = data
        return try data.withUnsafeMutableBytes { bytes in
            var iterator: OpaquePointer?
            try SQLiteCode.check(
                sqlite3changeset_start(&iterator, Int32(bytes.count), bytes.baseAddress),
                "read a changeset"
            )
            defer { sqlite3changeset_finalize(iterator) }
            var touches: [Touch] = []
            while sqlite3changeset_next(iterator) == SQLITE_ROW {
                if let iterator { touches.append(ChangesetRow(iterator).touch(columns)) }
            }
            return touches
        }
    }

    /// Does to the database what it says, or nothing.
    ///
    /// - Throws: `Misfit` for the first row that is no longer as it was.
    func apply(to db: Database, _ judge: ChangesetJudge) throws {
        var data = data
        let code = data.withUnsafeMutableBytes { bytes in
            sqlite3changeset_apply(
                db.sqliteConnection,
                Int32(bytes.count),
                bytes.baseAddress,
                nil,
                { context, kind, iterator in
                    guard let context, let iterator else { return SQLITE_CHANGESET_ABORT }
                    let judge = Unmanaged<ChangesetJudge>.fromOpaque(context).takeUnretainedValue()
                    return judge.judge(kind, iterator)
                },
                Unmanaged.passUnretained(judge).toOpaque()
            )
        }
        if let misfit = judge.misfit { throw misfit }
        try SQLiteCode.check(code, "apply a changeset")
    }

    /// Names of the columns of the tables, in their order.
    struct Columns {
        private let names: [String: [String]]

        init(_ db: Database) throws {
            names = try Dictionary(
                uniqueKeysWithValues: ChangeSession.tables.map { table in
                    (table, try db.columns(in: table).map(\.name))
                }
            )
        }

        subscript(table: String) -> [String] { names[table] ?? [] }

        func version(of table: String) -> Int32? {
            self[table].firstIndex(of: "version").map(Int32.init)
        }
    }
}

/// The row at which an iterator of SQLite stands.
struct ChangesetRow {
    private let iterator: OpaquePointer
    let table: String
    let operation: Int32
    private let count: Int32

    init(_ iterator: OpaquePointer) {
        self.iterator = iterator
        var name: UnsafePointer<CChar>?
        var (count, operation, isIndirect): (Int32, Int32, Int32) = (0, 0, 0)
        sqlite3changeset_op(iterator, &name, &count, &operation, &isIndirect)
        table = name.map { String(cString: $0) } ?? ""
        self.operation = operation
        self.count = count
    }

    private typealias Reader = (OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?) -> Int32

    private func number(_ column: Int32, _ read: Reader) -> Int? {
        var value: OpaquePointer?
        guard read(iterator, column, &value) == SQLITE_OK, let value,
            sqlite3_value_type(value) == SQLITE_INTEGER
        else { return nil }
        return Int(sqlite3_value_int64(value))
    }

    private func isGiven(_ column: Int32) -> Bool {
        var value: OpaquePointer?
        return sqlite3changeset_new(iterator, column, &value) == SQLITE_OK && value != nil
    }

    /// The id of the row; 0 where it goes by a name.
    var id: Int {
        number(0, operation == SQLITE_INSERT ? sqlite3changeset_new : sqlite3changeset_old) ?? 0
    }

    func old(_ column: Int32) -> Int? { number(column, sqlite3changeset_old) }

    /// As the database has it, where that is in question.
    func present(_ column: Int32) -> Int? { number(column, sqlite3changeset_conflict) }

    func touch(_ columns: Changeset.Columns) -> Changeset.Touch {
        let version = columns.version(of: table)
        let given =
            operation == SQLITE_UPDATE
            ? columns[table].enumerated().filter { $0.offset < count && isGiven(Int32($0.offset)) }
                .map(\.element) : []
        return Changeset.Touch(
            table: table,
            kind: operation == SQLITE_INSERT ? .insert : operation == SQLITE_DELETE ? .delete : .update,
            id: id,
            columns: Set(given),
            version: operation == SQLITE_DELETE
                ? nil : version.flatMap { number($0, sqlite3changeset_new) }
        )
    }
}

/// Decides what a row that is not as a changeset expects means.
///
/// An operator's change raises the version of its row; what the gateway itself writes there, hits, health, last use, does
/// not. So a row of the expected version is as operators left it, and what else is in it may be overwritten.
final class ChangesetJudge {
    private let columns: Changeset.Columns
    private let aliases: VersionAliases
    private let isOrder: Bool
    /// Whether an upstream goes, and SQLite takes what belongs to it along before the changeset comes to it.
    private let takesUpstream: Bool
    private(set) var misfit: Changeset.Misfit?

    /// `touches`: all that the changeset does; `isOrder`: positions are what it is about, not only what makes room.
    init(
        _ columns: Changeset.Columns,
        _ aliases: VersionAliases,
        _ touches: [Changeset.Touch],
        isOrder: Bool
    ) {
        (self.columns, self.aliases, self.isOrder) = (columns, aliases, isOrder)
        takesUpstream = touches.contains { $0.table == "upstreams" && $0.kind == .delete }
    }

    func judge(_ kind: Int32, _ iterator: OpaquePointer) -> Int32 {
        // Whether all belongs to something is asked at the end, when the iterator stands at no row.
        guard kind != SQLITE_CHANGESET_FOREIGN_KEY else {
            misfit = .noPlace(table: "", id: 0)
            return SQLITE_CHANGESET_ABORT
        }
        let row = ChangesetRow(iterator)
        let version = columns.version(of: row.table)
        // An update that leaves the version alone only makes room for another row.
        let isAside =
            !isOrder && row.operation == SQLITE_UPDATE && version.map { row.old($0) == nil } ?? false
        switch kind {
        case SQLITE_CHANGESET_DATA:
            if isAside { return SQLITE_CHANGESET_REPLACE }
            if let version, let old = row.old(version), let present = row.present(version),
                aliases.areSame(old, present, of: row.table, row.id)
            {
                return SQLITE_CHANGESET_REPLACE
            }
            misfit = .changedSince(table: row.table, id: row.id)
        case SQLITE_CHANGESET_NOTFOUND:
            if isAside || takesUpstream && row.operation == SQLITE_DELETE { return SQLITE_CHANGESET_OMIT }
            misfit = .changedSince(table: row.table, id: row.id)
        default:
            misfit = .noPlace(table: row.table, id: row.id)
        }
        return SQLITE_CHANGESET_ABORT
    }
}
