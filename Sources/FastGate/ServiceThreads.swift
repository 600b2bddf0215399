import NIOPosix

/// Where everything but the data plane runs: some of it waits for SQLite, and what waits must not keep the rest from
/// running, as it would on Swift's own threads, of which there is one for each core.
final class ServiceThreads: TaskExecutor {
    /// As many may wait at once.
    private static let count = 8

    /// As long as the process: whatever ends, something may still have to be run.
    static let shared = ServiceThreads()

    private let pool: NIOThreadPool

    private init() {
        pool = NIOThreadPool(numberOfThreads: Self.count)
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.submit { [self] _ in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
