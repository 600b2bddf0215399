import Operations
import Testing

@testable import Gateway

@Suite struct `Key pool` {
    private let second = 1_000_000

    private func pool(_ count: Int, _ strategy: KeyStrategy = .roundRobin) -> KeyPoolState {
        var pool = KeyPoolState()
        pool.configure((1...count).map { KeyPoolState.Member(id: $0) }, strategy) { _ in HealthStateMachine()
        }
        return pool
    }

    private func wish(_ tried: [Int] = [], model: String? = nil, random: UInt64 = 0) -> KeyPoolState.Wish {
        KeyPoolState.Wish(tried: tried, model: model, random: random)
    }

    private func throttled(until: Int?) -> KeyVerdict {
        .rest(.init(until: until, length: .seconds(60), reason: "status 429", isThrottling: true))
    }

    @Test func `keys take turns`() {
        var pool = pool(3)
        let chosen = (0..<6).map { _ in pool.choose(wish(), now: 0) }
        #expect(chosen == [1, 2, 3, 1, 2, 3].map { .key($0) })
    }

    @Test func `a key that rests is passed over, and comes back through one trial`() {
        var pool = pool(2)
        _ = pool.choose(wish(), now: 0)
        let changes = pool.finished(1, throttled(until: 7 * second), now: 0)
        #expect(changes.count == 1)
        #expect((0..<4).map { _ in pool.choose(wish(), now: second) } == Array(repeating: .key(2), count: 4))
        #expect(pool.choose(wish([2]), now: 6 * second) == .none(returnsAt: 7 * second))
        #expect(pool.choose(wish([2]), now: 7 * second) == .key(1))
        // The trial is under way: nobody else gets it.
        #expect(pool.choose(wish([2]), now: 7 * second) == .none(returnsAt: nil))
        _ = pool.finished(1, .good, now: 8 * second)
        #expect(pool.slot(1)?.health.state == .active)
        #expect(pool.choose(wish([2]), now: 8 * second) == .key(1))
    }

    @Test func `what is worst stands, whatever comes later`() {
        var pool = pool(2)
        _ = pool.choose(wish(), now: 0)
        _ = pool.finished(1, .disabled("status 401"), now: 0)
        #expect(pool.choose(wish([2]), now: .max / 2) == .none(returnsAt: nil))
        #expect(pool.unusable(limit: 9).map(\.member.id) == [1])
        pool.set(1) { $0.reset() }
        #expect(pool.choose(wish([2]), now: 0) == .key(1) && pool.unusableCount == 0)
    }

    @Test func `twenty keys throttled at once are the host's fault`() {
        var pool = pool(20)
        var now = 0
        for _ in 0..<20 {
            guard case .key(let id) = pool.choose(wish(), now: now) else { break }
            _ = pool.finished(id, throttled(until: now + 30 * second), now: now)
            now += 90_000
        }
        #expect(pool.upstream.name == .cooling && pool.upstream.reason?.contains("5 keys") == true)
        #expect(pool.slots.allSatisfy { $0.health.state == .active })
        guard case .none(let returnsAt?) = pool.choose(wish(), now: now) else {
            Issue.record("a key was chosen")
            return
        }
        // Then one request finds out for all.
        let first = pool.choose(wish(), now: returnsAt)
        #expect(first == .key(6) || first != .none(returnsAt: nil))
        guard case .none = pool.choose(wish(), now: returnsAt) else {
            Issue.record("a second request went along")
            return
        }
    }

    @Test func `one request that is too much is not the host's trouble`() {
        var pool = pool(20)
        func again(_ isRepeated: Bool) -> KeyVerdict {
            .rest(.init(length: .seconds(60), reason: "x", isThrottling: true, isRepeated: isRepeated))
        }
        for (number, isRepeated) in [false, true, true, true, false, true, true, true].enumerated() {
            #expect(pool.choose(wish(), now: number) == .key(number + 1))
            _ = pool.finished(number + 1, again(isRepeated), now: number)
        }
        #expect(pool.upstream.mayBeUsed && pool.unusableCount == 8)
        // The third of them is.
        #expect(pool.choose(wish(), now: 9) == .key(9))
        _ = pool.finished(9, again(false), now: 9)
        #expect(!pool.upstream.mayBeUsed && pool.unusableCount == 0)
    }

