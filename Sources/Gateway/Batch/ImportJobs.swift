import Operations
import Synchronization

/// The imports of this process: those that run, and the last ones that have.
final class ImportJobs: Sendable {
    private static let kept = 50
    /// Each has rows in memory while it is read.
    private static let atOnce = 4

    private struct State {
        var jobs: [BatchJob] = []
        var next = 1
        /// While the master key, by which rows are compared, becomes another one.
        var isHeld = false
    }

    private let state = Mutex(State())

    /// Newest first.
    var all: [BatchJob] { state.withLock { $0.jobs.reversed() } }

    func job(_ id: Int) -> BatchJob? { state.withLock { $0.jobs.first { $0.id == id } } }

    func begin(
        _ kind: String,
        _ options: ImportOptions,
        by user: Operator,
        at time: Timestamp
    ) throws(OperationsError) -> BatchJob {
        guard !state.withLock(\.isHeld) else {
            throw OperationsError(.unavailable, "the master key is being rotated; try again in a moment")
        }
        let job: BatchJob? = state.withLock { state in
            guard !state.isHeld, state.jobs.count(where: { !$0.isOver }) < Self.atOnce else { return nil }
            let job = BatchJob(id: state.next, kind: kind, options: options, by: user.name, at: time)
            state.next += 1
            state.jobs.append(job)
            if state.jobs.count > Self.kept, let oldest = state.jobs.firstIndex(where: \.isOver) {
                state.jobs.remove(at: oldest)
            }
            return job
        }
        guard let job else {
            throw OperationsError(.unavailable, "\(Self.atOnce) imports are running; wait for the end of one")
        }
        return job
    }

    /// Does something while no import is under way, and none can begin.
    func whileNone<Value>(_ work: () throws -> Value) throws -> Value {
        let isHeld = state.withLock { state in
            guard !state.isHeld, state.jobs.allSatisfy(\.isOver) else { return false }
            state.isHeld = true
            return true
        }
        guard isHeld else { throw OperationsError(.conflict, "an import is running; wait for its end") }
        defer { state.withLock { $0.isHeld = false } }
        return try work()
    }

    func update(_ id: Int, _ change: (inout BatchJob) -> Void) {
        state.withLock { state in
            guard let place = state.jobs.firstIndex(where: { $0.id == id }) else { return }
            change(&state.jobs[place])
        }
    }

    func end(_ id: Int, at time: Timestamp, _ result: Result<BatchResult, any Error>) {
        update(id) { job in
            job.endedAt = time
            switch result {
            case .success(let result): (job.state, job.result) = (.done, result)
            case .failure(let error):
                job.state = .failed
                job.error = (error as? OperationsError)?.description ?? "\(error)"
            }
        }
    }
}
