import NIOCore
import Operations

/// The workers of one event loop: carries out what `ScriptPoolState` decides, starts and ends processes, hands them scripts,
/// watches their time and memory.
final class ScriptCrew: ScriptWorkerProcess.Listener {
    /// How often what runs is looked at.
    ///
    /// A script that takes so long gives way to everyone else from then on.
    private static let watchInterval = TimeAmount.milliseconds(2)
    /// A run that takes long works in turns and rests; one that had to be stopped lately, nearly from its beginning.
    private static let pace = ScriptFrames.Pace(after: 5000, rest: 400)
    private static let suspectPace = ScriptFrames.Pace(after: 200, rest: 900)
    /// How long after its time a run that is to end by itself is ended by force.
    private static let grace = TimeAmount.milliseconds(60)
    /// After so many looks memory is looked at, too.
    private static let memoryWatchEvery = 5
    /// A worker that holds more than this part of what it may is replaced while nothing runs in it.
    private static let memoryShare = 0.5
    private static let memoryCheckEvery = 64
    /// JavaScriptCore maps memory far ahead of its use; what it uses is watched.
    private static let reservedByJavaScript = 1 << 30

    private struct Running {
        let nonce: UInt64
        let job: ScriptJob
        let startedAt: NIODeadline
        /// When it is to end by itself, if so, and its worker to live on.
        let endsBy: Int?
    }

    private let loop: any EventLoop
    private let spawner: any EventLoop
    private let settings: ScriptPool.Settings
    private var state: ScriptPoolState
    private var processes: [Int: ScriptWorkerProcess] = [:]
    private var jobs: [Int: ScriptJob] = [:]
    private var running: [Int: Running] = [:]
    private var unreaped: [ScriptWorkerProcess] = []
    private var watch: RepeatedTask?
    private var nextID = 0
    private var looks = 0
    private var isStopping = false

    init(_ settings: ScriptPool.Settings, on loop: any EventLoop, spawner: any EventLoop) {
        self.settings = settings
        self.loop = loop
        self.spawner = spawner
        state = ScriptPoolState(
            limits: ScriptPoolState.Limits(
                workers: settings.workers,
                start: Int(ScriptWorkerProcess.startTime.nanoseconds),
                grace: Int(Self.grace.nanoseconds)
            )
        )
    }

    private var now: Int { Int(NIODeadline.now().uptimeNanoseconds) }

    // MARK: Asked from outside

    func submit(_ job: ScriptJob) {
        if let reason = refusal(of: job) {
            return complete(job, ScriptOutcome(end: .refused(reason)))
        }
        nextID += 1
        jobs[nextID] = job
        let entry = ScriptPoolState.Job(
            id: nextID,
            language: job.language,
            script: job.source.hashValue,
            deadline: now + Int(job.limit.nanoseconds),
            shortest: Int(job.limit.nanoseconds) / 4
        )
        switch state.submit(entry, now: now) {
        case .run(let worker, let entry): run(entry, on: worker)
        case .start: start(job.language)
        case .wait: break
        case .refuse(let reason): complete(entry, ScriptOutcome(end: .refused(reason)))
        }
        keepWatch()
    }

    private func refusal(of job: ScriptJob) -> String? {
        if settings.programs.commands[job.language] == nil { return settings.programs.missing(job.language) }
        if isStopping { return "the gateway is shutting down" }
        // A longer frame would be the worker's end, for which the script is not to blame.
        let size = job.source.utf8.count + job.context.utf8.count
        return size < ScriptFrames.limit - 64 ? nil : "the request is too large for a script"
    }

    /// Has a worker of a language ready before it is needed.
    func warm(_ language: ScriptLanguage) {
        guard settings.programs.commands[language] != nil, !isStopping,
            !state.workers.values.contains(where: { $0.language == language })
        else { return }
        start(language)
    }

    func stop() {
        isStopping = true
        for worker in processes.values { worker.kill("the gateway ends") }
        let waiting = jobs.values
        jobs = [:]
        for job in waiting { job.completion(ScriptOutcome(end: .refused("the gateway is shutting down"))) }
    }