    @Test func `an upstream without keys rests as one with them, and is tried by one request`() {
        var pool = KeyPoolState()
        #expect(pool.choose(wish(), now: 0) == .unneeded)
        let rest = KeyVerdict.Rest(until: 9 * second, length: .seconds(1), reason: "x")
        let changes = pool.finished(nil, .upstreamRest(rest), now: 0)
        #expect(changes == [.upstream(pool.upstream)])
        #expect(pool.choose(wish(), now: 1) == .none(returnsAt: 9 * second))
        #expect(pool.choose(wish(), now: 9 * second) == .unneeded)
        #expect(pool.choose(wish(), now: 9 * second) == .none(returnsAt: 10 * second))
        let isBack = pool.proved(nil, by: pool.lastAttempt)
        #expect(
            isBack == [.upstream(HealthStateMachine())] && pool.choose(wish(), now: 9 * second) == .unneeded
        )
        for _ in 0..<5 { _ = pool.finished(nil, .transient("status 500"), now: 9 * second) }
        #expect(!pool.upstream.mayBeUsed)
        let refused = pool.probed(nil, .refused("x"), now: 0)
        #expect(refused.isEmpty && !pool.upstream.mayBeUsed)
        let probed = pool.probed(nil, .good, now: 0)
        #expect(probed == [.upstream(pool.upstream)] && pool.choose(wish(), now: 9 * second) == .unneeded)
    }

    @Test func `whoever's trial has told nothing lets others go first`() {
        func ask(_ pool: inout KeyPoolState, _ client: Int, at time: Int) -> KeyPoolState.Choice {
            var wish = wish()
            wish.client = client
            return pool.choose(wish, now: time)
        }
        for isHanging in [true, false] {
            var pool = KeyPoolState()
            _ = pool.choose(wish(), now: 0)
            _ = pool.finished(nil, .upstreamRest(.init(until: 0, length: .seconds(1), reason: "x")), now: 0)
            #expect(ask(&pool, 7, at: 1) == .unneeded)
            let trial = pool.lastAttempt
            let end = isHanging ? 31 * second : second
            if isHanging {
                _ = pool.timePassed(now: end)
            } else {
                _ = pool.finished(nil, .untold, by: trial, now: end)
            }
            #expect(ask(&pool, 7, at: end + 5 * second - 1) == .none(returnsAt: end + 6 * second - 1))
            #expect(ask(&pool, 8, at: end + 1) == .unneeded)
            // Alone it need not wait for ever.
            _ = pool.finished(nil, .untold, now: end + 2)
            #expect(ask(&pool, 8, at: end + 2 + 5 * second) == .unneeded)
        }
        var keys = pool(1)
        _ = keys.choose(wish(), now: 0)
        _ = keys.finished(1, .rest(.init(until: 0, length: .seconds(1), reason: "x")), now: 0)
        #expect(ask(&keys, 7, at: 1) == .key(1))
        _ = keys.finished(1, .untold, now: 2)
        #expect(ask(&keys, 7, at: 3) == .none(returnsAt: nil) && ask(&keys, 8, at: 3) == .key(1))
    }

    @Test func `what is under way with a key that was gone counts when it is back`() {
        var pool = pool(2)
        let first = pool.choose(wish([2]), now: 0)
        pool.configure([.init(id: 2)], .roundRobin) { _ in HealthStateMachine() }
        pool.configure([.init(id: 1), .init(id: 2)], .roundRobin) { _ in HealthStateMachine() }
        #expect(first == .key(1) && pool.slot(1)?.inFlight == 1 && pool.departed.isEmpty)
        pool.configure([.init(id: 2)], .roundRobin) { _ in HealthStateMachine() }
        _ = pool.finished(1, .good, now: 0)
        #expect(pool.departed.isEmpty)
    }

    @Test func `keys throttled while others work are throttled themselves`() {
        var pool = pool(20)
        for id in 1...10 {
            _ = pool.choose(wish(), now: 0)
            _ = pool.finished(id, id % 2 == 0 ? .good : throttled(until: 9 * second), now: 0)
        }
        #expect(pool.upstream.mayBeUsed && pool.unusableCount == 5)
    }

    @Test func `the breaker opens for failures of two keys, or of the only one`() {
        var two = pool(2)
        for _ in 0..<5 {
            guard case .key(let id) = two.choose(wish(), now: 0) else { break }
            _ = two.finished(id, .transient("status 500"), now: 0)
        }
        #expect(!two.upstream.mayBeUsed)
        var one = pool(1)
        for _ in 0..<5 {
            _ = one.choose(wish(), now: 0)
            _ = one.finished(1, .transient("status 500"), now: 0)
        }
        #expect(!one.upstream.mayBeUsed)
        // Of several keys one alone is not the upstream.
        var many = pool(3)
        for _ in 0..<5 {
            _ = many.choose(wish([2, 3]), now: 0)
            _ = many.finished(1, .transient("status 500"), now: 0)
        }
        #expect(many.upstream.mayBeUsed && many.slot(1)?.health.name == .cooling)
    }

    @Test func `a model rests without its key, and three throttled ones with it`() {
        var pool = pool(2)
        func rest(_ model: String, isThrottling: Bool = false) -> KeyVerdict {
            let rest = KeyVerdict.Rest(
                until: 9 * second,
                length: .seconds(1),
                reason: "x",
                isThrottling: isThrottling
            )
            return .modelRest(model, rest)
        }
        _ = pool.choose(wish(), now: 0)
        _ = pool.finished(1, rest("a"), now: 0)
        let chosen = (0..<3).map { _ in pool.choose(wish(model: "a"), now: 0) }
        #expect(chosen == Array(repeating: .key(2), count: 3))
        #expect(pool.choose(wish([2], model: "b"), now: 0) == .key(1))
        // Names that callers make up do not take a key out.
        for name in ["b", "c", "d", "e"] { _ = pool.finished(1, rest(name), now: 0) }
        #expect(pool.slot(1)?.health.state == .active)
        // Where it rests for all, the provider's own word is the better answer.
        #expect(pool.choose(wish([2], model: "a"), now: 0) == .key(1))
        for name in ["x", "y", "z"] { _ = pool.finished(1, rest(name, isThrottling: true), now: 0) }
        #expect(pool.slot(1)?.health.name == .cooling)
    }

    @Test func `a trial of the upstream outlives the key that it was made with`() {
        var pool = pool(2)
        _ = pool.choose(wish(), now: 0)
        let rest = KeyVerdict.Rest(until: second, length: .seconds(1), reason: "x")
        _ = pool.finished(1, .upstreamRest(rest), now: 0)
        guard case .key(let id) = pool.choose(wish(), now: second) else {
            Issue.record("no trial was begun")
            return
        }
        pool.configure([.init(id: 3 - id)], .roundRobin) { _ in HealthStateMachine() }
        #expect(pool.choose(wish(), now: second) == .none(returnsAt: 2 * second))
        _ = pool.finished(id, .untold, now: second)
        #expect(pool.choose(wish(), now: second) == .key(3 - id))
    }

    @Test func `an answer that has begun ends a trial for all`() {
        var pool = pool(1)
        _ = pool.choose(wish(), now: 0)
        _ = pool.finished(1, throttled(until: second), now: 0)
        _ = pool.choose(wish(), now: second)
        let trial = pool.lastAttempt
        #expect(pool.isOnTrial(1, by: trial) && pool.choose(wish(), now: second) == .none(returnsAt: nil))
        let early = pool.proved(1, by: trial - 1)
        #expect(early.isEmpty && pool.isOnTrial(1, by: trial))
        let changes = pool.proved(1, by: trial)
        #expect(changes.count == 1 && pool.slot(1)?.inFlight == 1)
        #expect(pool.choose(wish(), now: second) == .key(1))
        _ = pool.finished(1, .good, now: second)
        _ = pool.finished(1, .good, now: second)
        #expect(pool.slot(1)?.inFlight == 0)
    }

    @Test func `what was found out meanwhile outlives the host's pardon`() {
        var pool = pool(20)
        for id in 1...4 {
            _ = pool.choose(wish(), now: 0)
            _ = pool.finished(id, throttled(until: 9 * second), now: 0)
        }
        pool.set(1) { _ = $0.ban("leaked", now: 0) }
        pool.set(2) { _ = $0.disable("401", now: 0) }
        _ = pool.choose(wish(), now: 0)
        _ = pool.finished(5, throttled(until: 9 * second), now: 0)
        let names = (1...5).map { pool.slot($0)?.health.name }
        #expect(names == [.banned, .disabled, .active, .active, .active])
    }

    @Test func `another secret under the same name is another key`() {
        var pool = pool(2)
        pool.set(1) { _ = $0.disable("401", now: 0) }
        pool.configure([.init(id: 1, generation: 7), .init(id: 2)], .roundRobin) { _ in HealthStateMachine() }
        #expect(pool.slot(1)?.health.state == .active)
    }

    @Test func `the first return is known anew whenever a rest changes`() {
        var pool = pool(3)
        for (id, until) in [(1, 50), (2, 40), (3, 60)] {
            _ = pool.choose(wish(), now: 0)
            _ = pool.finished(
                id,
                .rest(.init(until: until * second, length: .seconds(1), reason: "x")),
                now: 0
            )
        }
        for _ in 0..<2 { #expect(pool.choose(wish(), now: 0) == .none(returnsAt: 40 * second)) }
        pool.set(2) { _ = $0.disable("gone", now: 0) }
        #expect(pool.choose(wish(), now: 0) == .none(returnsAt: 50 * second))
        pool.set(3) { $0.reset() }
        pool.set(3) { _ = $0.cool(until: 30 * second, "x", now: 0, .init()) }
        #expect(pool.choose(wish(), now: 0) == .none(returnsAt: 30 * second))
        pool.configure([.init(id: 1)], .roundRobin) { _ in HealthStateMachine() }
        #expect(pool.choose(wish(), now: 0) == .none(returnsAt: 50 * second))
    }

    @Test func `lower priorities first, others when they rest`() {
        var pool = KeyPoolState()
        pool.configure(
            [.init(id: 1, priority: 5), .init(id: 2, priority: 1), .init(id: 3, priority: 1)],
            .priority
        ) { _ in
            HealthStateMachine()
        }
        #expect((0..<3).map { _ in pool.choose(wish(), now: 0) } == [.key(2), .key(3), .key(2)])
        _ = pool.finished(2, .disabled("x"), now: 0)
        _ = pool.finished(3, .disabled("x"), now: 0)
        #expect(pool.choose(wish(), now: 0) == .key(1))
    }

    @Test func `weights are kept to`() {
        var pool = KeyPoolState()
        pool.configure([.init(id: 1, weight: 9), .init(id: 2, weight: 1)], .weighted) { _ in
            HealthStateMachine()
        }
        var random = SystemRandomNumberGenerator()
        var first = 0
        for _ in 0..<10_000 where pool.choose(wish(random: random.next()), now: 0) == .key(1) { first += 1 }
        #expect((8800...9200).contains(first))
    }

    @Test func `the one with the least to do is taken`() {
        var pool = pool(3, .leastUsed)
        #expect((0..<3).map { _ in pool.choose(wish(), now: 0) } == [.key(1), .key(2), .key(3)])
        _ = pool.finished(2, .good, now: 0)
        #expect(pool.choose(wish(), now: 0) == .key(2))
    }

    @Test(arguments: KeyStrategy.allCases)
    func `any order of events keeps every key where it belongs`(strategy: KeyStrategy) {
        var random = SystemRandomNumberGenerator()
        var pool = KeyPoolState()
        var ids = Array(1...40)
        pool.configure(ids.map { .init(id: $0, weight: $0, priority: $0 % 3) }, strategy) { _ in
            HealthStateMachine()
        }
        var now = 0
        var open: [(id: Int, attempt: Int)] = []
        for step in 0..<20_000 {
            now += Int.random(in: 0...2 * second, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let tried = (0..<3).map { _ in Int.random(in: 1...40, using: &random) }
                if case .key(let id) = pool.choose(wish(tried, model: "m", random: random.next()), now: now) {
                    #expect(!tried.contains(id) && ids.contains(id))
                    if pool.models.rests(key: id, model: "m", now: now) {
                        let others = pool.slots.filter {
                            $0.health.mayBeUsed && !tried.contains($0.member.id)
                        }
                        #expect(
                            others.allSatisfy { pool.models.rests(key: $0.member.id, model: "m", now: now) }
                        )
                    }
                    open.append((id, pool.lastAttempt))
                }
            case 5..<9:
                guard !open.isEmpty else { continue }
                let (id, attempt) = open.remove(at: Int.random(in: open.indices, using: &random))
                let rest = KeyVerdict.Rest(
                    until: nil,
                    length: .seconds(3),
                    reason: "r",
                    isThrottling: step % 2 == 0
                )
                let verdicts: [KeyVerdict] = [
                    .untold, .good, .good, .transient("t"), .rest(rest), .modelRest("m", rest),
                    .upstreamRest(rest),
                    .exhausted(until: now + second, "q"), .disabled("d"), .banned("b"),
                ]
                let verdict = verdicts[Int.random(in: 0..<verdicts.count, using: &random)]
                _ = pool.finished(id, verdict, by: attempt, now: now)
            default:
                if step % 50 == 0 {
                    ids = (1...40).filter { _ in Bool.random(using: &random) }
                    pool.configure(ids.map { .init(id: $0, priority: $0 % 3) }, strategy) { _ in
                        HealthStateMachine()
                    }
                } else {
                    pool.set(Int.random(in: 1...40, using: &random)) { $0.reset() }
                    pool.resetUpstream()
                }
            }
            let resting = Set(pool.unusable(limit: 99).map(\.member.id))
            let expected = Set(pool.slots.filter { !$0.health.mayBeUsed }.map(\.member.id))
            #expect(resting == expected && pool.unusableCount == resting.count)
            for slot in pool.slots {
                #expect(slot.inFlight == open.count { $0.id == slot.member.id })
            }
        }
    }

    @Test(arguments: [15, 16, 17])
    func `so many keys at a time are probed, and one of those in use`(count: Int) {
        var pool = KeyPoolState()
        pool.configure((1...(count + 2)).map { KeyPoolState.Member(id: $0) }, .roundRobin) { _ in
            HealthStateMachine()
        }
        for id in 1...count { pool.set(id) { _ = $0.disable("status 401", now: 0) } }
        let asked = pool.probed(limit: 16, round: 1)
        #expect(
            asked.count == min(count, 16) + 1 && Set(asked).count == asked.count && (asked.first ?? 0) > count
        )
        #expect(Array(asked.dropFirst()) == Array(1...min(count, 16)))
        let next = Array(pool.probed(limit: 16, round: 2).dropFirst())
        #expect(count == 17 ? next == [17] + Array(1...15) : Set(next) == Set(1...count))
    }

    @Test func `of many keys that a probe may bring back each has its turn`() {
        var pool = KeyPoolState()
        pool.configure((1...64).map { KeyPoolState.Member(id: $0) }, .roundRobin) { _ in HealthStateMachine()
        }
        for id in 1...64 { pool.set(id) { _ = $0.disable("status 401", now: 0) } }
        var asked: Set<Int> = []
        for round in 1...4 { asked.formUnion(pool.probed(limit: 16, round: round)) }
        #expect(asked.count == 64)
    }
}

extension KeyPoolState {
    /// Where no key has limits there is one clock only.
    mutating func choose(_ wish: Wish, now: Int) -> Choice { choose(wish, Moment(now: now, counting: now)) }

    /// The end of the attempt that was begun last, where it is not said which.
    mutating func finished(
        _ id: Int?,
        _ verdict: KeyVerdict,
        by attempt: Int? = nil,
        now: Int
    ) -> [PoolChange] {
        finished(id, by: attempt ?? lastAttempt, verdict, Moment(now: now, counting: now))
    }
}
