import Operations

/// Decides which worker runs which script: no processes, no clock.
///
/// Times are nanoseconds of a clock that nobody sets.
struct ScriptPoolState {
    struct Limits {
        /// Workers of each language.
        var workers = 2
        /// Runs of each language that may wait for a worker: those of one are no reason to refuse another's.
        var queue = 256
        /// How long the first worker of a language may take to get ready; who waits for it has that much time more.
        var start = 0
        /// How much longer than its limit a run may take that is to end by itself: not every script can be ended so.
        var grace = 0
        /// After so many runs a worker makes room for a fresh one.
        var runsPerWorker = 50_000
    }

    struct Job: Equatable {
        let id: Int
        let language: ScriptLanguage
        /// Tells scripts apart.
        let script: Int
        var deadline: Int
        /// While no worker of its language has ever been ready: how long the run may take from then on.
        var limitOnceReady: Int?
        /// Whether it had to be stopped lately; set when it runs, as is the next.
        var isSuspect = false
        /// When it is to end by itself, which spares its worker.
        var endsBy: Int?
        /// One that has less time left is not begun any more: its worker would be killed for the others' sake.
        var shortest = 0
    }

    enum Activity: Equatable {
        /// Getting ready and locking itself up. Exits: `.idle`, gone.
        case starting
        case idle
        case running(Job)
        /// Told to end, or killed. Exits: gone.
        case ending
    }

    struct Worker: Equatable {
        let language: ScriptLanguage
        var activity = Activity.starting
        var runs = 0
        /// It has done enough, or holds much memory: it goes once another is there.
        var isWornOut = false
        /// Whether that other has been asked for.
        var hasSuccessor = false
    }

    enum SubmitAction: Equatable {
        case run(worker: Int, Job)
        /// It waits, and a worker more is to be started.
        case start
        case wait
        case refuse(String)
    }

    enum ReadyAction: Equatable {
        case run(Job)
        case rest
        /// It has done enough: end it, and start a fresh one.
        case retire
    }

    struct EndAction: Equatable {
        /// Whose worker has died while it ran.
        var crashed: Job?
        /// Who waited for a worker that there will not be, and why.
        var refused: [Job] = []
        var reason = ""
        /// Whether another worker is to take its place.
        var restarts = false
    }

    struct Expiry: Equatable {
        var waiting: [Job] = []
        /// Workers to kill, and what they run.
        var running: [Int: Job] = [:]
    }

    private struct Trouble {
        var reason: String
        var count: Int
        var retryAt: Int
    }

    private struct Suspicion {
        var until: Int
        /// It did not end by itself either.
        var isStubborn = false
    }

    private static let provenLimit = 4096
    private static let second = 1_000_000_000
    /// A script that had to be stopped is kept from taking every worker for so long.
    private static let suspicion = 60 * second
    private static let suspectLimit = 256
    /// It may fill this part of the queue.
    private static let suspectShare = 8

    let limits: Limits
    private(set) var workers: [Int: Worker] = [:]
    private(set) var queue: [Job] = []
    /// Of which a worker has been ready.
    private var known: Set<ScriptLanguage> = []
    private var trouble: [ScriptLanguage: Trouble] = [:]
    private var suspects: [Int: Suspicion] = [:]
    /// Scripts that have ended by themselves, and were never stopped since.
    private var proven: Set<Int> = []

    init(limits: Limits) {
        self.limits = limits
    }

    private func workers(of language: ScriptLanguage) -> [(key: Int, value: Worker)] {
        workers.filter { $0.value.language == language }.sorted { $0.key < $1.key }
    }

    // MARK: Events

