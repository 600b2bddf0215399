import Testing

@testable import Gateway
@testable import Operations

@Suite("Pool of script workers") struct ScriptPoolStateTests {
    private typealias Job = ScriptPoolState.Job
    private static let second = 1_000_000_000

    private func job(
        _ id: Int,
        _ language: ScriptLanguage = .javascript,
        script: Int = 0,
        deadline: Int = second
    ) -> Job {
        Job(id: id, language: language, script: script == 0 ? id : script, deadline: deadline)
    }

    /// One that is to end by itself, and by force a little later.
    private func ended(_ job: Job, grace: Int = 0) -> Job {
        var job = job
        job.isSuspect = true
        job.endsBy = job.deadline
        job.deadline += grace
        return job
    }

    private func pool(workers: Int = 2, queue: Int = 256, runs: Int = 5000) -> ScriptPoolState {
        ScriptPoolState(limits: ScriptPoolState.Limits(workers: workers, queue: queue, runsPerWorker: runs))
    }

    /// With workers 1 and 2 of JavaScript, both idle.
    private func manned() -> ScriptPoolState {
        var pool = pool()
        for worker in [1, 2] {
            pool.started(worker, .javascript)
            _ = pool.ready(worker, now: 0)
        }
        return pool
    }

    @Test func `the first run starts a worker and is run when it is ready`() {
        var pool = pool()
        let submitted = pool.submit(job(1), now: 0)
        #expect(submitted == .start)
        pool.started(7, .javascript)
        // One more waits for the same worker, which is not there yet.
        let second = pool.submit(job(2), now: 0)
        #expect(second == .wait)
        let ready = pool.ready(7, now: 1)
        #expect(ready == .run(job(1)))
        let finished = pool.finished(7, now: 2)
        #expect(finished == .run(job(2)))
        let rested = pool.finished(7, now: 3)
        #expect(rested == .rest)
        #expect(!pool.isWatched)
    }

    @Test func `who waits for the first worker of a language has its limit from then on`() {
        var pool = ScriptPoolState(limits: ScriptPoolState.Limits(workers: 1, start: 1000))
        _ = pool.submit(job(1, deadline: 100), now: 0)
        _ = pool.submit(job(2, deadline: 110), now: 10)
        pool.started(1, .javascript)
        #expect(pool.expired(now: 900) == ScriptPoolState.Expiry())
        let ready = pool.ready(1, now: 900)
        #expect(ready == .run(job(1, deadline: 1000)))
        #expect(pool.expired(now: 999).waiting == [] && pool.queue == [job(2, deadline: 1000)])
        #expect(pool.expired(now: 1000).waiting == [job(2, deadline: 1000)])
        // Another worker that starts is no reason to wait longer.
        _ = pool.ended(1, reason: nil, now: 1001)
        _ = pool.submit(job(3, deadline: 1100), now: 1001)
        #expect(pool.expired(now: 1100).waiting == [job(3, deadline: 1100)])
    }

    @Test(arguments: [(1099, false), (1100, true)])
    func `the first worker is not waited for without an end`(now: Int, isOver: Bool) {
        var pool = ScriptPoolState(limits: ScriptPoolState.Limits(workers: 1, start: 1000))
        _ = pool.submit(job(1, deadline: 100), now: 0)
        let waiting = pool.expired(now: now).waiting
        #expect(waiting.map(\.id) == (isOver ? [1] : []) && waiting.allSatisfy { $0.limitOnceReady == 100 })
    }

    @Test func `a language whose workers never get ready is waited for once`() {
        var pool = ScriptPoolState(limits: ScriptPoolState.Limits(workers: 1, start: 1000))
        _ = pool.submit(job(1, deadline: 100), now: 0)
        pool.started(1, .javascript)
        let ended = pool.ended(1, reason: "broken", now: 50)
        #expect(ended.refused.map(\.id) == [1])
        // After the pause another is tried, for whom nobody waits longer than for anything else.
        let later = 2 * Self.second
        #expect(pool.submit(job(2, deadline: later + 100), now: later) == .start)
        #expect(pool.expired(now: later + 100).waiting == [job(2, deadline: later + 100)])
    }

