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
        guard let model = wish.model else { return true }
        return !models.rests(key: id, model: model, now: now)
    }

    /// Those of a group that are looked at: all of a small one, some neighbours of a large one.
    private func candidates(_ group: Int, _ wish: Wish, now: Int) -> [Int] {
        let slots = groups[group].slots
        let start = slots.count <= Self.sample ? 0 : Int(wish.random % UInt64(slots.count))
        let looked = (0..<min(slots.count, Self.sample)).map { slots[(start + $0) % slots.count] }
        let fitting = looked.filter { serves($0, wish, now: now) }
        guard fitting.isEmpty, let place = scan(group, from: start, wish, now: now) else { return fitting }
        return [slots[place]]
    }

    private func weighted(_ group: Int, _ wish: Wish, now: Int) -> Int? {
        let fitting = candidates(group, wish, now: now)
        let total = fitting.reduce(0) { $0 + slots[$1].member.weight }
        guard total > 0 else { return fitting.first }
        // Another part of the number than the one that chose the neighbours.
        var rest = Int((wish.random >> 20) % UInt64(total))
        return fitting.first { slot in
            rest -= slots[slot].member.weight
            return rest < 0
        }
    }

    private func leastUsed(_ group: Int, _ wish: Wish, now: Int) -> Int? {
        candidates(group, wish, now: now).min { left, right in
            (slots[left].inFlight, slots[left].uses) < (slots[right].inFlight, slots[right].uses)
        }
    }
}
