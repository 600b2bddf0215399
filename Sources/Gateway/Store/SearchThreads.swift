import NIOPosix
import Operations

/// Threads of their own for what reads much of a database: SQLite blocks, and operators' other requests run on the
/// few threads that all tasks share.
enum SearchThreads {
    /// Two searches at a time; more wait their turn, and each has a limit.
    private static let pool = started(threads: 2)

    /// Whoever follows the log must not wait behind searches of the whole of it.
    private static let tails = started(threads: 1)

    private static func started(threads: Int) -> NIOThreadPool {
        let pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        return pool
    }

    /// For short reads that come several times a second.
    static func runTail<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await run(on: tails, work)
    }

    /// Ends with the task that waits for it, so far as `work` heeds `wanted`.
    ///
    /// - Throws: what `work` throws; `CancellationError` in a cancelled task; `unavailable` when the gateway ends
    ///   meanwhile.
    static func run<Value: Sendable>(
        while wanted: QueryBound.Switch = QueryBound.Switch(),
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withTaskCancellationHandler {
            try await run(on: pool, work)
        } onCancel: {
            wanted.turnOff()
        }
    }

    private static func run<Value: Sendable>(
        on threads: NIOThreadPool,
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        do {
            return try await threads.runIfActive(work)
        } catch is CancellationError where !Task.isCancelled {
            throw OperationsError(.unavailable, "the gateway is about to end")
        }
    }
}
