import Logging
import Operations
import ServiceLifecycle
import Synchronization

/// A job and how often it is done.
struct TaskDefinition: Sendable {
    let name: ScheduledTask.Name
    /// What it does, in a sentence for operators.
    let summary: String
    let interval: Duration
    /// What an operator may set.
    let allowed: ClosedRange<Duration>
    /// Says what it has done, or throws why it could not; told whether an operator has asked for it.
    let work: @Sendable (_ isAsked: Bool) async throws -> String
}

/// Does each task when it is due, or when an operator asks for it; never on a loop of the data plane.
final class Scheduler: Service {
    private static let tick = Duration.seconds(1)
    /// Runs of tasks that come more often are not written down.
    private static let keptInterval = Duration.seconds(60)

    private let definitions: [TaskDefinition]
    private let store: TaskStore
    private let logger: Logger
    private let states: Mutex<[ScheduledTask.Name: TaskState]>

    init(_ definitions: [TaskDefinition], store: TaskStore, logger: Logger) throws {
        self.definitions = definitions
        self.store = store
        self.logger = logger
        let kept = try store.all()
        let now = WallClock.now().microseconds
        states = Mutex(
            Dictionary(
                uniqueKeysWithValues: definitions.map { task in
                    let known = kept[task.name.rawValue]
                    let interval = known?.interval ?? task.interval
                    return (task.name, TaskState(interval: interval, last: known?.last, now: now))
                }
            )
        )
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                while !Task.isCancelled {
                    let now = WallClock.now().microseconds
                    for task in definitions where begin(task, now: now, onlyIfDue: true) {
                        group.addTask { await self.perform(task, isAsked: false) }
                    }
                    // A cancelled sleep is the end of the loop.
                    try? await Task.sleep(for: Self.tick)
                }
                group.cancelAll()
            }
        }
    }

    private func begin(_ task: TaskDefinition, now: Int, onlyIfDue: Bool) -> Bool {
        states.withLock { states in
            guard !onlyIfDue || states[task.name]?.isDue(now: now) == true else { return false }
            return states[task.name]?.begin(now: now) ?? false
        }
    }

    private func perform(_ task: TaskDefinition, isAsked: Bool) async {
        let clock = ContinuousClock()
        let began = clock.now
        let result: Result<String, any Error>
        do {
            result = .success(try await task.work(isAsked))
        } catch {
            result = .failure(error)
        }
        let state = states.withLock { states in
            states[task.name]?.end(after: clock.now - began, result)
            return states[task.name]
        }
        guard let state, let run = state.last else { return }
        // One that the end of the gateway has cut short has not failed.
        if !run.succeeded, !Task.isCancelled {
            logger.error(
                "a task has failed",
                metadata: ["task": "\(task.name.rawValue)", "reason": "\(run.result)"]
            )
        }
        guard state.interval >= Self.keptInterval else { return }
        do {
            try store.keep(run, of: task.name)
        } catch {
            logger.error(
                "the run of a task cannot be written down",
                metadata: ["task": "\(task.name.rawValue)", "reason": "\(error)"]
            )
        }
    }

    // MARK: Operators

    var tasks: [ScheduledTask] {
        let now = WallClock.now().microseconds
        return states.withLock { states in
            definitions.compactMap { task in states[task.name].map { Self.view(task, $0, now: now) } }
        }
    }

    /// Does it now and returns once it is done.
    func run(_ name: ScheduledTask.Name) async throws(OperationsError) {
        guard let task = definitions.first(where: { $0.name == name }),
            begin(task, now: WallClock.now().microseconds, onlyIfDue: false)
        else { throw OperationsError(.conflict, "the task \(name.rawValue) is running; wait for its end") }
        // Done whole, also for an operator who does not wait for it.
        await Task { await perform(task, isAsked: true) }.value
    }

    /// `interval`: nil for the default.
    func set(_ interval: Duration?, of name: ScheduledTask.Name, by user: Operator) throws {
        guard let task = definitions.first(where: { $0.name == name }) else { return }
        if let interval, !task.allowed.contains(interval) {
            let range = "from \(task.allowed.lowerBound.text) to \(task.allowed.upperBound.text)"
            throw OperationsError(.invalid, "must be a duration \(range)", parameter: "interval")
        }
        let before = states.withLock { $0[name]?.interval } ?? task.interval
        try store.set(interval, before: before, of: name, by: user)
        states.withLock { $0[name]?.interval = interval ?? task.interval }
    }

    /// Goes by the intervals that are written down.
    func readIntervals() throws {
        let kept = try store.all()
        states.withLock { states in
            for task in definitions {
                states[task.name]?.interval = kept[task.name.rawValue]?.interval ?? task.interval
            }
        }
    }

    private static func view(_ task: TaskDefinition, _ state: TaskState, now: Int) -> ScheduledTask {
        var view = ScheduledTask(
            name: task.name,
            summary: task.summary,
            interval: state.interval,
            defaultInterval: task.interval,
            nextRunAt: Timestamp(microseconds: max(now, state.nextRun(now: now)))
        )
        (view.running, view.runs, view.failures) = (state.isRunning, state.runs, state.failures)
        guard let last = state.last else { return view }
        view.lastRunAt = Timestamp(microseconds: last.began)
        let (seconds, attoseconds) = last.duration.components
        view.lastDurationMs = Double(seconds) * 1000 + (Double(attoseconds) / 1e12).rounded() / 1000
        (view.succeeded, view.result) = (last.succeeded, last.result)
        return view
    }
}
