package import Operations
import Synchronization

extension GatewayOperations {
    package func upstreamKeys(upstream: Int?, by user: Operator) async throws -> Page<UpstreamKey> {
        let all = try keyViews(try upstreamStore.all())
        return Page(items: all.filter { upstream == nil || $0.upstreamId == upstream })
    }

    package func upstreamKey(_ id: Int, by user: Operator) async throws -> UpstreamKey {
        guard let found = try keyViews(try upstreamStore.all()).first(where: { $0.id == id }) else {
            throw OperationsError(.notFound, "there is no upstream key \(id)")
        }
        return found
    }

    func keyViews(_ rows: (upstreams: [UpstreamRow], keys: [UpstreamKeyRow])) throws -> [UpstreamKey] {
        let upstreams = Dictionary(uniqueKeysWithValues: rows.upstreams.map { ($0.id, $0) })
        return try rows.keys.compactMap { row in
            guard let upstream = upstreams[row.upstreamID] else { return nil }
            return try view(row, upstream)
        }
    }

    /// nil for a key that has left the configuration file.
    private func view(_ row: UpstreamKeyRow, _ upstream: UpstreamRow) throws -> UpstreamKey? {
        let definition: UpstreamKeyDefinition
        let value: Secret
        if row.source == .file {
            let file = gateway.configuration.upstreams.first { $0.slug == upstream.slug }
            guard let key = file?.keys.first(where: { $0.definition.name == row.definition.name }) else {
                return nil
            }
            (definition, value) = (key.definition, key.value)
        } else {
            guard let sealed = row.sealed else { return nil }
            definition = row.definition
            value = try gateway.masterKey.open(sealed, place: UpstreamKeyRow.place(row.id))
        }
        var view = UpstreamKey(
            id: row.id,
            upstreamId: row.upstreamID,
            upstream: upstream.slug,
            name: definition.name,
            maskedValue: Self.mask(value),
            source: row.source
        )
        (view.location, view.paramName, view.valuePrefix) =
            (definition.location, definition.paramName, definition.valuePrefix)
        (view.weight, view.priority, view.version) = (definition.weight, definition.priority, row.version)
        view.limits = definition.limits
        view.enableQuota = definition.quota.isEnabled
        (view.quotaTotal, view.quotaPeriod) = (definition.quota.total, definition.quota.period)
        let standing = gateway.pools.pool(ofUpstream: row.upstreamID).standing(row.id)
        let health = standing?.health ?? row.health
        (view.state, view.reason, view.cause) = (health.name, health.reason, health.cause?.rawValue)
        if let slot = standing, slot.health.mayBeUsed {
            (view.state, view.reason) = (slot.state, slot.holdReason)
        }
        if let quota = standing?.quota?.standing {
            (view.quotaUsed, view.quotaResetsAt) = (quota.used, quota.resetsAt)
        }
        let until = standing.map(\.returnsAt) ?? row.health.returnsAt
        view.until = until.map { Timestamp(microseconds: $0) }
        view.inFlight = standing?.inFlight ?? 0
        let counters = gateway.keyCounters.counters(ofKey: row.id)
        view.lastError = counters.lastError
        let lastUse = counters.lastUsedAt.load(ordering: .relaxed)
        view.lastUsedAt = lastUse == 0 ? nil : Timestamp(microseconds: lastUse * 1000)
        return view
    }

    /// Enough to tell keys apart, and too little to use: nothing of a short one.
    private static func mask(_ secret: Secret) -> String {
        let text = secret.value
        return text.count < 16 ? "••••" : "\(text.prefix(3))…\(text.suffix(4))"
    }

    package func createUpstreamKey(_ draft: UpstreamKeyDraft, by user: Operator) async throws -> UpstreamKey {
        try user.require(.operator)
        guard try upstreamStore.all().upstreams.contains(where: { $0.id == draft.upstreamId }) else {
            throw OperationsError(
                .invalid,
                "there is no upstream \(draft.upstreamId)",
                parameter: "upstream_id"
            )
        }
        try Self.requireText(draft.name, "name")
        var definition = UpstreamKeyDefinition(name: draft.name)
        definition.location = draft.location ?? .header
        definition.paramName = draft.paramName ?? definition.paramName
        definition.valuePrefix = draft.valuePrefix ?? (definition.location == .header ? "Bearer " : "")
        definition.weight = try Self.within(draft.weight ?? 1, DefinitionRules.weights, "weight")
        definition.priority = try Self.within(draft.priority ?? 0, DefinitionRules.priorities, "priority")
        definition.limits = try draft.limits?.applied(to: RateLimits()) ?? RateLimits()
        definition.quota.isEnabled = draft.enableQuota ?? false
        definition.quota.total = draft.quotaTotal
        definition.quota.period = draft.quotaPeriod ?? .none
        try Self.check(definition.quota)
        let value = Secret(draft.keyValue)
        try Self.check(definition, value)
        let masterKey = gateway.masterKey
        let id = try upstreamStore.insertKey(definition, upstream: draft.upstreamId, by: user) { id in
            try masterKey.seal(value, place: UpstreamKeyRow.place(id))
        }
        try await gateway.snapshots.publishUpstreams()
        return try await upstreamKey(id, by: user)
    }

