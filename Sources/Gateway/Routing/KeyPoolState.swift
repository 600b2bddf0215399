import HeapModule
import Operations

/// Which of an upstream's keys is used next, and what becomes of each: no clock, no lock, no randomness of its own.
///
/// Choosing looks at keys that may be used only: the others stand apart and come back by their deadlines, so that
/// a choice costs the same with ten keys and with thirty thousand.
struct KeyPoolState: Sendable {
    private struct Return: Comparable, Sendable {
        let at: Int
        let slot: Int

        static func < (left: Return, right: Return) -> Bool { left.at < right.at }
    }

    var policy = HealthStateMachine.Policy()
    /// The upstream as a whole.
    var upstream = HealthStateMachine()
    var slots: [Slot] = []
    private(set) var models = ModelRests()
    private(set) var strategy = KeyStrategy.roundRobin
    var places: [Int: Int] = [:]
    var groups: [Group] = []
    private(set) var resting: [Int] = []
    private var returns = Heap<Return>()
    var trouble = SharedTrouble()
    /// Keys whose quota was used up since somebody asked; told of once.
    var spent: [Int] = []
    /// The last key that was asked about because it may come back.
    var lastProbed = 0
    /// Whether nobody has said yet how the upstream was.
    private var isNew = true

    // MARK: Members

    /// Takes the keys that there are from now on; known ones keep their health.
    ///
    /// `kept`: the health of keys that are new here, as the database has it.
    ///
    /// - Returns: the keys that begin anew with another secret.
    @discardableResult
    mutating func configure(
        _ members: [Member],
        _ strategy: KeyStrategy,
        kept: (Int) -> HealthStateMachine
    ) -> [PoolChange] {
        var changes: [PoolChange] = []
        let known = Dictionary(uniqueKeysWithValues: slots.map { ($0.member.id, $0) })
        self.strategy = strategy
        places = [:]
        groups = []
        resting = []
        returns = Heap()
        slots = members.map { member in
            var slot = known[member.id] ?? Slot(member: member, health: kept(member.id))
            // What an operator has said of a key is said of its name; what was found out, of its secret.
            let isAnother = slot.member.generation != member.generation && !slot.health.isByHand
            if isAnother {
                let before = slot.health
                slot.health.reset()
                if before != slot.health { changes.append(.key(member.id, slot.health)) }
            }
            slot.member = member
            slot.isReady = false
            slot.place = -1
            slot.awaited = nil
            return slot
        }
        for index in slots.indices {
            places[slots[index].member.id] = index
            enter(index)
        }
        models.keepOnly { places[$0] != nil }
        return changes
    }

    /// How the upstream was when the process before ended; what this one has found out stands.
    mutating func restore(_ upstream: HealthStateMachine) {
        if isNew { self.upstream = upstream }
        isNew = false
    }

    func slot(_ id: Int) -> Slot? { places[id].map { slots[$0] } }

    /// Keys that may not be used now, at most so many.
    func unusable(limit: Int) -> [Slot] { resting.prefix(limit).map { slots[$0] } }

    var unusableCount: Int { resting.count }

    /// When the first of those that rest returns by itself.
    func firstReturn(now: Int) -> Int? {
        let first = resting.lazy.compactMap { slots[$0].returnsAt }.min()
        return upstream.mayBeUsed ? first : [upstream.returnsAt, first].compactMap { $0 }.max()
    }

    // MARK: Choosing

    /// The key for a request's next attempt, which `finished` must be told the end of.
    mutating func choose(_ wish: Wish, _ moment: Moment) -> Choice {
        let now = moment.now
        bringBack(now: now)
        _ = upstream.timePassed(now: now)
        guard upstream.mayBeUsed else { return .none(returnsAt: upstream.returnsAt ?? now + Self.trialTime) }
        if let wanted = wish.wanted.flatMap({ places[$0] }), slots[wanted].isReady,
            let choice = take(wanted, moment)
        {
            return choice
        }
        if let choice = choose(fitting: wish, moment) { return choice }
        // A model that rests for every key is asked for all the same: the provider's own answer is the better one.
        if wish.model != nil, !models.isEmpty {
            var any = wish
            any.model = nil
            if let choice = choose(fitting: any, moment) { return choice }
        }
        return .none(returnsAt: firstReturn(now: now))
    }

    private mutating func choose(fitting wish: Wish, _ moment: Moment) -> Choice? {
        for group in groups.indices {
            // A key that turns out to be full is put aside, so that this ends.
            while let index = pick(in: group, wish, now: moment.now) {
                if let choice = take(index, moment) { return choice }
            }
        }
        return nil
    }

