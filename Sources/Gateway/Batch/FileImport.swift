import GRDB
import Operations

/// What a file's rows are to become: says which of them hold, and puts them into the database.
protocol ImportTable: Sendable {
    associatedtype Column: ImportColumn

    /// What a row is, in the operators' audit.
    static var object: String { get }

    /// Looks at a row while its file comes.
    mutating func examine(
        _ row: ImportRow<Column>,
        _ options: ImportOptions,
        _ db: Database
    ) throws(RowFailure)
    /// The file is whole.
    ///
    /// - Parameter shared: what a JSON file says for all of its rows.
    /// - Throws: `OperationsError` where that does not hold.
    mutating func settle(_ shared: ImportRow<Column>?) throws(OperationsError)
    /// Rows that could not be judged before, by their numbers, and the judgement on one of them.
    var unsettled: Set<Int> { get }
    func examineSettled(_ row: ImportRow<Column>, _ db: Database) throws(RowFailure)

    /// What the operators' audit says of an import besides counts.
    var details: [String: String] { get }

    mutating func insert(_ row: ImportRow<Column>, _ db: Database) throws(RowFailure)
}

/// One file on its way in: every row is looked at while the file comes, and what holds is put into the database in
/// one transaction afterwards.
final class FileImport<Table: ImportTable> {
    private let database: DatabasePool
    private let options: ImportOptions
    private let rowLimit: Int
    private let spool: RowSpool<Table.Column>
    private var source: RowSource<Table.Column>
    private(set) var table: Table
    private(set) var result = BatchResult()
    private(set) var rows = 0
    /// Rows that were found wanting at the file's end.
    private var refused: Set<Int> = []

    init(
        _ table: Table,
        into database: DatabasePool,
        _ options: ImportOptions,
        folder: String,
        rowLimit: Int
    ) throws {
        self.table = table
        self.database = database
        self.options = options
        self.rowLimit = rowLimit
        spool = try RowSpool(folder: folder)
        source = RowSource(options.format)
    }

    // MARK: Reading

    func read(_ bytes: [UInt8]) throws { try take(try source.read(bytes)) }

    /// What has come of it then is in `result`; nothing is in the database yet.
    func finishReading() throws {
        try take(try source.finish())
        try table.settle(source.shared)
        try examineUnsettled()
        result.successCount = spool.count - refused.count
    }

    private func examineUnsettled() throws {
        guard !table.unsettled.isEmpty else { return }
        try database.read { db in
            try spool.read { rows in
                for row in rows where table.unsettled.contains(row.number) {
                    do throws(RowFailure) {
                        try table.examineSettled(row, db)
                    } catch {
                        refused.insert(row.number)
                        result.fail(row.number, error.message)
                    }
                }
            }
        }
    }

    private func take(_ rows: [RowSource<Table.Column>.Row]) throws {
        guard !rows.isEmpty else { return }
        self.rows += rows.count
        guard self.rows <= rowLimit else {
            throw OperationsError(
                .invalid,
                "has more than \(rowLimit) rows; import it in parts",
                parameter: "file"
            )
        }
        try database.read { db in
            for row in rows {
                switch row {
                case .fault(let fault): result.fail(fault.row, fault.error)
                case .row(let row):
                    do throws(RowFailure) {
                        try table.examine(row, options, db)
                        try keep(row)
                    } catch {
                        result.fail(row.number, error.message)
                    }
                }
            }
        }
    }

    private func keep(_ row: ImportRow<Table.Column>) throws(RowFailure) {
        do {
            try spool.add(row)
        } catch {
            throw RowFailure(message: "cannot be kept until the file is whole: \(error)")
        }
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
            try database.write { db in
                result.successCount = 0
                try spool.read { rows in
                    for row in rows where !refused.contains(row.number) { put(row, db) }
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

    private func put(_ row: ImportRow<Table.Column>, _ db: Database) {
        do throws(RowFailure) {
            try table.insert(row, db)
            result.successCount += 1
        } catch {
            result.fail(row.number, error.message)
        }
    }

    private func change(by user: Operator) throws -> ChangeRecord {
        let counts = [
            "keys": "\(result.successCount)", "failed": "\(result.failedCount)",
            "format": options.format.rawValue,
        ]
        return ChangeRecord(
            user: user,
            action: "import",
            object: Table.object,
            objectID: nil,
            after: try JSONForm.text(counts.merging(table.details) { $1 })
        )
    }
}

enum ImportLimits {
    /// What rows must not share is kept in memory, some hundred bytes for each.
    static let rows = 1_000_000
    /// Keys that are made are all in one answer.
    static let clientKeys = 100_000
}
