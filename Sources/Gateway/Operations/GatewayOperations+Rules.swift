package import Operations

extension GatewayOperations {
    private var ruleStore: RuleStore { RuleStore(database: gateway.store.database) }

    package func rules(by user: Operator) async throws -> Page<Rule> {
        Page(items: try ruleStore.all())
    }

    package func rule(_ id: Int, by user: Operator) async throws -> Rule {
        guard let rule = try ruleStore.all().first(where: { $0.id == id }) else {
            throw OperationsError(.notFound, "there is no rule \(id)")
        }
        return rule
    }

    /// All rules together must hold: they are looked for in one pass.
    private static let check: @Sendable ([Rule]) throws -> Void = { _ = try RuleSets($0) }

    package func createRule(_ draft: RuleDraft, by user: Operator) async throws -> Rule {
        try user.require(.operator)
        try checkUpstream(draft.upstreamId)
        try Self.check(position: draft.position)
        var rule = Rule(id: 0, name: draft.name, when: draft.when, then: draft.then)
        rule.upstreamId = draft.upstreamId
        rule.enabled = draft.enabled ?? true
        rule.threshold = draft.threshold
        rule.position = draft.position ?? .max
        // One that is off is compiled when it is put on; its own faults are told now.
        try RuleChecks.checkNew(rule)
        let id = try ruleStore.create(rule, by: user, check: Self.check)
        try await gateway.snapshots.publishUpstreams()
        return try await self.rule(id, by: user)
    }

    package func changeRule(
        _ id: Int,
        _ change: RuleChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> Rule {
        try user.require(.operator)
        if case .set(let upstream) = change.upstreamId { try checkUpstream(upstream) }
        if case .set(let position) = change.position { try Self.check(position: position) }
        try ruleStore.change(id, ifVersion: ifVersion, by: user, check: Self.check) { rule in
            rule.upstreamId = change.upstreamId.applied(to: rule.upstreamId)
            rule.name = change.name.applied(to: rule.name) ?? rule.name
            rule.enabled = change.enabled.applied(to: rule.enabled) ?? true
            rule.position = change.position.applied(to: rule.position) ?? .max
            rule.when = change.when.applied(to: rule.when) ?? RuleCondition()
            rule.threshold = change.threshold.applied(to: rule.threshold)
            rule.then = change.then.applied(to: rule.then) ?? []
            try RuleChecks.checkNew(rule)
        }
        try await gateway.snapshots.publishUpstreams()
        return try await rule(id, by: user)
    }

    package func deleteRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        try ruleStore.delete(id, ifVersion: ifVersion, by: user)
        try await gateway.snapshots.publishUpstreams()
    }

    package func reorderRules(_ ids: [Int], by user: Operator) async throws -> Page<Rule> {
        try user.require(.operator)
        try ruleStore.reorder(ids, by: user)
        try await gateway.snapshots.publishUpstreams()
        return try await rules(by: user)
    }

    package func resetRules(by user: Operator) async throws -> Page<Rule> {
        try user.require(.operator)
        try ruleStore.resetDefaults(by: user)
        try await gateway.snapshots.publishUpstreams()
        return try await rules(by: user)
    }

    private static func check(position: Int?) throws {
        guard let position, position < 1 else { return }
        throw OperationsError(.invalid, "must be a number from 1", parameter: "position")
    }

    private func checkUpstream(_ id: Int?) throws {
        guard let id else { return }
        guard gateway.snapshots.upstreams.contains(where: { $0.id == id }) else {
            throw OperationsError(.invalid, "there is no upstream \(id)", parameter: "upstream_id")
        }
    }

    // MARK: Trying

    package func testRules(_ test: RuleTest, by user: Operator) async throws -> RuleTestResult {
        var outcome = AttemptOutcome()
        var upstream = test.upstreamId
        if let id = test.logId {
            let detail = try await log(id, by: user)
            // Of one that is gone the rules for all are asked.
            let known = detail.record.upstreamId.flatMap { id in
                gateway.snapshots.upstreams.contains { $0.id == id } ? id : nil
            }
            upstream = upstream ?? known
            outcome = Self.outcome(detail)
        }
        outcome.status = test.status ?? outcome.status
        outcome.error = test.error ?? outcome.error
        if let headers = test.headers { outcome.headers = Self.fields(headers) }
        if let body = test.body { outcome.body = Array(body.utf8.prefix(AttemptOutcome.bodyLimit)) }
        outcome.latencyMilliseconds = test.latencyMs ?? outcome.latencyMilliseconds
        outcome.model = test.model ?? outcome.model
        guard outcome.status != nil || outcome.error != nil else {
            throw OperationsError(.invalid, "name a status, an error, or a log_id", parameter: "status")
        }
        if let status = test.status, !(100...599).contains(status) {
            throw OperationsError(.invalid, "must be from 100 to 599", parameter: "status")
        }
        try checkUpstream(upstream)
        let known = gateway.snapshots.upstreams.first { $0.id == upstream }
        let rules = try known?.rules ?? CompiledRules(try ruleStore.all().filter { $0.upstreamId == nil })
        let longest = known?.definition.maxCooldown ?? HealthStateMachine.Policy().longestRest
        return Self.result(rules, outcome, now: WallClock.now().microseconds, longest: longest)
    }

    private static func fields(_ headers: [String: String]) -> [(name: String, value: String)] {
        headers.map { ($0.key.lowercased(), $0.value) }.sorted { $0.name < $1.name }
    }

    private static func outcome(_ detail: LogDetail) -> AttemptOutcome {
        var outcome = AttemptOutcome()
        let last = detail.attemptsDetail.last
        outcome.status = last?.status
        outcome.error = last?.status == nil ? last?.error.flatMap(error) : nil
        outcome.headers = fields(detail.responseHeaders ?? [:])
        outcome.body = Array((detail.responseBody ?? "").utf8.prefix(AttemptOutcome.bodyLimit))
        outcome.latencyMilliseconds = Int(last?.ttftMs ?? last?.durationMs ?? 0)
        outcome.model = detail.record.model
        return outcome
    }

    /// `connect: connection refused` as rules know it.
    private static func error(_ detail: String) -> RuleError? {
        let kind = detail.prefix { $0 != ":" }
        return AttemptFailure.Kind(rawValue: String(kind))?.ruleError
    }

    private static func result(
        _ rules: CompiledRules,
        _ outcome: AttemptOutcome,
        now: Int,
        longest: Duration
    ) -> RuleTestResult {
        var acting: Rule?
        let steps = rules.explain(outcome).map { rule, mismatch in
            let fits = mismatch == nil
            let acts = fits && acting == nil && rule.threshold == nil
            if acts { acting = rule }
            let waits = rule.threshold.map { "acts the \($0.count)th time within \($0.seconds) s" }
            let why = mismatch ?? waits ?? (acts ? nil : "another rule acts before it")
            return RuleTestResult.Step(ruleId: rule.id, name: rule.name, fits: fits, acts: acts, why: why)
        }
        let judgement = OutcomeJudge(rules: rules).judge(outcome, now: now) { _ in false }
        return RuleTestResult(
            ruleId: acting?.id,
            actions: acting?.then ?? [],
            effect: judgement.words(now: now, longest: longest),
            rules: steps
        )
    }
}