    /// - Returns: nil for a key whose windows are full, which is put aside.
    private mutating func take(_ index: Int, _ moment: Moment) -> Choice? {
        hold(index, moment)
        guard slots[index].hold == nil else {
            leave(index)
            return nil
        }
        upstream.chosen(now: moment.now, policy)
        slots[index].health.chosen(now: moment.now, policy)
        slots[index].inFlight += 1
        slots[index].uses += 1
        slots[index].windows?.take(now: moment.counting)
        slots[index].quota?.count.add(1)
        hold(index, moment)
        if !slots[index].mayBeUsed { leave(index) }
        return .key(slots[index].member.id)
    }

    /// What to tell a caller who comes while another's request finds out whether an upstream is back.
    private static let trialTime = 1_000_000

    /// Brings those back whose time has come, which also happens before each choice.
    ///
    /// - Returns: how many are to be tried again, and how many still rest.
    mutating func timePassed(now: Int) -> (due: Int, resting: Int) {
        let before = resting.count
        bringBack(now: now)
        _ = upstream.timePassed(now: now)
        return (before - resting.count, resting.count)
    }

    private mutating func bringBack(now: Int) {
        while let next = returns.min, next.at <= now {
            returns.removeMin()
            // A deadline that was extended stands in the heap again, by its later time.
            _ = slots[next.slot].health.timePassed(now: now)
            if case .full(_, _, let until) = slots[next.slot].hold, until <= now {
                slots[next.slot].hold = nil
            }
            settle(next.slot)
        }
    }

    // MARK: Ends of attempts

    /// What an attempt with a key has told of it, and of the upstream.
    mutating func finished(_ id: Int, _ verdict: KeyVerdict, _ moment: Moment) -> [PoolChange] {
        let now = moment.now
        guard let index = places[id] else {
            // The key has gone, but a trial of the upstream must not go with it.
            let before = upstream.state
            if verdict == .good { _ = upstream.succeeded() } else { upstream.released() }
            return upstream.state == before ? [] : [.upstream(upstream)]
        }
        slots[index].inFlight = max(0, slots[index].inFlight - 1)
        slots[index].windows?.release()
        if case .busy = slots[index].hold { hold(index, moment) }
        let (upstreamBefore, keyBefore) = (upstream, slots[index].health)
        var changes = apply(verdict, to: index, now: now)
        if keyBefore != slots[index].health { changes.append(.key(id, slots[index].health)) }
        if upstreamBefore.state != upstream.state { changes.append(.upstream(upstream)) }
        settle(index)
        return changes
    }

    /// Whether a request that is under way with this key finds out for others.
    func isOnTrial(_ id: Int) -> Bool {
        isTrialOfUpstream || slot(id)?.health.state == .trial(isUnderWay: true)
    }

    /// An answer has begun that shows that the key works: others need not wait for its end.
    mutating func proved(_ id: Int) -> [PoolChange] {
        guard let index = places[id] else { return [] }
        let (upstreamBefore, keyBefore) = (upstream.state, slots[index].health)
        _ = apply(.good, to: index, now: 0)
        settle(index)
        var changes: [PoolChange] = []
        if keyBefore != slots[index].health { changes.append(.key(id, slots[index].health)) }
        if upstreamBefore != upstream.state { changes.append(.upstream(upstream)) }
        return changes
    }

    /// - Returns: what has changed of other keys.
    private mutating func apply(_ verdict: KeyVerdict, to index: Int, now: Int) -> [PoolChange] {
        let id = slots[index].member.id
        switch verdict {
        case .untold:
            upstream.released()
            slots[index].health.released()
            return []
        case .transient(let reason):
            _ = slots[index].health.failed(reason, now: now, policy)
            if trouble.failed(id, isOnlyKey: slots.count == 1) || isTrialOfUpstream {
                let until = now + upstream.grownRest(policy.rest, policy)
                _ = upstream.cool(until: until, reason, .failures, now: now, policy)
            }
            return []
        case .upstreamRest(let rest):
            slots[index].health.released()
            _ = upstream.cool(until: deadline(rest, upstream, now: now), rest.reason, now: now, policy)
            return []
        case .rest(let rest): return cool(index, rest, now: now)
        case .good:
            trouble.end()
            _ = slots[index].health.succeeded()
        case .modelRest(let model, let rest): restModel(index, model, rest, now: now)
        case .exhausted(let until, let reason):
            _ = slots[index].health.exhaust(until: until, reason, now: now, policy)
        case .disabled(let reason, let cause): _ = slots[index].health.disable(reason, cause)
        case .banned(let reason): _ = slots[index].health.ban(reason)
        }
        // It has answered, whatever it said of the key.
        _ = upstream.succeeded()
        return []
    }

    private var isTrialOfUpstream: Bool { upstream.state == .trial(isUnderWay: true) }

