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
    var models = ModelRests()
    private(set) var strategy = KeyStrategy.roundRobin
    var places: [Int: Int] = [:]
    var groups: [Group] = []
    private(set) var resting: [Int] = []
    private var returns = Heap<Return>()
    /// When the first of those that rest returns, until something changes of them.
    private var knownReturn: Int??
    var trouble = SharedTrouble()
    /// The number of the last attempt that was begun.
    private(set) var lastAttempt = 0
    /// The client key of the last attempt that was on trial, and until when one waits whose trials tell nothing.
    var trialClient = 0
    var unhelpful: (client: Int, until: Int)?
    /// What is under way with keys that are gone, and may come back.
    var departed: [Int: Int] = [:]
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
        departed.merge(known.mapValues(\.inFlight).filter { $0.value > 0 }) { _, new in new }
        slots = members.map { member in
            var slot = known[member.id] ?? Slot(member: member, health: kept(member.id))
            slot.inFlight = departed.removeValue(forKey: member.id) ?? 0
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
    private mutating func firstReturn() -> Int? {
        // Where all keys rest every request asks, and thousands may rest.
        if let known = knownReturn { return known }
        let first = resting.lazy.compactMap { [slots] in slots[$0].returnsAt }.min()
        knownReturn = .some(first)
        return first
    }

    // MARK: Choosing

    /// The key for a request's next attempt, which `finished` must be told the end of.
    mutating func choose(_ wish: Wish, _ moment: Moment) -> Choice {
        let now = moment.now
        bringBack(now: now)
        bringUpstreamBack(now: now)
        guard upstream.mayBeUsed, !(upstream.isAwaitingTrial && mustWait(wish, now: now)) else {
            return .none(returnsAt: upstream.returnsAt ?? now + Self.trialTime)
        }
        guard !slots.isEmpty else {
            begin(wish, now: now)
            return .unneeded
        }
        if let wanted = wish.wanted.flatMap({ places[$0] }), slots[wanted].isReady,
            let choice = take(wanted, wish, moment)
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
        return .none(returnsAt: firstReturn())
    }

    private mutating func choose(fitting wish: Wish, _ moment: Moment) -> Choice? {
        for group in groups.indices {
            // A key that turns out to be full is put aside, so that this ends.
            while let index = pick(in: group, wish, now: moment.now) {
                if let choice = take(index, wish, moment) { return choice }
            }
        }
        return nil
    }

    /// - Returns: nil for a key whose windows are full, which is put aside.
    private mutating func take(_ index: Int, _ wish: Wish, _ moment: Moment) -> Choice? {
        hold(index, moment)
        guard slots[index].hold == nil else {
            leave(index)
            return nil
        }
        if slots[index].health.isAwaitingTrial { trialClient = wish.client }
        begin(wish, now: moment.now)
        slots[index].health.chosen(by: lastAttempt, now: moment.now, policy)
        slots[index].inFlight += 1
        slots[index].uses += 1
        slots[index].windows?.take(now: moment.counting)
        slots[index].quota?.count.add(1)
        hold(index, moment)
        if !slots[index].mayBeUsed { leave(index) }
        return .key(slots[index].member.id)
    }

    private mutating func begin(_ wish: Wish, now: Int) {
        lastAttempt += 1
        if upstream.isAwaitingTrial { trialClient = wish.client }
        upstream.chosen(by: lastAttempt, now: now, policy)
    }

    /// What to tell a caller who comes while another's request finds out whether an upstream is back.
    private static let trialTime = 1_000_000

    /// Brings those back whose time has come, which also happens before each choice.
    ///
    /// - Returns: how many are to be tried again, and how many still rest.
    mutating func timePassed(now: Int) -> (due: Int, resting: Int) {
        let before = resting.count
        bringBack(now: now)
        bringUpstreamBack(now: now)
        return (before - resting.count, resting.count)
    }

    private mutating func bringUpstreamBack(now: Int) {
        let isTrial = upstream.isTrialUnderWay
        if upstream.timePassed(now: now), isTrial { trialToldNothing(now: now) }
    }

    /// Others go first now: whose trials tell nothing, by leaving them or by letting them hang, holds nobody up for long.
    mutating func trialToldNothing(now: Int) {
        unhelpful = (trialClient, now + Self.courtesy)
    }

    func mustWait(_ wish: Wish, now: Int) -> Bool {
        guard let unhelpful, wish.client != 0 else { return false }
        return unhelpful.client == wish.client && now < unhelpful.until
    }

    private static let courtesy = 5_000_000

    private mutating func bringBack(now: Int) {
        while let next = returns.min, next.at <= now {
            returns.removeMin()
            let isTrial = slots[next.slot].health.isTrialUnderWay
            // A deadline that was extended stands in the heap again, by its later time.
            if slots[next.slot].health.timePassed(now: now), isTrial { trialToldNothing(now: now) }
            if case .full(_, _, let until) = slots[next.slot].hold, until <= now {
                slots[next.slot].hold = nil
            }
            settle(next.slot)
        }
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
        knownReturn = nil
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
        knownReturn = nil
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