    package func changeUpstreamKey(
        _ id: Int,
        _ change: UpstreamKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> UpstreamKey {
        try user.require(.operator)
        let masterKey = gateway.masterKey
        try upstreamStore.updateKey(id, ifVersion: ifVersion, by: user, action: "change") { row in
            guard row.source == .database, let sealed = row.sealed else { throw Self.managedByFile }
            row.definition.name = change.name.applied(to: row.definition.name) ?? row.definition.name
            try Self.requireText(row.definition.name, "name")
            row.definition.location = change.location.applied(to: row.definition.location) ?? .header
            row.definition.paramName =
                change.paramName.applied(to: row.definition.paramName) ?? "Authorization"
            row.definition.valuePrefix =
                change.valuePrefix.applied(to: row.definition.valuePrefix) ?? "Bearer "
            let weight = change.weight.applied(to: row.definition.weight) ?? 1
            row.definition.weight = try Self.within(weight, DefinitionRules.weights, "weight")
            let priority = change.priority.applied(to: row.definition.priority) ?? 0
            row.definition.priority = try Self.within(priority, DefinitionRules.priorities, "priority")
            row.definition.limits = try change.limits.applied(to: row.definition.limits)
            try Self.apply(change, to: &row.definition.quota)
            let place = UpstreamKeyRow.place(id)
            var value = try masterKey.open(sealed, place: place)
            if case .set(let text) = change.keyValue {
                value = Secret(text)
                // What the old one has shown is over; a ban is about the key, whatever its secret.
                if row.health.name != .banned { row.health = HealthStateMachine() }
            }
            try Self.check(row.definition, value)
            row.sealed = try masterKey.seal(value, place: place)
        }
        try await gateway.snapshots.publishUpstreams()
        let key = try await upstreamKey(id, by: user)
        guard case .set(let used) = change.quotaUsed else { return key }
        gateway.pools.pool(ofUpstream: key.upstreamId).set(used: used, of: id)
        return try await upstreamKey(id, by: user)
    }

    private static func apply(_ change: UpstreamKeyChange, to quota: inout KeyQuota) throws {
        quota.isEnabled = change.enableQuota.applied(to: quota.isEnabled) ?? false
        quota.total = change.quotaTotal.applied(to: quota.total)
        quota.period = change.quotaPeriod.applied(to: quota.period) ?? .none
        if case .set(let used) = change.quotaUsed {
            _ = try within(used, 0...Quota.range.upperBound, "quota_used")
        }
        try check(quota)
    }

    private static func check(_ quota: KeyQuota) throws {
        if let total = quota.total { _ = try within(total, Quota.range, "quota_total") }
        if quota.isEnabled, quota.total == nil {
            throw OperationsError(.invalid, "is required with enable_quota", parameter: "quota_total")
        }
    }

    private static func within(_ number: Int, _ range: ClosedRange<Int>, _ field: String) throws -> Int {
        guard range.contains(number) else {
            let message = "must be from \(range.lowerBound) to \(range.upperBound)"
            throw OperationsError(.invalid, message, parameter: field)
        }
        return number
    }

    private static func check(_ definition: UpstreamKeyDefinition, _ value: Secret) throws {
        do throws(ConfigurationError) {
            try DefinitionRules.check(definition, value: value)
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "key_value")
        }
    }

    package func setUpstreamKeyState(
        _ id: Int,
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> UpstreamKey {
        try user.require(.operator)
        let action =
            switch state {
            case .active: "enable"
            case .banned: "ban"
            case .disabled: "disable"
            case .cooling, .exhausted:
                throw OperationsError(.invalid, "is what the gateway finds out by itself", parameter: "state")
            }
        let words = reason ?? "by \(user.name)"
        let key = try await upstreamKey(id, by: user)
        let pool = gateway.pools.pool(ofUpstream: key.upstreamId)
        let health = Self.health(state, words)
        try upstreamStore.updateKey(id, ifVersion: nil, by: user, action: action) { $0.health = health }
        pool.set(id) { $0 = health }
        // Whoever brings a key back wants it tried now.
        if state == .active {
            pool.resetUpstream()
            if let quota = pool.standing(id)?.quota, !quota.allows(1) { pool.set(used: 0, of: id) }
        }
        return try await upstreamKey(id, by: user)
    }

    private static func health(_ state: KeyState, _ reason: String) -> HealthStateMachine {
        var health = HealthStateMachine()
        switch state {
        case .disabled: _ = health.disable(reason, .hand)
        case .banned: _ = health.ban(reason, .hand)
        case .active, .cooling, .exhausted: break
        }
        return health
    }

    package func deleteUpstreamKey(_ id: Int, by user: Operator) async throws {
        try user.require(.operator)
        let old = try await upstreamKey(id, by: user)
        guard old.source == .database else { throw Self.managedByFile }
        try upstreamStore.delete("upstream_key", id, before: try JSONForm.text(old), by: user)
        try await gateway.snapshots.publishUpstreams()
    }
}