    private func deadline(_ rest: KeyVerdict.Rest, _ health: HealthStateMachine, now: Int) -> Int {
        rest.until ?? now + health.grownRest(rest.length, policy)
    }

    /// Many keys throttled at once, and none that works between them: it is the host that is tired of us, so it rests
    /// and the keys do not.
    private mutating func cool(_ index: Int, _ rest: KeyVerdict.Rest, now: Int) -> [PoolChange] {
        let id = slots[index].member.id
        let before = slots[index].health
        let until = deadline(rest, before, now: now)
        if rest.isThrottling, isTrialOfUpstream {
            slots[index].health.released()
            let longer = max(until, now + upstream.grownRest(policy.rest, policy))
            _ = upstream.cool(until: longer, rest.reason, now: now, policy)
            return []
        }
        _ = slots[index].health.cool(until: until, rest.reason, now: now, policy)
        guard rest.isThrottling, let blamed = trouble.throttled(id, before, until: until, now: now) else {
            _ = upstream.succeeded()
            return []
        }
        let reason = "\(blamed.keys.count) keys were throttled at once: \(rest.reason)"
        _ = upstream.cool(until: blamed.until, reason, now: now, policy)
        return blamed.keys.compactMap { key in
            // What has been found out of a key in the meantime stands.
            guard let place = places[key.id], case .cooling = slots[place].health.state else { return nil }
            slots[place].health = key.before
            slots[place].health.released()
            settle(place)
            return place == index ? nil : .key(key.id, slots[place].health)
        }
    }

    private mutating func restModel(_ index: Int, _ model: String, _ rest: KeyVerdict.Rest, now: Int) {
        let id = slots[index].member.id
        let until = min(
            rest.until ?? now + HealthStateMachine.microseconds(rest.length),
            now + HealthStateMachine.microseconds(policy.longestRest)
        )
        slots[index].health.released()
        // Names come from callers: only a provider that throttles says something of the key by them.
        guard models.add(key: id, model: model, until: until, now: now), rest.isThrottling else { return }
        // So many of its models rest that it is the key.
        _ = slots[index].health.cool(until: until, rest.reason, now: now, policy)
    }

    /// Forgets rests of models that are over.
    mutating func cleanUp(now: Int) -> Int { models.cleanUp(now: now) }

    // MARK: Operators

    /// Puts a key into a state by hand, or back to use.
    mutating func set(_ id: Int, _ change: (inout HealthStateMachine) -> Void) {
        guard let index = places[id] else { return }
        change(&slots[index].health)
        if case .active = slots[index].health.state { models.forget(key: id) }
        settle(index)
    }

    mutating func resetUpstream() {
        upstream.reset()
        trouble.end()
    }

    // MARK: Standing

    /// Puts a key where its health says it belongs.
    mutating func settle(_ index: Int) {
        let mayBeUsed = slots[index].mayBeUsed
        if mayBeUsed, !slots[index].isReady {
            enter(index)
        } else if !mayBeUsed {
            leave(index)
        }
    }

    private mutating func enter(_ index: Int) {
        guard slots[index].mayBeUsed else {
            rest(index)
            return
        }
        if slots[index].place >= 0, !slots[index].isReady {
            let moved = Self.remove(slots[index].place, from: &resting)
            if let moved { slots[moved.slot].place = moved.place }
        }
        let group = group(for: strategy == .priority ? slots[index].member.priority : 0)
        slots[index].place = groups[group].slots.count
        slots[index].isReady = true
        groups[group].slots.append(index)
    }

    private mutating func leave(_ index: Int) {
        if slots[index].isReady {
            let group = group(for: strategy == .priority ? slots[index].member.priority : 0)
            let moved = Self.remove(slots[index].place, from: &groups[group].slots)
            if let moved { slots[moved.slot].place = moved.place }
            slots[index].isReady = false
            slots[index].place = -1
        }
        rest(index)
    }

    private mutating func rest(_ index: Int) {
        if slots[index].place < 0 {
            slots[index].place = resting.count
            resting.append(index)
        }
        guard let at = slots[index].changesAt, at != slots[index].awaited else { return }
        slots[index].awaited = at
        returns.insert(Return(at: at, slot: index))
    }

    private mutating func group(for priority: Int) -> Int {
        if let known = groups.firstIndex(where: { $0.priority == priority }) { return known }
        let place = groups.firstIndex { $0.priority > priority } ?? groups.count
        groups.insert(Group(priority: priority), at: place)
        return place
    }

    /// Takes a place out of a list by putting its last element there, and returns which one that was.
    private static func remove(_ place: Int, from list: inout [Int]) -> (slot: Int, place: Int)? {
        let last = list.removeLast()
        guard place < list.count else { return nil }
        list[place] = last
        return (last, place)
    }
}