    @Test func `a suspicion ends however often it is confirmed`() {
        var pool = pool(workers: 1)
        for (worker, begin) in [(1, 0), (2, 30), (3, 61)] {
            pool.started(worker, .javascript)
            _ = pool.ready(worker, now: begin * Self.second)
            #expect(pool.isSuspect(9, now: begin * Self.second) == (begin == 30))
            _ = pool.submit(
                job(worker, script: 9, deadline: begin * Self.second + 1),
                now: begin * Self.second
            )
            #expect(pool.expired(now: begin * Self.second + 1).running.count == 1)
            _ = pool.ended(worker, reason: nil, now: begin * Self.second + 2)
        }
        #expect(pool.isSuspect(9, now: 100 * Self.second))
    }

    @Test func `no more workers than allowed, of each language`() {
        var pool = manned()
        for id in 1...2 { _ = pool.submit(job(id), now: 0) }
        let third = pool.submit(job(3), now: 0)
        #expect(third == .wait)
        let python = pool.submit(job(4, .python), now: 0)
        #expect(python == .start)
    }

    @Test func `what waits is bounded`() {
        var pool = pool(workers: 1, queue: 3)
        for id in 1...3 { _ = pool.submit(job(id), now: 0) }
        let fourth = pool.submit(job(4), now: 0)
        guard case .refuse(let reason) = fourth else {
            Issue.record("\(fourth)")
            return
        }
        #expect(reason.hasPrefix("too many scripts wait") && pool.queue.count == 3)
        // Those of one language are no reason to refuse another's.
        for (id, isTaken) in [(5, true), (6, true), (7, true), (8, false)] {
            let action = pool.submit(job(id, .python), now: 0)
            let isRefused = if case .refuse = action { true } else { false }
            #expect(isRefused != isTaken, "\(id)")
        }
    }

    @Test func `a script that was stopped fills an eighth of the queue at most`() {
        var pool = pool(workers: 1, queue: 24)
        pool.started(1, .javascript)
        _ = pool.ready(1, now: 0)
        _ = pool.submit(job(1, script: 9, deadline: 10), now: 0)
        _ = pool.expired(now: 10)
        let actions = (2...5).map { pool.submit(job($0, script: 9), now: 11) }
        #expect(actions.dropLast().allSatisfy { $0 == .wait })
        guard case .refuse = actions[3] else {
            Issue.record("\(actions)")
            return
        }
        let other = pool.submit(job(6, script: 8), now: 11)
        #expect(other == .wait)
    }

    @Test(arguments: [(74, true), (75, true), (76, false)])
    func `what has too little time left is not begun`(now: Int, isBegun: Bool) {
        var pool = pool(workers: 1)
        var late = job(1, deadline: 100)
        late.shortest = 25
        _ = pool.submit(late, now: 0)
        pool.started(1, .javascript)
        let ready = pool.ready(1, now: now)
        #expect(ready == (isBegun ? .run(late) : .rest))
        let expiry = pool.expired(now: 100)
        #expect(expiry.waiting == (isBegun ? [] : [late]))
    }

    @Test func `a worker that dies before its first run is no better than one that does not start`() {
        var pool = manned()
        let ended = pool.ended(1, reason: nil, now: 0)
        #expect(!ended.restarts && !ended.reason.isEmpty)
    }

    @Test func `time ends what waits and what runs`() {
        var pool = manned()
        for id in 1...3 { _ = pool.submit(job(id, deadline: id * 10), now: 0) }
        let early = pool.expired(now: 9)
        #expect(early == ScriptPoolState.Expiry())
        let late = pool.expired(now: 30)
        #expect(late.waiting == [job(3, deadline: 30)])
        #expect(Set(late.running.values.map(\.id)) == [1, 2] && late.running.count == 2)
        // Its worker's end is then no crash, and another takes its place.
        let ended = pool.ended(1, reason: nil, now: 31)
        #expect(ended.crashed == nil && ended.restarts)
    }

