import GRDB
import GRDBSQLite
import Synchronization

/// Ends a query that takes too long, or that nobody waits for any more, wherever it is.
struct QueryBound {
    /// Set by whoever no longer wants the answer.
    final class Switch: Sendable {
        private let isOff = Atomic(false)

        func turnOff() { isOff.store(true, ordering: .relaxed) }
        fileprivate var hasEnded: Bool { isOff.load(ordering: .relaxed) }
    }

    /// SQLite asks after so many steps of its machine, about every millisecond.
    private static let steps: Int32 = 20_000

    private var deadline: ContinuousClock.Instant?
    private var wanted: Switch?

    private var isOver: Bool {
        wanted?.hasEnded == true || deadline.map { ContinuousClock.now > $0 } == true
    }

    /// - Throws: what `body` throws; `SQLITE_INTERRUPT` once the query is over its bound.
    static func run<Result>(
        _ db: Database,
        until deadline: ContinuousClock.Instant? = nil,
        while wanted: Switch? = nil,
        _ body: () throws -> Result
    ) throws -> Result {
        var bound = QueryBound(deadline: deadline, wanted: wanted)
        return try withUnsafeMutablePointer(to: &bound) { pointer in
            sqlite3_progress_handler(
                db.sqliteConnection,
                steps,
                { context in
                    context?.assumingMemoryBound(to: QueryBound.self).pointee.isOver == true ? 1 : 0
                },
                pointer
            )
            defer { sqlite3_progress_handler(db.sqliteConnection, 0, nil, nil) }
            return try body()
        }
    }
}
