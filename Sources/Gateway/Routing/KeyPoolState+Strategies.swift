import Operations

/// Which of the keys that may be used is next.
extension KeyPoolState {
    /// With fewer keys every one is looked at; of more a sample of so many is.
    private static let sample = 64

    mutating func pick(in group: Int, _ wish: Wish, now: Int) -> Int? {
        let count = groups[group].slots.count
        guard count > 0 else { return nil }
        switch strategy {
        case .roundRobin, .priority:
            guard let place = scan(group, from: groups[group].turn, wish, now: now) else { return nil }
            groups[group].turn = place + 1
            return groups[group].slots[place]
        case .random:
            return scan(group, from: Int(wish.random % UInt64(count)), wish, now: now)
                .map { groups[group].slots[$0] }
        case .weighted: return weighted(group, wish, now: now)
        case .leastUsed: return leastUsed(group, wish, now: now)
        }
    }

    /// The first place from one on whose key serves the wish.
    private func scan(_ group: Int, from start: Int, _ wish: Wish, now: Int) -> Int? {
        let slots = groups[group].slots
        for offset in slots.indices {
            let place = (start + offset) % slots.count
            if serves(slots[place], wish, now: now) { return place }
        }
        return nil
    }

    private func serves(_ slot: Int, _ wish: Wish, now: Int) -> Bool {
        let id = slots[slot].member.id
        if !wish.tried.isEmpty, wish.tried.contains(id) { return false }
        if slots[slot].health.isAwaitingTrial, mustWait(wish, now: now) { return false }
        guard let model = wish.model else { return true }
        return !models.rests(key: id, model: model, now: now)
    }

    /// Goes through all of a small group and through some neighbours of a large one.
    ///
    /// When none of them serves, to the first that does. Ends early when `isEnough` says so.
    private func eachCandidate(_ group: Int, _ wish: Wish, now: Int, _ isEnough: (Int) -> Bool) {
        let slots = groups[group].slots
        let start = slots.count <= Self.sample ? 0 : Int(wish.random % UInt64(slots.count))
        var place = start
        var isFound = false
        for _ in 0..<min(slots.count, Self.sample) {
            if serves(slots[place], wish, now: now) {
                isFound = true
                if isEnough(slots[place]) { return }
            }
            place = place + 1 == slots.count ? 0 : place + 1
        }
        guard !isFound, let place = scan(group, from: start, wish, now: now) else { return }
        _ = isEnough(slots[place])
    }

    private func weighted(_ group: Int, _ wish: Wish, now: Int) -> Int? {
        var total = 0
        eachCandidate(group, wish, now: now) { slot in
            total += slots[slot].member.weight
            return false
        }
        // Another part of the number than the one that chose the neighbours.
        var rest = total > 0 ? Int((wish.random >> 20) % UInt64(total)) : 0
        var chosen: Int?
        eachCandidate(group, wish, now: now) { slot in
            chosen = slot
            rest -= slots[slot].member.weight
            return rest < 0
        }
        return chosen
    }

    private func leastUsed(_ group: Int, _ wish: Wish, now: Int) -> Int? {
        var (best, inFlight, uses): (Int?, Int, Int) = (nil, 0, 0)
        eachCandidate(group, wish, now: now) { slot in
            let candidate = (slots[slot].inFlight, slots[slot].uses)
            if best == nil || candidate < (inFlight, uses) {
                (best, inFlight, uses) = (slot, candidate.0, candidate.1)
            }
            return false
        }
        return best
    }
}
