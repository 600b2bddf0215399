/// Free questions by which keys heal, or are found to be refused.
extension KeyPoolState {
    /// Keys that a free question may bring back, and one of those in use whose end it may notice.
    mutating func probed(limit: Int, round: Int) -> [Int] {
        // Of many some at a time, in the order of their ids, beginning behind those of the last round.
        var some = firstProbed(limit, round: round) { $0 > lastProbed }
        some += firstProbed(limit - some.count, round: round) { $0 <= lastProbed }
        lastProbed = some.last ?? lastProbed
        var place = round % max(1, groups.reduce(0) { $0 + $1.slots.count })
        for group in groups {
            if place < group.slots.count { return [slots[group.slots[place]].member.id] + some }
            place -= group.slots.count
        }
        return some
    }

    /// The first by id; one pass without a sort, since requests wait for it.
    private func firstProbed(_ limit: Int, round: Int, where fits: (Int) -> Bool) -> [Int] {
        var first: [Int] = []
        guard limit > 0 else { return first }
        for slot in resting where slots[slot].health.mayBeProbed(round: round) {
            let id = slots[slot].member.id
            guard fits(id), first.count < limit || id < first[first.count - 1] else { continue }
            first.insert(id, at: first.firstIndex { $0 > id } ?? first.count)
            if first.count > limit { first.removeLast() }
        }
        return first
    }

    /// And one to an upstream that has no keys.
    private mutating func probed(_ answer: ProbeVerdict) -> [PoolChange] {
        let before = upstream.state
        if answer == .good, upstream.probedWell() { trouble.end() }
        return before == upstream.state ? [] : [.upstream(upstream)]
    }

    /// What a free question with a key has told.
    mutating func probed(_ id: Int?, _ answer: ProbeVerdict, now: Int) -> [PoolChange] {
        guard let id else { return probed(answer) }
        guard let index = places[id] else { return [] }
        let (upstreamBefore, keyBefore) = (upstream, slots[index].health)
        switch answer {
        case .good:
            _ = slots[index].health.probedWell()
            if upstream.probedWell() { trouble.end() }
        case .refused(let reason):
            // A rest that the provider has told of keeps its time: it is refused then, if it is.
            let health = slots[index].health
            if health.mayBeUsed || health.cause == .failures {
                _ = slots[index].health.disable(reason, now: now)
            }
        case .unclear: break
        }
        settle(index)
        var changes: [PoolChange] = []
        if keyBefore != slots[index].health { changes.append(.key(id, slots[index].health)) }
        if upstreamBefore.state != upstream.state { changes.append(.upstream(upstream)) }
        return changes
    }
}
