package import Operations
import Synchronization

extension GatewayOperations {
    package func upstreamKeys(_ query: UpstreamKeyQuery, by user: Operator) async throws -> Page<UpstreamKey>
    {
        let after = try query.cursor.map(Cursor.number) ?? 0
        let limit = min(max(query.limit, 1), 1000)
        let page = try keyPage(upstream: query.upstream, name: query.name, after: after, limit: limit + 1)
        let items = page.items.prefix(limit).map(\.view)
        let next = page.items.count > limit ? items.last.map { Cursor.text($0.id) } : nil
        return Page(items: Array(items), nextCursor: next)
    }

    /// Keys behind an id, and the last row that was looked at; nil when there is none.
    func keyPage(
        upstream: Int?,
        name: String? = nil,
        after: Int,
        limit: Int
    ) throws -> (items: [(view: UpstreamKey, value: Secret)], last: Int?) {
        let upstreams = Dictionary(uniqueKeysWithValues: try upstreamStore.upstreamRows().map { ($0.id, $0) })
        var items: [(view: UpstreamKey, value: Secret)] = []
        var last: Int?
        // Rows of keys that have left the file are passed over, so that one page may take several looks.
        while items.count < limit {
            let wanted = limit - items.count
            let rows = try upstreamStore.keys(
                ofUpstream: upstream,
                name: name,
                after: last ?? after,
                limit: wanted
            )
            last = rows.last?.id ?? last
            for row in rows {
                guard let upstream = upstreams[row.upstreamID] else { continue }
                if let found = try view(row, upstream) { items.append(found) }
            }
            if rows.count < wanted { break }
        }
        return (items, last)
    }

    package func upstreamKey(_ id: Int, by user: Operator) async throws -> UpstreamKey {
        guard let (upstream, row) = try upstreamStore.find(key: id), let found = try view(row, upstream)
        else {
            throw OperationsError(.notFound, "there is no upstream key \(id)")
        }
        return found.view
    }

    /// nil for a key that has left the configuration file.
    private func view(
        _ row: UpstreamKeyRow,
        _ upstream: UpstreamRow
    ) throws -> (view: UpstreamKey, value: Secret)? {
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
        view.since = health.mayBeUsed ? nil : health.since.map { Timestamp(microseconds: $0) }
        view.inFlight = standing?.inFlight ?? 0
        let counters = gateway.keyCounters.counters(ofKey: row.id)
        view.lastError = counters.lastError
        let lastUse = counters.lastUsedAt.load(ordering: .relaxed)
        view.lastUsedAt = lastUse == 0 ? nil : Timestamp(microseconds: lastUse * 1000)
        return (view, value)
    }

    /// Enough to tell keys apart, and too little to use: nothing of a short one.
    private static func mask(_ secret: Secret) -> String {
        let text = secret.value
        return text.count < 16 ? "••••" : "\(text.prefix(3))…\(text.suffix(4))"
    }

    package func createUpstreamKey(_ draft: UpstreamKeyDraft, by user: Operator) async throws -> UpstreamKey {
        try user.require(.operator)
        guard try upstreamStore.upstreamRows().contains(where: { $0.id == draft.upstreamId }) else {
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
        let id = try upstreamStore.insertKey(
            definition,
            upstream: draft.upstreamId,
            by: user,
            digest: { masterKey.digest(of: value) },
            seal: { try masterKey.seal(value, place: UpstreamKeyRow.place($0)) }
        )
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
                // What the old one has shown is over; what an operator has said is about the key, whatever its secret.
                if !row.health.isByHand { row.health = HealthStateMachine() }
            }
            try Self.check(row.definition, value)
            row.sealed = try masterKey.seal(value, place: place)
            row.digest = masterKey.digest(of: value)
        }
        try await gateway.snapshots.publishUpstreams()
        if case .set = change.keyValue { gateway.keyCounters.counters(ofKey: id).record(error: nil) }
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
        try KeyReason.check(reason)
        let (action, health) = try Self.change(
            to: state,
            reason ?? "by \(user.name)",
            at: WallClock.now().microseconds
        )
        let key = try await upstreamKey(id, by: user)
        try upstreamStore.updateKey(id, ifVersion: nil, by: user, action: action) { $0.health = health }
        bring(id, ofUpstream: key.upstreamId, to: health)
        return try await upstreamKey(id, by: user)
    }

    /// What an operator's word for a state makes of a key, and what it is called in the operators' audit.
    static func change(
        to state: KeyState,
        _ reason: String,
        at now: Int
    ) throws(OperationsError) -> (action: String, health: HealthStateMachine) {
        switch state {
        case .active: return ("enable", HealthStateMachine())
        case .banned, .disabled:
            let action = state == .banned ? "ban" : "disable"
            let health = HealthStateMachine(
                state,
                until: nil,
                since: now,
                reason: reason,
                cause: .hand,
                rests: 0
            )
            return (action, health)
        case .cooling, .exhausted:
            throw OperationsError(.invalid, "is what the gateway finds out by itself", parameter: "status")
        }
    }

    /// Has the pool go by what an operator has said of a key.
    func bring(_ id: Int, ofUpstream upstream: Int, to health: HealthStateMachine) {
        let pool = gateway.pools.pool(ofUpstream: upstream)
        pool.set(id) { $0 = health }
        guard health.name == .active else { return }
        // Whoever brings a key back wants it tried now.
        pool.resetUpstream()
        if let quota = pool.standing(id)?.quota, !quota.allows(1) { pool.set(used: 0, of: id) }
    }

    package func deleteUpstreamKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        let old = try await upstreamKey(id, by: user)
        guard old.source == .database else { throw Self.managedByFile }
        let before = try JSONForm.text(old)
        try upstreamStore.delete("upstream_key", id, ifVersion: ifVersion, before: before, by: user)
        try await gateway.snapshots.publishUpstreams()
    }
}

/// Why a key is as it is, as an operator or a file says it.
enum KeyReason {
    static let limit = 500
    static let rule = "must have at most \(limit) bytes and no control characters"

    static func isValid(_ text: String) -> Bool {
        text.utf8.count <= limit && !TextLine.hasControls(text)
    }

    /// - Throws: `OperationsError` where it does not hold.
    static func check(_ text: String?) throws(OperationsError) {
        guard let text, !isValid(text) else { return }
        throw OperationsError(.invalid, rule, parameter: "reason")
    }
}