    mutating func submit(_ job: Job, now: Int) -> SubmitAction {
        let own = workers(of: job.language)
        if own.isEmpty, let trouble = trouble[job.language], now < trouble.retryAt {
            return .refuse(trouble.reason)
        }
        if mayRun(job, now: now), let idle = own.first(where: { $0.value.activity == .idle }) {
            return .run(worker: idle.key, run(job, on: idle.key, now: now))
        }
        guard queue.count(where: { $0.language == job.language }) < limits.queue else {
            return .refuse(
                "too many scripts wait for a worker; raise scripts.workers, or keep values by cache_seconds"
            )
        }
        let same = queue.count { $0.script == job.script }
        if isSuspect(job.script, now: now), same >= max(1, limits.queue / Self.suspectShare) {
            return .refuse(
                "the script had to be stopped lately, and too many runs of it wait; mend it or disable its rule"
            )
        }
        var job = job
        // Once: where none gets ready, nobody waits for the next attempt longer than for anything else.
        if limits.start > 0, !known.contains(job.language), trouble[job.language] == nil {
            job.limitOnceReady = job.deadline - now
            job.deadline += limits.start
        }
        queue.append(job)
        let isStarting = own.contains { $0.value.activity == .starting }
        let isSuspended = trouble[job.language].map { now < $0.retryAt } ?? false
        return own.count < limits.workers && !isStarting && !isSuspended ? .start : .wait
    }

    mutating func started(_ worker: Int, _ language: ScriptLanguage) {
        workers[worker] = Worker(language: language)
    }

    mutating func ready(_ worker: Int, now: Int) -> ReadyAction {
        guard let language = workers[worker]?.language, workers[worker]?.activity == .starting else {
            return .rest
        }
        trouble[language] = nil
        if known.insert(language).inserted { beginClocks(of: language, now: now) }
        return next(worker, language, now: now)
    }

    /// Those who waited for the first worker of a language have as long as anybody now.
    private mutating func beginClocks(of language: ScriptLanguage, now: Int) {
        for index in queue.indices where queue[index].language == language {
            guard let limit = queue[index].limitOnceReady else { continue }
            queue[index].deadline = now + limit
            queue[index].limitOnceReady = nil
        }
    }

    /// A run has ended by itself, in its time or after it.
    mutating func finished(_ worker: Int, now: Int) -> ReadyAction {
        guard let language = workers[worker]?.language else { return .rest }
        if case .running(let job) = workers[worker]?.activity, !job.isSuspect { prove(job.script) }
        workers[worker]?.runs += 1
        if workers[worker]?.runs ?? 0 >= limits.runsPerWorker { wearOut(worker) }
        if workers[worker]?.isWornOut == true, hasReplacement(worker) {
            workers[worker]?.activity = .ending
            return .retire
        }
        return next(worker, language, now: now)
    }

    /// It holds more memory than it should.
    mutating func wearOut(_ worker: Int) {
        workers[worker]?.isWornOut = true
    }

    /// Asked once for each: whether a worker more is to be started in the place of this one.
    mutating func needsSuccessor(_ worker: Int, now: Int) -> Bool {
        guard let worn = workers[worker], worn.isWornOut, !worn.hasSuccessor else { return false }
        if let trouble = trouble[worn.language], now < trouble.retryAt { return false }
        workers[worker]?.hasSuccessor = true
        return worn.activity != .ending
    }

    /// Those that have done enough and run nothing, now that another is ready.
    mutating func takeWornOut(_ language: ScriptLanguage) -> [Int] {
        let idle = workers(of: language).filter { $0.value.isWornOut && $0.value.activity == .idle }
        let gone = idle.map(\.key).filter(hasReplacement)
        for worker in gone { workers[worker]?.activity = .ending }
        return gone
    }

    /// Whether another one takes scripts.
    private func hasReplacement(_ worker: Int) -> Bool {
        guard let language = workers[worker]?.language else { return false }
        return workers(of: language).contains { other in
            guard other.key != worker, !other.value.isWornOut else { return false }
            switch other.value.activity {
            case .idle, .running: return true
            case .starting, .ending: return false
            }
        }
    }

    private mutating func next(_ worker: Int, _ language: ScriptLanguage, now: Int) -> ReadyAction {
        workers[worker]?.activity = .idle
        let waiting = queue.firstIndex { job in
            job.language == language && job.deadline - now >= job.shortest && mayRun(job, now: now)
        }
        guard let waiting else { return .rest }
        return .run(run(queue.remove(at: waiting), on: worker, now: now))
    }

