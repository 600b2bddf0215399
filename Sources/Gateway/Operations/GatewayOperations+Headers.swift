package import Operations

extension GatewayOperations {
    private var headerStore: HeaderRuleStore { HeaderRuleStore(database: gateway.store.database) }

    package func headerRules(ofUpstream id: Int?, by user: Operator) async throws -> Page<HeaderRule> {
        let rules = try headerStore.all().filter { id == nil || $0.upstreamId == id }
        return Page(items: rules.map { shown($0, to: user) })
    }

    package func headerRule(_ id: Int, by user: Operator) async throws -> HeaderRule {
        guard let rule = try headerStore.all().first(where: { $0.id == id }) else {
            throw OperationsError(.notFound, "there is no header rule \(id)")
        }
        return shown(rule, to: user)
    }

    /// Values, and keys inside scripts, are for who may change them.
    private func shown(_ rule: HeaderRule, to user: Operator) -> HeaderRule {
        let figures = gateway.headerRules.figures(of: rule).now
        var rule = rule
        rule.runs = figures.runs
        rule.errors = figures.errors
        rule.failing = figures.isFailing
        rule.lastError = figures.lastError
        rule.p50Ms = figures.percentile(50)
        rule.p95Ms = figures.percentile(95)
        if user.role < .operator {
            let hidden = "(for operators)"
            rule.value = rule.value.map { _ in hidden }
            rule.fallback = rule.fallback.map { _ in hidden }
            rule.script = rule.script.map { _ in hidden }
            rule.lastError = rule.lastError.map { _ in hidden }
        }
        return rule
    }

    package func createHeaderRule(_ draft: HeaderRuleDraft, by user: Operator) async throws -> HeaderRule {
        try user.require(.operator)
        let upstream = gateway.snapshots.upstreams.first { $0.id == draft.upstreamId }
        guard let upstream else {
            let missing = "there is no upstream \(draft.upstreamId)"
            throw OperationsError(.invalid, missing, parameter: "upstream_id")
        }
        var rule = HeaderRule(id: 0, upstreamId: upstream.id, name: draft.name, kind: draft.kind)
        rule.value = draft.value
        rule.script = draft.script
        rule.onFailure = draft.onFailure ?? .fail
        rule.fallback = draft.fallback
        rule.cacheSeconds = draft.cacheSeconds ?? 0
        rule.position = draft.position ?? .max
        rule.enabled = draft.enabled ?? true
        try check(rule, upstream)
        try await checkScript(of: rule)
        let id = try headerStore.create(rule, by: user)
        return try await publishedHeaderRule(id, by: user)
    }

    package func changeHeaderRule(
        _ id: Int,
        _ change: HeaderRuleChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> HeaderRule {
        try user.require(.operator)
        let upstreams = gateway.snapshots.upstreams
        if !change.script.isKept || !change.kind.isKept {
            var after = try await headerRule(id, by: user)
            after.kind = change.kind.applied(to: after.kind) ?? after.kind
            after.script = change.script.applied(to: after.script)
            try await checkScript(of: after)
        }
        try headerStore.change(id, ifVersion: ifVersion, by: user) { rule in
            rule.name = change.name.applied(to: rule.name) ?? rule.name
            rule.kind = change.kind.applied(to: rule.kind) ?? rule.kind
            rule.value = change.value.applied(to: rule.value)
            rule.script = change.script.applied(to: rule.script)
            rule.onFailure = change.onFailure.applied(to: rule.onFailure) ?? .fail
            rule.fallback = change.fallback.applied(to: rule.fallback)
            rule.cacheSeconds = change.cacheSeconds.applied(to: rule.cacheSeconds) ?? 0
            rule.position = change.position.applied(to: rule.position) ?? .max
            rule.enabled = change.enabled.applied(to: rule.enabled) ?? true
            try self.check(rule, upstreams.first { [id = rule.upstreamId] in $0.id == id })
        }
        return try await publishedHeaderRule(id, by: user)
    }

    package func deleteHeaderRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        try headerStore.delete(id, ifVersion: ifVersion, by: user)
        try await gateway.snapshots.publishUpstreams()
    }

    package func reorderHeaderRules(_ ids: [Int], by user: Operator) async throws -> Page<HeaderRule> {
        try user.require(.operator)
        try headerStore.reorder(ids, by: user)
        try await gateway.snapshots.publishUpstreams()
        let upstream = try await headerRule(ids[0], by: user).upstreamId
        return try await headerRules(ofUpstream: upstream, by: user)
    }

    private func check(_ rule: HeaderRule, _ upstream: UpstreamEntry?) throws(OperationsError) {
        try HeaderRuleChecks.check(rule)
        guard rule.position >= 1 else {
            throw OperationsError(.invalid, "must be a number from 1", parameter: "position")
        }
        let name = rule.name.lowercased()
        let isOfKeys = upstream?.keys.contains {
            $0.definition.location == .header && $0.definition.paramName.lowercased() == name
        }
        guard isOfKeys != true else {
            let taken = "\(rule.name) is where this upstream's keys go"
            throw OperationsError(.invalid, taken, parameter: "name")
        }
    }

    /// One that does not hold would fail for every caller.
    private func checkScript(of rule: HeaderRule) async throws {
        guard let language = rule.kind.language, let script = rule.script else { return }
        try ScriptChecks.check(script)
        let outcome = await gateway.scripts.check(language, script)
        switch outcome.end {
        case .value: return
        case .refused(let reason): throw OperationsError(.unavailable, reason)
        case .failed(let message, let line, let column):
            let place = line > 0 ? "line \(line)\(column > 0 ? ", column \(column)" : ""): " : ""
            throw OperationsError(.invalid, place + message, parameter: "script")
        case .timedOut, .tooMuchMemory, .crashed:
            throw OperationsError(.invalid, outcome.failure ?? "cannot be read", parameter: "script")
        }
    }

    private func publishedHeaderRule(_ id: Int, by user: Operator) async throws -> HeaderRule {
        try await gateway.snapshots.publishUpstreams()
        return try await headerRule(id, by: user)
    }
}
