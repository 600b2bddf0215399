import Operations
import Testing

@testable import Gateway

@Suite struct `Health of a key` {
    private let policy = HealthStateMachine.Policy()
    private let second = 1_000_000

    @Test func `five failures in a row are a rest, and a success between forgives`() {
        var health = HealthStateMachine()
        for _ in 0..<4 {
            let rests = health.failed("status 500", by: 1, now: 0, policy)
            #expect(!rests)
        }
        let isBack = health.succeeded(by: 1)
        #expect(!isBack)
        for _ in 0..<4 { _ = health.failed("status 500", by: 1, now: 0, policy) }
        #expect(health.state == .active)
        let rests = health.failed("status 500", by: 1, now: 0, policy)
        #expect(rests && health.state == .cooling(until: 30 * second) && health.reason == "status 500")
    }

    @Test func `a rest only ever grows, and never beyond what is allowed`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 60 * second, "429", now: 0, policy)
        let isShorter = health.cool(until: 10 * second, "429", now: 0, policy)
        #expect(!isShorter && health.returnsAt == 60 * second)
        _ = health.cool(until: 90 * second, "429", now: 0, policy)
        #expect(health.returnsAt == 90 * second)
        _ = health.cool(until: 30 * 86_400 * second, "429", now: 0, policy)
        #expect(health.returnsAt == 86_400 * second)
    }

    @Test func `after its time one request finds out whether it is back`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 7 * second, "429", now: 0, policy)
        let isEarly = health.timePassed(now: 7 * second - 1)
        #expect(!isEarly && !health.mayBeUsed)
        let isDue = health.timePassed(now: 7 * second)
        #expect(isDue && health.mayBeUsed && health.name == .cooling)
        health.chosen(by: 1, now: 7 * second, policy)
        #expect(!health.mayBeUsed)
        health.released(by: 1)
        #expect(health.mayBeUsed)
        health.chosen(by: 1, now: 7 * second, policy)
        let isBack = health.succeeded(by: 1)
        #expect(isBack && health == HealthStateMachine())
    }

    @Test func `a trial that fails rests at once, and longer`() {
        var health = HealthStateMachine()
        var now = 0
        var rests: [Int] = []
        for _ in 0..<10 {
            for _ in 0..<5 where health.state == .active { _ = health.failed("x", by: 1, now: now, policy) }
            let until = health.returnsAt ?? 0
            rests.append((until - now) / second)
            now = until
            _ = health.timePassed(now: now)
            health.chosen(by: 1, now: now, policy)
            _ = health.failed("x", by: 1, now: now, policy)
            now = health.returnsAt ?? 0
            _ = health.timePassed(now: now)
        }
        #expect(rests.first == 30 && rests.allSatisfy { $0 <= 3600 })
    }

    @Test func `a success that was under way cuts no rest short`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 60 * second, "429", now: 0, policy)
        let isBack = health.succeeded(by: 1)
        #expect(!isBack && health.returnsAt == 60 * second)
    }

    @Test func `what an operator has decided stands`() {
        var health = HealthStateMachine()
        _ = health.ban("leaked", now: 0)
        for change in [
            health.cool(until: 9, "x", now: 0, policy), health.exhaust(until: 9, "x", now: 0, policy),
            health.disable("x", now: 0), health.timePassed(now: .max),
        ] {
            #expect(!change)
        }
        #expect(health.name == .banned && health.reason == "leaked")
        health.reset()
        #expect(health.mayBeUsed)
    }

    @Test func `it knows since when it is not used, over longer rests and until it is back`() {
        var health = HealthStateMachine()
        func since(_ change: (inout HealthStateMachine) -> Bool) -> Int? {
            _ = change(&health)
            return health.since
        }
        #expect(since { $0.cool(until: 9_000_000, "429", now: 5, policy) } == 5)
        #expect(since { $0.cool(until: 20_000_000, "429", now: 7, policy) } == 5)
        #expect(since { $0.exhaust(until: nil, "402", now: 9, policy) } == 5)
        #expect(since { $0.disable("status 401", now: 11) } == 11)
        #expect(since { $0.disable("status 401", now: 12) } == 11)
        #expect(since { $0.ban("leaked", now: 13) } == 13)
        health.reset()
        #expect(health.since == nil)
        let kept = HealthStateMachine(.cooling, until: 5, since: 3, reason: "r", rests: 1)
        #expect(
            kept.since == 3
                && HealthStateMachine(.active, until: nil, since: 3, reason: nil, rests: 0).since == nil
        )
    }

    @Test func `what was written down comes back`() {
        for name in ["active", "cooling", "exhausted", "disabled", "banned"] {
            let kept = HealthStateMachine(.init(rawValue: name) ?? .active, until: 5, reason: "r", rests: 2)
            #expect(kept.name.rawValue == name)
        }
        var endless = HealthStateMachine(.cooling, until: nil, reason: nil, rests: 1)
        let isDue = endless.timePassed(now: 1)
        #expect(isDue)
    }

    @Test func `a trial that takes too long makes way for another`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 0, "429", now: 0, policy)
        _ = health.timePassed(now: 1)
        health.chosen(by: 1, now: 1, policy)
        let isEarly = health.timePassed(now: 29 * second)
        #expect(!isEarly && !health.mayBeUsed)
        let isOver = health.timePassed(now: 31 * second)
        #expect(isOver && health.mayBeUsed && health.name == .cooling)
        let isBack = health.succeeded(by: 1)
        #expect(isBack && health.state == .active)
    }

    @Test func `what began before a rest, and fails in it, does not lengthen it`() {
        var health = HealthStateMachine()
        for attempt in 1...5 { _ = health.failed("x", by: attempt, now: 0, policy) }
        let rest = health
        for attempt in 6...20 {
            let isNews = health.failed("x", by: attempt, now: 10 * second, policy)
            #expect(!isNews)
        }
        #expect(health == rest)
    }

    @Test func `a trial is ended by the attempt that is on it only`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 0, "429", now: 0, policy)
        _ = health.timePassed(now: 1)
        health.chosen(by: 7, now: 1, policy)
        let before = health
        health.released(by: 6)
        let isBack = health.succeeded(by: 6)
        #expect(!isBack && health == before && health.isOnTrial(by: 7))
        // Nor is a failure of an older one the trial's.
        let rests = health.failed("x", by: 6, now: 2, policy)
        #expect(!rests && health.isOnTrial(by: 7) && !health.mayBeUsed)
        // One that took too long tells of the key when it ends well, and holds up nobody when it does not.
        _ = health.timePassed(now: 31 * second)
        health.chosen(by: 8, now: 31 * second, policy)
        health.released(by: 7)
        #expect(!health.mayBeUsed && health.isOnTrial(by: 8))
        // It has been on trial itself, and has failed only now: that is the verdict.
        var failed = health
        let isOver = failed.failed("timeout", by: 7, now: 32 * second, policy)
        #expect(isOver && failed.name == .cooling && !failed.mayBeUsed)
        let isHealed = health.succeeded(by: 7)
        #expect(isHealed)
        // What began before the next rest tells nothing of the trial after it.
        _ = failed.timePassed(now: .max / 2)
        failed.chosen(by: 9, now: .max / 2, policy)
        let isLate = failed.succeeded(by: 8)
        #expect(!isLate && failed.isOnTrial(by: 9))
    }

    @Test func `a probe brings back what has failed or was refused, and nothing else`() {
        func probed(_ change: (inout HealthStateMachine) -> Void) -> KeyState {
            var health = HealthStateMachine()
            change(&health)
            _ = health.probedWell()
            return health.name
        }
        #expect(probed { for _ in 0..<5 { _ = $0.failed("x", by: 1, now: 0, policy) } } == .active)
        #expect(probed { _ = $0.disable("status 401", now: 0) } == .active)
        #expect(probed { _ = $0.disable("by ops", .hand, now: 0) } == .disabled)
        #expect(probed { _ = $0.disable("a rule's word", .told, now: 0) } == .disabled)
        #expect(probed { _ = $0.ban("leaked", now: 0) } == .banned)
        #expect(probed { _ = $0.cool(until: 9, "429", now: 0, policy) } == .cooling)
        #expect(probed { _ = $0.exhaust(until: nil, "quota", now: 0, policy) } == .exhausted)
    }

    @Test func `one that is refused again after a probe is probed half as often each time`() {
        var health = HealthStateMachine()
        var rounds: [Int] = []
        for round in 1...16 {
            _ = health.disable("status 401", now: 0)
            if health.mayBeProbed(round: round) {
                rounds.append(round)
                _ = health.probedWell()
            }
        }
        #expect(rounds == [1, 2, 4, 8, 16])
        _ = health.succeeded(by: 1)
        _ = health.disable("status 401", now: 0)
        #expect(health.mayBeProbed(round: 17))
    }

    @Test func `failures do not shorten what the provider has told, and a probe does not end it`() {
        var health = HealthStateMachine()
        _ = health.cool(until: 5 * second, "429", now: 0, policy)
        for _ in 0..<5 { _ = health.failed("x", by: 1, now: 0, policy) }
        let isBack = health.probedWell()
        #expect(!isBack && health.name == .cooling && health.cause == .told)
    }

    @Test func `a probe ends a rest, and requests that fail again rest longer all the same`() {
        var health = HealthStateMachine()
        var rests: [Int] = []
        for _ in 0..<4 {
            for _ in 0..<5 { _ = health.failed("status 500", by: 1, now: 0, policy) }
            rests.append((health.returnsAt ?? 0) / second)
            _ = health.probedWell()
        }
        #expect(rests == [30, 60, 120, 240])
    }
}