    private mutating func run(_ job: Job, on worker: Int, now: Int) -> Job {
        var job = job
        job.isSuspect = isSuspect(job.script, now: now)
        if job.isSuspect, suspects[job.script]?.isStubborn == false {
            job.endsBy = job.deadline
            job.deadline += limits.grace
        }
        workers[worker]?.activity = .running(job)
        return job
    }

    /// Whether a script had to be stopped a short while ago.
    func isSuspect(_ script: Int, now: Int) -> Bool {
        suspects[script].map { now < $0.until } ?? false
    }

    private mutating func prove(_ script: Int) {
        if proven.count >= Self.provenLimit, !proven.contains(script) { proven.removeAll() }
        proven.insert(script)
    }

    /// A script that had to be stopped, or has never ended yet, leaves one worker to the others.
    private func mayRun(_ job: Job, now: Int) -> Bool {
        guard !proven.contains(job.script) || isSuspect(job.script, now: now) else { return true }
        let running = workers.values.count { worker in
            if case .running(let other) = worker.activity { other.script == job.script } else { false }
        }
        return running < max(1, limits.workers - 1)
    }

    /// A worker is gone: killed, dead of its script, ended, or never ready (`reason` says why).
    mutating func ended(_ worker: Int, reason: String?, now: Int) -> EndAction {
        guard let gone = workers.removeValue(forKey: worker) else { return EndAction() }
        var action = EndAction()
        switch gone.activity {
        case .running(let job):
            suspect(job, now: now)
            action.crashed = job
        // One that has done nothing yet was never ready in truth.
        case .starting,
            .idle where gone.runs == 0:
            let count = (trouble[gone.language]?.count ?? 0) + 1
            let pause = min(Self.second << min(count - 1, 5), 30 * Self.second)
            let reason = reason ?? "the worker did not start"
            trouble[gone.language] = Trouble(reason: reason, count: count, retryAt: now + pause)
            action.reason = reason
            for other in workers(of: gone.language) { workers[other.key]?.hasSuccessor = false }
            if workers(of: gone.language).isEmpty {
                action.refused = queue.filter { $0.language == gone.language }
                queue.removeAll { $0.language == gone.language }
            }
            return action
        case .idle, .ending: break
        }
        action.restarts = !gone.hasSuccessor
        return action
    }

    /// What has run out of time.
    mutating func expired(now: Int) -> Expiry {
        var expiry = Expiry()
        expiry.waiting = queue.filter { $0.deadline <= now }
        queue.removeAll { $0.deadline <= now }
        for (id, worker) in workers {
            guard case .running(let job) = worker.activity, job.deadline <= now else { continue }
            expiry.running[id] = job
            stop(id, job, now: now)
        }
        return expiry
    }

    /// A run must be ended by force; its worker is gone soon.
    ///
    /// - Returns: what it ran, nil when it runs nothing.
    mutating func stop(_ worker: Int, now: Int) -> Job? {
        guard case .running(let job) = workers[worker]?.activity else { return nil }
        stop(worker, job, now: now)
        return job
    }

    private mutating func stop(_ worker: Int, _ job: Job, now: Int) {
        suspect(job, now: now)
        workers[worker]?.activity = .ending
    }

    /// A suspicion ends, however often it is confirmed: then the script runs as any other once, and may be cleared.
    private mutating func suspect(_ job: Job, now: Int) {
        proven.remove(job.script)
        guard !isSuspect(job.script, now: now) else {
            if job.endsBy != nil { suspects[job.script]?.isStubborn = true }
            return
        }
        if suspects.count >= Self.suspectLimit { suspects = suspects.filter { $0.value.until > now } }
        if suspects.count >= Self.suspectLimit { suspects.removeAll() }
        suspects[job.script] = Suspicion(until: now + Self.suspicion)
    }

    /// Whether there is anything that time or memory could end.
    var isWatched: Bool {
        !queue.isEmpty
            || workers.values.contains { worker in
                if case .running = worker.activity { true } else { false }
            }
    }
}
