import Operations

/// Keys with limits and quotas of their own: held back while they are full, so that a choice never looks at them.
extension KeyPoolState {
    /// Holds a key back while its windows are full, so that a choice never looks at it.
    mutating func hold(_ index: Int, _ moment: Moment) {
        if let quota = slots[index].quota, !quota.allows(1) {
            let end = quota.count.end
            if case .spent = slots[index].hold {} else { spent.append(slots[index].member.id) }
            slots[index].hold = .spent(total: quota.quota.total, until: end == 0 ? nil : end)
            return
        }
        slots[index].hold = slots[index].windows?.breach(now: moment.counting).map { breach in
            switch breach.kind {
            case .window(let window): .full(window, limit: breach.limit, until: moment.now + breach.wait)
            case .concurrency: .busy(limit: breach.limit)
            }
        }
    }

    /// Whose quota was used up since the last time.
    mutating func takeSpent() -> [PoolChange] {
        defer { spent = [] }
        return spent.compactMap { id in
            slot(id)?.quota.map { .spent(id, total: $0.quota.total) }
        }
    }

    /// The key has another quota from now on, or none.
    mutating func setQuota(_ id: Int, _ quota: CountedQuota?, _ moment: Moment) {
        guard let index = places[id] else { return }
        slots[index].quota = quota
        hold(index, moment)
        // That it was used up before is no news.
        spent.removeAll { $0 == id }
        settle(index)
    }

    mutating func set(used: Int, of id: Int, _ moment: Moment) {
        guard let index = places[id] else { return }
        slots[index].quota?.count.set(used: used)
        hold(index, moment)
        settle(index)
    }

    /// Begins quotas anew whose period is over.
    mutating func rollOver(_ ends: QuotaEnds, now: Int) {
        for index in slots.indices {
            guard let quota = slots[index].quota,
                quota.count.rollOver(now: now, quota.quota.period, ends)
            else { continue }
            if case .spent = slots[index].hold { slots[index].hold = nil }
            settle(index)
        }
    }

    /// The key's windows are others from now on; those under way are counted on.
    mutating func setWindows(_ id: Int, _ windows: ScopeWindows?, _ moment: Moment) {
        guard let index = places[id] else { return }
        slots[index].windows = windows
        let inFlight = slots[index].inFlight
        slots[index].windows?.inFlight = inFlight
        hold(index, moment)
        settle(index)
    }

    /// As `giveBack` asks for it.
    func quotaEpoch(of id: Int) -> UInt64? { places[id].flatMap { slots[$0].quota?.count.epoch } }

    /// An attempt has ended before anything was sent: the quota has counted it for nothing.
    ///
    /// `epoch`: the quota's when the attempt was begun; what has begun anew since gives nothing back.
    mutating func giveBack(_ id: Int, epoch: UInt64?) {
        guard let index = places[id], slots[index].quota?.count.epoch == epoch else { return }
        slots[index].quota?.count.add(-1)
        if case .spent = slots[index].hold { slots[index].hold = nil }
    }
}
