import Operations

/// What the ends of attempts tell of a key, and of the upstream.
extension KeyPoolState {
    /// An attempt has ended.
    ///
    /// `id`: its key; nil where the upstream has none. `attempt`: as `lastAttempt` was when it was begun.
    ///
    /// - Returns: what has changed.
    mutating func finished(
        _ id: Int?,
        by attempt: Int,
        _ verdict: KeyVerdict,
        _ moment: Moment
    ) -> [PoolChange] {
        let index = id.flatMap { places[$0] }
        if let index {
            slots[index].inFlight = max(0, slots[index].inFlight - 1)
            slots[index].windows?.release()
            if case .busy = slots[index].hold { hold(index, moment) }
        } else if let id {
            departed[id] = departed[id].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
        // The key may have gone, but a trial of the upstream must not go with it.
        let isGone = index == nil && id != nil
        return change(index) {
            $0.apply(isGone && verdict != .good ? .untold : verdict, to: index, by: attempt, now: moment.now)
        }
    }

    /// Whether others wait for what this attempt with a key finds out.
    func isOnTrial(_ id: Int?, by attempt: Int) -> Bool {
        upstream.isOnTrial(by: attempt)
            || id.flatMap { places[$0] }.map { slots[$0].health.isOnTrial(by: attempt) } == true
    }

    /// An answer has begun that shows that the key works: others need not wait for its end.
    mutating func proved(_ id: Int?, by attempt: Int) -> [PoolChange] {
        let index = id.flatMap { places[$0] }
        return change(index) { $0.apply(.good, to: index, by: attempt, now: 0) }
    }

    // MARK: Second thoughts

    /// A key stands again as it did before a verdict, if nothing else has come to it since.
    mutating func replace(
        _ id: Int,
        _ health: HealthStateMachine,
        with before: HealthStateMachine
    ) -> [PoolChange] {
        guard let index = places[id], slots[index].health == health else { return [] }
        return change(index) {
            $0.slots[index].health = before
            $0.slots[index].health.abandonTrial()
            return []
        }
    }

    /// What a key has answered is held against it after all.
    mutating func condemn(_ id: Int, _ verdict: KeyVerdict, now: Int) -> [PoolChange] {
        guard let index = places[id] else { return [] }
        return change(index) { $0.apply(verdict, to: index, by: 0, now: now) }
    }

    /// What may be the key's fault and may be its request's: it rests, and is tried again.
    mutating func rest(_ id: Int, _ reason: String, now: Int) -> [PoolChange] {
        guard let index = places[id] else { return [] }
        let policy = policy
        return change(index) {
            let until = now + $0.slots[index].health.grownRest(.seconds(60), policy)
            _ = $0.slots[index].health.cool(until: until, reason, .failures, now: now, policy)
            return []
        }
    }

    /// Does something to a key and the upstream, and tells what has changed of them, with what it tells itself.
    private mutating func change(
        _ index: Int?,
        _ what: (inout KeyPoolState) -> [PoolChange]
    ) -> [PoolChange] {
        let (upstreamBefore, keyBefore) = (upstream.state, index.map { slots[$0].health })
        var changes = what(&self)
        if let index {
            let health = slots[index].health
            if keyBefore != health { changes.append(.key(slots[index].member.id, health)) }
            settle(index)
        }
        if upstreamBefore != upstream.state { changes.append(.upstream(upstream)) }
        return changes
    }

    /// - Returns: what has changed of other keys.
    private mutating func apply(
        _ verdict: KeyVerdict,
        to index: Int?,
        by attempt: Int,
        now: Int
    ) -> [PoolChange] {
        let policy = policy
        switch verdict {
        case .untold:
            if isOnTrial(index.map { slots[$0].member.id }, by: attempt) { trialToldNothing(now: now) }
            upstream.released(by: attempt)
            of(index) { $0.released(by: attempt) }
            return []
        case .transient(let reason):
            of(index) { _ = $0.failed(reason, by: attempt, now: now, policy) }
            guard upstream.mayBeUsed || upstream.wasOnTrial(by: attempt) else { return [] }
            let isUpstreams = trouble.failed(index.map { slots[$0].member.id }, isOnlyKey: slots.count < 2)
            if isUpstreams || upstream.wasOnTrial(by: attempt) {
                let until = now + upstream.grownRest(policy.rest, policy)
                _ = upstream.cool(until: until, reason, .failures, now: now, policy)
            }
            return []
        case .upstreamRest(let rest):
            of(index) { $0.released(by: attempt) }
            _ = upstream.cool(until: deadline(rest, upstream, now: now), rest.reason, now: now, policy)
            return []
        case .rest(let rest):
            if let index { return cool(index, rest, by: attempt, now: now) }
        case .good:
            trouble.end()
            of(index) { _ = $0.succeeded(by: attempt) }
        case .modelRest(let model, let rest):
            if let index { restModel(index, model, rest, by: attempt, now: now) }
        case .exhausted(let until, let reason):
            of(index) { _ = $0.exhaust(until: until, reason, now: now, policy) }
        case .disabled(let reason, let cause): of(index) { _ = $0.disable(reason, cause, now: now) }
        case .banned(let reason): of(index) { _ = $0.ban(reason, now: now) }
        }
        // It has answered, whatever it said of the key.
        _ = upstream.succeeded(by: attempt)
        return []
    }

    private mutating func of(_ index: Int?, _ change: (inout HealthStateMachine) -> Void) {
        if let index { change(&slots[index].health) }
    }

    private func deadline(_ rest: KeyVerdict.Rest, _ health: HealthStateMachine, now: Int) -> Int {
        rest.until ?? now + health.grownRest(rest.length, policy)
    }

    /// Many keys throttled at once, and none that works between them: it is the host that is tired of us, so it rests
    /// and the keys do not.
    private mutating func cool(
        _ index: Int,
        _ rest: KeyVerdict.Rest,
        by attempt: Int,
        now: Int
    ) -> [PoolChange] {
        let id = slots[index].member.id
        let before = slots[index].health
        let until = deadline(rest, before, now: now)
        if rest.isThrottling, upstream.wasOnTrial(by: attempt) {
            slots[index].health.released(by: attempt)
            let longer = now + upstream.grownRest(policy.rest, policy)
            _ = upstream.cool(until: longer, rest.reason, now: now, policy)
            return []
        }
        _ = slots[index].health.cool(until: until, rest.reason, now: now, policy)
        guard rest.isThrottling,
            let blamed = trouble.throttled(id, before, until: until, isFirst: !rest.isRepeated, now: now)
        else {
            _ = upstream.succeeded(by: attempt)
            return []
        }
        let reason = "\(blamed.keys.count) keys were throttled at once: \(rest.reason)"
        // Whatever is told: one request then finds out for all, and soon.
        let rested = min(blamed.until, now + upstream.grownRest(policy.rest, policy))
        _ = upstream.cool(until: rested, reason, now: now, policy)
        return blamed.keys.compactMap { key in
            // What has been found out of a key in the meantime stands.
            guard let place = places[key.id], case .cooling = slots[place].health.state else { return nil }
            slots[place].health = key.before
            slots[place].health.abandonTrial()
            settle(place)
            return place == index ? nil : .key(key.id, slots[place].health)
        }
    }

    private mutating func restModel(
        _ index: Int,
        _ model: String,
        _ rest: KeyVerdict.Rest,
        by attempt: Int,
        now: Int
    ) {
        let id = slots[index].member.id
        let until = min(
            rest.until ?? now + HealthStateMachine.microseconds(rest.length),
            now + HealthStateMachine.microseconds(policy.longestRest)
        )
        slots[index].health.released(by: attempt)
        // Names come from callers: only a provider that throttles says something of the key by them.
        guard models.add(key: id, model: model, until: until, now: now), rest.isThrottling else { return }
        // So many of its models rest that it is the key.
        _ = slots[index].health.cool(until: until, rest.reason, now: now, policy)
    }
}
