import NIOPosix

/// Threads of their own for what reads much of a database: SQLite blocks, and operators' other requests run on the
/// few threads that all tasks share.
enum SearchThreads {
    /// Two searches at a time; more wait their turn, each bounded by `AuditQueries.timeLimit`.
    private static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        return pool
    }()

    /// Whoever follows the log must not wait behind searches of the whole of it.
    private static let tails: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        return pool
    }()

    /// For short reads that come several times a second.
    static func runTail<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await tails.runIfActive(work)
    }

    static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await pool.runIfActive(work)
    }
}