    // MARK: Workers

    private func start(_ language: ScriptLanguage) {
        guard let command = settings.programs.commands[language], !isStopping else { return }
        nextID += 1
        let process = ScriptWorkerProcess(id: nextID, language: language, listener: self)
        processes[process.id] = process
        state.started(process.id, language)
        settings.counters.change(language) { $0.started += 1 }
        let worker = ScriptWorkerProcess.Settings(
            command: command,
            timeZone: settings.timeZone,
            isJailed: !settings.isInsecure,
            mayWait: settings.canComeBack,
            dataLimit: settings.maxMemory + (language == .javascript ? Self.reservedByJavaScript : 0),
            secrets: settings.secrets
        )
        process.start(worker, on: loop, spawner: spawner)
        keepWatch()
    }

    func ready(_ worker: ScriptWorkerProcess) {
        settings.counters.change(worker.language) { ($0.workers, $0.trouble) = ($0.workers + 1, nil) }
        _ = worker.takeTurns(true)
        follow(state.ready(worker.id, now: now), worker)
        // Whom it succeeds may go, unless it runs something: then it goes after that.
        for worn in state.takeWornOut(worker.language) { processes[worn]?.retire() }
    }

    func done(_ worker: ScriptWorkerProcess, nonce: UInt64, _ outcome: ScriptOutcome) {
        let activity = state.workers[worker.id]?.activity
        guard case .running(let entry) = activity, let run = running[worker.id], nonce == run.nonce else {
            // An answer to what it was stopped for comes too late.
            if activity != .ending { worker.kill("the worker answered what it was not asked") }
            return
        }
        endRun(of: worker)
        var outcome = outcome
        var isOver = entry.endsBy.map { now >= $0 } ?? false
        if case .timedOut = outcome.end { isOver = true }
        // What it says after its time is no answer, though it is let live.
        if isOver { outcome = timeout(of: entry) }
        let runs = state.workers[worker.id]?.runs ?? 0
        let isSlow = NIODeadline.now() - run.startedAt > Self.watchInterval
        if isSlow || run.job.wantsMemory || runs % Self.memoryCheckEvery == 0 {
            outcome.residentBytes = worker.residentBytes
        }
        complete(entry, outcome)
        if let bytes = outcome.residentBytes, Double(bytes) > Double(settings.maxMemory) * Self.memoryShare {
            state.wearOut(worker.id)
        }
        if !worker.takeTurns(true) { state.wearOut(worker.id) }
        follow(state.finished(worker.id, now: now), worker)
        if state.needsSuccessor(worker.id, now: now) { start(worker.language) }
    }

    private func follow(_ action: ScriptPoolState.ReadyAction, _ worker: ScriptWorkerProcess) {
        switch action {
        case .run(let entry): run(entry, on: worker.id)
        case .rest: break
        case .retire: worker.retire()
        }
    }

    func gone(_ worker: ScriptWorkerProcess) {
        processes[worker.id] = nil
        endRun(of: worker)
        if worker.isReady { settings.counters.change(worker.language) { $0.workers -= 1 } }
        if !worker.reap() { unreaped.append(worker) }
        let action = state.ended(worker.id, reason: worker.reason, now: now)
        if let job = action.crashed {
            settings.counters.change(worker.language) { $0.killed += 1 }
            complete(job, ScriptOutcome(end: .crashed))
        }
        for job in action.refused { complete(job, ScriptOutcome(end: .refused(action.reason))) }
        if action.restarts { start(worker.language) }
        if !action.reason.isEmpty, !isStopping {
            settings.counters.change(worker.language) { $0.trouble = action.reason }
            settings.report(worker.language, action.reason)
        }
        keepWatch()
    }

    // MARK: Runs