    @Test func `a script that was stopped leaves a worker to the others`() {
        var pool = manned()
        _ = pool.submit(job(1, script: 9, deadline: 10), now: 0)
        _ = pool.expired(now: 10)
        _ = pool.ended(1, reason: nil, now: 10)
        pool.started(3, .javascript)
        _ = pool.ready(3, now: 10)
        let again = pool.submit(job(2, script: 9), now: 11)
        #expect(again == .run(worker: 2, ended(job(2, script: 9))))
        let patient = job(3, script: 9, deadline: 100 * Self.second)
        let more = pool.submit(patient, now: 11)
        #expect(more == .wait)
        let other = pool.submit(job(4, script: 5), now: 11)
        #expect(other == .run(worker: 3, job(4, script: 5)))
        // After a minute it is as good as any that has never ended.
        let others = pool.finished(3, now: 61 * Self.second)
        #expect(others == .rest)
        let forgiven = pool.finished(2, now: 61 * Self.second)
        #expect(forgiven == .run(patient))
    }

    @Test func `a script that has never ended leaves a worker to the others`() {
        var pool = manned()
        _ = pool.submit(job(1, script: 9), now: 0)
        let again = pool.submit(job(2, script: 9), now: 0)
        #expect(again == .wait)
        let other = pool.submit(job(3, script: 5), now: 0)
        #expect(other == .run(worker: 2, job(3, script: 5)))
        // It has ended by itself: from now on it may have both.
        let next = pool.finished(1, now: 1)
        #expect(next == .run(job(2, script: 9)))
        _ = pool.finished(2, now: 1)
        let both = pool.submit(job(4, script: 9), now: 1)
        #expect(both == .run(worker: 2, job(4, script: 9)))
    }

    @Test(arguments: [(4095, true), (4096, false)])
    func `so many scripts are known to end, and with one more all have to show it again`(
        others: Int,
        isKnown: Bool
    ) {
        var pool = manned()
        for id in 1...others + 1 {
            _ = pool.submit(job(id), now: 0)
            _ = pool.finished(1, now: 0)
        }
        _ = pool.submit(job(10_000, script: 1), now: 0)
        let both = pool.submit(job(10_001, script: 1), now: 0)
        #expect(both == (isKnown ? .run(worker: 2, job(10_001, script: 1)) : .wait))
    }

    @Test func `a script that was stopped is to end by itself the next time, and by force a little later`() {
        var pool = ScriptPoolState(limits: ScriptPoolState.Limits(workers: 1, grace: 5))
        pool.started(1, .javascript)
        _ = pool.ready(1, now: 0)
        let first = pool.submit(job(1, script: 9, deadline: 10), now: 0)
        #expect(first == .run(worker: 1, job(1, script: 9, deadline: 10)))
        #expect(pool.expired(now: 10).running.count == 1)
        _ = pool.ended(1, reason: nil, now: 10)
        pool.started(2, .javascript)
        _ = pool.ready(2, now: 11)
        let second = ended(job(2, script: 9, deadline: 30), grace: 5)
        let again = pool.submit(job(2, script: 9, deadline: 30), now: 12)
        #expect(again == .run(worker: 2, second))
        #expect(pool.expired(now: 34).running.isEmpty)
        // It has ended by itself: its worker goes on.
        let waiting = pool.submit(job(3, script: 9, deadline: 50), now: 33)
        #expect(waiting == .wait)
        let next = pool.finished(2, now: 34)
        #expect(next == .run(ended(job(3, script: 9, deadline: 50), grace: 5)))
        // And this one has not: no more is given to it.
        #expect(pool.expired(now: 55).running[2]?.id == 3)
        _ = pool.ended(2, reason: nil, now: 55)
        pool.started(3, .javascript)
        _ = pool.ready(3, now: 56)
        var last = job(4, script: 9, deadline: 70)
        let stubborn = pool.submit(last, now: 57)
        last.isSuspect = true
        #expect(stubborn == .run(worker: 3, last))
        #expect(pool.expired(now: 70).running[3] == last)
    }

    @Test func `who brings a worker down is told so`() {
        var pool = manned()
        _ = pool.submit(job(1), now: 0)
        let ended = pool.ended(1, reason: nil, now: 1)
        #expect(ended.crashed == job(1) && ended.restarts)
    }

