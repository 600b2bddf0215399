import GRDB
import GRDBSQLite
import Synchronization

/// Ends a query that takes too long, or that nobody waits for any more, wherever it is.
struct QueryBound {
    /// Set by whoever no longer wants the answer.
    final class Switch: Sendable {
        private struct State {
            var isOff = false
            /// The connection that answers, as a number.
            var connection: UInt?
        }

        private let state = Mutex(State())
        private let whole: Switch?

        /// `whole`: what this is a part of, and ends with.
        init(within whole: Switch? = nil) {
            self.whole = whole
        }

        var hasEnded: Bool { state.withLock { $0.isOff } || whole?.hasEnded == true }

        /// Interrupts what runs, too: a check of a whole file is one step of SQLite's machine.
        func turnOff() {
            state.withLock { state in
                state.isOff = true
                guard let connection = state.connection else { return }
                sqlite3_interrupt(OpaquePointer(bitPattern: connection))
            }
        }

        fileprivate func hold(_ connection: OpaquePointer?) {
            state.withLock { $0.connection = connection.map(UInt.init(bitPattern:)) }
        }
    }

    /// SQLite asks after so many steps of its machine, about every millisecond.
    private static let steps: Int32 = 20_000

    private let deadline: ContinuousClock.Instant?
    private let wanted: Switch?

    private var isOver: Bool {
        wanted?.hasEnded == true || deadline.map { ContinuousClock.now > $0 } == true
    }

    /// - Returns: whether `body` came to its end; what it had found by the deadline stands.
    /// - Throws: what `body` throws; `CancellationError` once nobody wants the answer.
    static func run(
        _ db: Database,
        until deadline: ContinuousClock.Instant? = nil,
        while wanted: Switch? = nil,
        _ body: () throws -> Void
    ) throws -> Bool {
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
            wanted?.hold(db.sqliteConnection)
            var isComplete = true
            do {
                defer { wanted?.hold(nil) }
                try body()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
                isComplete = false
            }
            // What an interrupted check says of a file is no finding.
            if wanted?.hasEnded == true { throw CancellationError() }
            return isComplete
        }
    }
}