    private func run(_ entry: ScriptPoolState.Job, on worker: Int) {
        guard let process = processes[worker], let job = jobs[entry.id] else { return }
        // Not to be guessed: a script that could write frames must not be able to answer for the next one.
        let nonce = UInt64.random(in: 0...UInt64.max)
        let run = Running(nonce: nonce, job: job, startedAt: .now(), endsBy: entry.endsBy)
        running[worker] = run
        settings.counters.change(entry.language) { $0.busy += 1 }
        if entry.isSuspect { giveWay(process, run) }
        var pace = entry.isSuspect ? Self.suspectPace : Self.pace
        pace.endsAt = entry.endsBy
        process.run(nonce: nonce, job, pace)
    }

    private func giveWay(_ process: ScriptWorkerProcess, _ run: Running) {
        if let end = run.endsBy, now >= end {
            // To end by itself it has to be let, on a machine that is never idle, too.
            _ = process.takeTurns(true)
            return
        }
        // Where there is no way back it would cost the worker that the end by itself spares; there its turns must do.
        guard settings.canComeBack || run.endsBy == nil else { return }
        _ = process.takeTurns(false)
    }

    /// Ends a worker for what its script has done.
    private func kill(_ worker: Int) {
        guard let process = processes[worker] else { return }
        settings.counters.change(process.language) { $0.killed += 1 }
        process.kill()
    }

    private func timeout(of entry: ScriptPoolState.Job) -> ScriptOutcome {
        let limit = Int((jobs[entry.id]?.limit.nanoseconds ?? 0) / 1_000_000)
        return ScriptOutcome(end: .timedOut(milliseconds: limit), microseconds: limit * 1000)
    }

    private func endRun(of worker: ScriptWorkerProcess) {
        guard running.removeValue(forKey: worker.id) != nil else { return }
        settings.counters.change(worker.language) { $0.busy -= 1 }
    }

    private func complete(_ entry: ScriptPoolState.Job, _ outcome: ScriptOutcome) {
        if let job = jobs.removeValue(forKey: entry.id) { complete(job, outcome) }
    }

    private func complete(_ job: ScriptJob, _ outcome: ScriptOutcome) {
        if !job.isCheck { settings.counters.count(job.language, outcome.end) }
        job.completion(outcome)
    }

    // MARK: Watching

    private func keepWatch() {
        guard watch == nil else { return }
        let crew = NIOLoopBound(self, eventLoop: loop)
        watch = loop.scheduleRepeatedTask(initialDelay: Self.watchInterval, delay: Self.watchInterval) { _ in
            crew.value.look()
        }
    }

    private func look() {
        let expiry = state.expired(now: now)
        for job in expiry.waiting {
            let limit = jobs[job.id].map { $0.limit.nanoseconds / 1_000_000 } ?? 0
            let reason =
                job.limitOnceReady == nil
                ? "no worker was free within \(limit) ms: other scripts keep them busy"
                : "the first worker was not ready within \(ScriptWorkerProcess.startTime.nanoseconds / 1_000_000_000) s"
            complete(job, ScriptOutcome(end: .refused(reason)))
        }
        for (worker, job) in expiry.running {
            kill(worker)
            complete(job, timeout(of: job))
        }
        watchRuns()
        for worker in processes.values
        where !worker.isReady && NIODeadline.now() - worker.startedAt > ScriptWorkerProcess.startTime {
            worker.kill("the worker was not ready in time")
        }
        unreaped.removeAll { $0.reap() }
        let isStarting = processes.values.contains { !$0.isReady }
        if !state.isWatched, !isStarting, unreaped.isEmpty {
            watch?.cancel()
            watch = nil
        }
    }

    /// What has run for a while gives way to everyone else, and may not hold too much.
    private func watchRuns() {
        looks += 1
        for (id, run) in running where NIODeadline.now() - run.startedAt >= Self.watchInterval {
            guard let process = processes[id] else { continue }
            giveWay(process, run)
            guard looks % Self.memoryWatchEvery == 0, let bytes = process.residentBytes,
                bytes > settings.maxMemory, let job = state.stop(id, now: now)
            else { continue }
            kill(id)
            complete(
                job,
                ScriptOutcome(end: .tooMuchMemory(bytes: settings.maxMemory), residentBytes: bytes)
            )
        }
    }
}