    @Test func `workers that do not start are tried again later, and nobody waits for them`() {
        var pool = pool()
        _ = pool.submit(job(1), now: 0)
        pool.started(1, .javascript)
        let ended = pool.ended(1, reason: "no jail", now: 0)
        #expect(ended.refused == [job(1)] && ended.reason == "no jail" && !ended.restarts)
        let refused = pool.submit(job(2), now: Self.second - 1)
        #expect(refused == .refuse("no jail"))
        let tried = pool.submit(job(3), now: Self.second)
        #expect(tried == .start)
        pool.started(2, .javascript)
        // The pause grows, up to half a minute.
        _ = pool.ended(2, reason: "no jail", now: Self.second)
        let still = pool.submit(job(4), now: 3 * Self.second - 1)
        #expect(still == .refuse("no jail"))
        let later = pool.submit(job(5), now: 3 * Self.second)
        #expect(later == .start)
    }

    @Test func `a worker is replaced after its runs`() {
        var pool = pool(workers: 1, runs: 3)
        pool.started(1, .javascript)
        _ = pool.ready(1, now: 0)
        var actions: [ScriptPoolState.ReadyAction] = []
        for id in 1...3 {
            _ = pool.submit(job(id), now: 0)
            actions.append(pool.finished(1, now: 0))
        }
        // It goes on until another is there.
        #expect(actions == [.rest, .rest, .rest])
        let asked = (0..<2).map { _ in pool.needsSuccessor(1, now: 0) }
        #expect(asked == [true, false])
        pool.started(2, .javascript)
        let early = pool.takeWornOut(.javascript)
        #expect(early == [])
        let busy = pool.submit(job(4), now: 0)
        #expect(busy == .run(worker: 1, job(4)))
        _ = pool.ready(2, now: 0)
        let running = pool.takeWornOut(.javascript)
        #expect(running == [])
        let finished = pool.finished(1, now: 0)
        #expect(finished == .retire)
        let ended = pool.ended(1, reason: nil, now: 0)
        #expect(!ended.restarts && ended.crashed == nil)
    }

    @Test(arguments: 0..<20)
    func `no run is lost or ended twice, whatever happens`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var pool = pool(workers: 2, queue: 5, runs: 7)
        var (open, nextID, nextWorker, now): (Set<Int>, Int, Int, Int) = ([], 0, 0, 0)
        func close(_ jobs: [Job]) {
            for job in jobs { #expect(open.remove(job.id) != nil, "ended twice: \(job.id)") }
        }
        for _ in 0..<2000 {
            now += random.below(Self.second / 50)
            let workers = pool.workers.keys.sorted()
            let worker = workers.isEmpty ? 0 : workers[random.below(workers.count)]
            switch random.below(6) {
            case 0, 1:
                nextID += 1
                open.insert(nextID)
                let language: ScriptLanguage = random.below(2) == 0 ? .python : .javascript
                let new = job(nextID, language, script: 1 + random.below(3), deadline: now + Self.second / 4)
                switch pool.submit(new, now: now) {
                case .start:
                    nextWorker += 1
                    pool.started(nextWorker, language)
                case .refuse: close([new])
                case .run, .wait: break
                }
            case 2:
                _ = pool.ready(worker, now: now)
                if let language = pool.workers[worker]?.language { _ = pool.takeWornOut(language) }
            case 3:
                guard case .running(let job) = pool.workers[worker]?.activity else { continue }
                close([job])
                _ = pool.finished(worker, now: now)
                if pool.needsSuccessor(worker, now: now) {
                    nextWorker += 1
                    pool.started(nextWorker, job.language)
                }
            case 4:
                guard random.below(3) == 0, let gone = pool.workers[worker] else { continue }
                let action = pool.ended(worker, reason: nil, now: now)
                close((action.crashed.map { [$0] } ?? []) + action.refused)
                if action.restarts {
                    nextWorker += 1
                    pool.started(nextWorker, gone.language)
                }
            default:
                let expiry = pool.expired(now: now)
                close(expiry.waiting + expiry.running.values)
            }
            let running = pool.workers.values.compactMap { worker in
                if case .running(let job) = worker.activity { job.id } else { nil }
            }
            #expect(
                Set(running + pool.queue.map(\.id)) == open && running.count + pool.queue.count == open.count
            )
        }
    }
}
