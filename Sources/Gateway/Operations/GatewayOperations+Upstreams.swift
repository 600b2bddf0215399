import NIOCore
package import Operations

extension GatewayOperations {
    package func upstreams(by user: Operator) async throws -> Page<Upstream> {
        Page(items: try views())
    }

    package func upstream(_ id: Int, by user: Operator) async throws -> Upstream {
        guard let found = try views().first(where: { $0.id == id }) else {
            throw OperationsError(.notFound, "there is no upstream \(id)")
        }
        return found
    }

    func views() throws -> [Upstream] {
        let files = gateway.configuration.upstreams
        let entries = Dictionary(uniqueKeysWithValues: gateway.snapshots.upstreams.map { ($0.id, $0) })
        return try upstreamStore.upstreamRows().compactMap { row in
            let file = row.source == .file ? files.first { $0.slug == row.slug } : nil
            guard let definition = file?.definition ?? row.definition else { return nil }
            var view = Self.view(row, definition, entries[row.id])
            view.lastProbe = gateway.probes.last(ofUpstream: row.id)
            let rest = gateway.pools.pool(ofUpstream: row.id).upstreamHealth
            if !rest.mayBeUsed {
                if view.health == "up" { view.health = "cooling" }
                view.healthReason = rest.reason
                view.healthSince = rest.since.map(Timestamp.init(microseconds:))
                view.healthUntil = rest.returnsAt.map(Timestamp.init(microseconds:))
            } else if view.health == "no_usable_key" {
                view.healthReason = Self.noUsableKey
            }
            return view
        }
    }

    static let noUsableKey = "every key of it rests or is out of use"

    private static func view(
        _ row: UpstreamRow,
        _ definition: UpstreamDefinition,
        _ entry: UpstreamEntry?
    ) -> Upstream {
        var view = Upstream(
            id: row.id,
            slug: row.slug,
            name: definition.name,
            baseUrl: definition.baseURL.text,
            timeouts: definition.timeouts.text,
            source: row.source
        )
        view.enabled = row.isEnabled
        view.stripHeaders = definition.stripHeaders
        view.stripQuery = definition.stripQuery
        view.stripBodyFields = definition.stripBodyFields
        view.acceptEncoding = definition.acceptEncoding
        view.strategy = definition.strategy
        view.retry = definition.retry.text
        (view.limits, view.fallbacks) = (definition.limits, definition.fallbacks)
        view.maxCooldown = definition.maxCooldown.text
        view.caFile = definition.caFile
        view.proxyUrl = definition.proxyURL?.text
        view.probe = definition.probe?.text
        view.keys = entry?.keys.count ?? 0
        view.version = row.version
        let hasKey = entry?.pool.hasUsableKey ?? true
        view.health = row.isEnabled ? hasKey ? "up" : "no_usable_key" : "disabled"
        return view
    }

    package func createUpstream(_ draft: UpstreamDraft, by user: Operator) async throws -> Upstream {
        try user.require(.operator)
        guard DefinitionRules.isSlug(draft.slug) else {
            throw OperationsError(.invalid, DefinitionRules.slugRule, parameter: "slug")
        }
        var definition = UpstreamDefinition(
            name: draft.name ?? draft.slug,
            baseURL: try Self.baseURL(draft.baseUrl)
        )
        definition.stripHeaders = draft.stripHeaders?.map { $0.lowercased() } ?? definition.stripHeaders
        definition.stripQuery = draft.stripQuery ?? []
        definition.stripBodyFields = draft.stripBodyFields ?? []
        definition.acceptEncoding = draft.acceptEncoding ?? .identity
        definition.strategy = draft.strategy ?? .roundRobin
        if let retry = draft.retry { try Self.apply(retry, to: &definition.retry) }
        definition.maxCooldown = try Self.rest(draft.maxCooldown) ?? definition.maxCooldown
        definition.fallbacks = draft.fallbacks ?? []
        try checkFallbacks(definition.fallbacks, of: draft.slug)
        definition.limits = try draft.limits?.applied(to: RateLimits()) ?? RateLimits()
        definition.caFile = draft.caFile
        definition.proxyURL = try draft.proxyUrl.map(Self.proxyURL)
        definition.probe = try Self.probe(draft.probe)
        if let timeouts = draft.timeouts { try Self.apply(timeouts, to: &definition.timeouts) }
        try Self.check(definition)
        let isEnabled = draft.enabled ?? true
        let id = try upstreamStore.insert(draft.slug, definition, isEnabled: isEnabled, by: user)
        try await gateway.snapshots.publishUpstreams()
        return try await upstream(id, by: user)
    }

    package func changeUpstream(
        _ id: Int,
        _ change: UpstreamChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> Upstream {
        try user.require(.operator)
        if case .set(let slugs) = change.fallbacks {
            try checkFallbacks(slugs, of: try await upstream(id, by: user).slug)
        }
        try upstreamStore.update(id, ifVersion: ifVersion, by: user, action: "change") { row in
            row.isEnabled = change.enabled.applied(to: row.isEnabled) ?? true
            guard change.changesDefinition else { return }
            guard var definition = row.definition else { throw Self.managedByFile }
            try Self.apply(change, to: &definition, slug: row.slug)
            row.definition = definition
        }
        try await gateway.snapshots.publishUpstreams()
        // Whoever enables it wants it tried now.
        if change.enabled == .set(true) { gateway.pools.pool(ofUpstream: id).resetUpstream() }
        return try await upstream(id, by: user)
    }

    private static func apply(
        _ change: UpstreamChange,
        to definition: inout UpstreamDefinition,
        slug: String
    ) throws {
        definition.name = change.name.applied(to: definition.name) ?? slug
        if case .set(let text) = change.baseUrl { definition.baseURL = try baseURL(text) }
        let defaults = UpstreamDefinition(name: slug, baseURL: definition.baseURL)
        definition.stripHeaders =
            (change.stripHeaders.applied(to: definition.stripHeaders) ?? defaults.stripHeaders).map {
                $0.lowercased()
            }
        definition.stripQuery = change.stripQuery.applied(to: definition.stripQuery) ?? []
        definition.stripBodyFields = change.stripBodyFields.applied(to: definition.stripBodyFields) ?? []
        definition.acceptEncoding = change.acceptEncoding.applied(to: definition.acceptEncoding) ?? .identity
        definition.strategy = change.strategy.applied(to: definition.strategy) ?? .roundRobin
        switch change.retry {
        case .keep: break
        case .clear: definition.retry = RetryPolicy()
        case .set(let retry): try apply(retry, to: &definition.retry)
        }
        definition.limits = try change.limits.applied(to: definition.limits)
        definition.maxCooldown =
            try rest(change.maxCooldown.applied(to: definition.maxCooldown.text)) ?? defaults.maxCooldown
        definition.fallbacks = change.fallbacks.applied(to: definition.fallbacks) ?? []
        definition.caFile = change.caFile.applied(to: definition.caFile)
        if !change.proxyUrl.isKept {
            definition.proxyURL = try change.proxyUrl.applied(to: nil).map(proxyURL)
        }
        definition.probe = try probe(change.probe.applied(to: definition.probe?.text))
        switch change.timeouts {
        case .keep: break
        case .clear: definition.timeouts = UpstreamTimeouts()
        case .set(let timeouts): try apply(timeouts, to: &definition.timeouts)
        }
        try check(definition)
    }

    package func deleteUpstream(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        let old = try await upstream(id, by: user)
        guard old.source == .database else { throw Self.managedByFile }
        try Self.checkIsNoFallback(old.slug, try views())
        var kept = old
        kept.lastProbe = nil
        let before = try JSONForm.text(kept)
        try upstreamStore.delete("upstream", id, ifVersion: ifVersion, before: before, by: user)
        try await gateway.snapshots.publishUpstreams()
    }

    static func checkIsNoFallback(_ slug: String, _ upstreams: [Upstream]) throws(OperationsError) {
        guard let user = upstreams.first(where: { $0.fallbacks.contains(slug) }) else { return }
        throw OperationsError(
            .conflict,
            "it stands in for \(user.slug); take it out of those fallbacks first"
        )
    }

    /// The longest rest of a key: not none, and no longer than anybody means.
    private static func rest(_ text: String?) throws(OperationsError) -> Duration? {
        guard let text else { return nil }
        guard let rest = Duration(text: text), DefinitionRules.rests.contains(rest) else {
            throw OperationsError(.invalid, "must be a duration from 1s to 90d", parameter: "max_cooldown")
        }
        return rest
    }

    private static func probe(_ probe: Probe?) throws(OperationsError) -> UpstreamProbe? {
        guard let probe else { return nil }
        guard DefinitionRules.isProbePath(probe.path) else {
            throw OperationsError(.invalid, DefinitionRules.probePathRule, parameter: "probe.path")
        }
        var result = UpstreamProbe(path: probe.path)
        guard let text = probe.interval else { return result }
        guard let interval = Duration(text: text), DefinitionRules.probeIntervals.contains(interval) else {
            throw OperationsError(.invalid, "must be a duration from 1s to 1d", parameter: "probe.interval")
        }
        result.interval = interval
        return result
    }

    private func checkFallbacks(_ slugs: [String], of slug: String) throws {
        let known = Set(try upstreamStore.all().upstreams.map(\.slug))
        let unknown = slugs.first { !known.contains($0) }.map { "there is no upstream \($0)" }
        if let fault = DefinitionRules.fault(inFallbacks: slugs, of: slug) ?? unknown {
            throw OperationsError(.invalid, fault, parameter: "fallbacks")
        }
    }

    static let managedByFile = OperationsError(
        .managedByFile,
        "the configuration file defines this; change it there and reload"
    )

    private static func baseURL(_ text: String) throws -> BaseURL {
        do throws(ConfigurationError) {
            return try BaseURL(text)
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "base_url")
        }
    }

    private static func proxyURL(_ text: String) throws -> ProxyURL {
        do throws(ConfigurationError) {
            let proxy = try ProxyURL(text)
            guard proxy.authorization == nil else {
                throw ConfigurationError("may have a user and password in the configuration file only")
            }
            return proxy
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "proxy_url")
        }
    }

    private static func check(_ definition: UpstreamDefinition) throws {
        try requireText(definition.name, "name")
        for name in definition.stripHeaders where !DefinitionRules.isHeaderName(name) {
            throw OperationsError(.invalid, "\(name) is not a header name", parameter: "strip_headers")
        }
        guard let file = definition.caFile else { return }
        do throws(ConfigurationError) {
            _ = try UpstreamTrust.context(file)
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "ca_file")
        }
    }

    private static func apply(_ change: RetryChange, to retry: inout RetryPolicy) throws {
        if let attempts = change.maxAttempts {
            guard DefinitionRules.attempts.contains(attempts) else {
                let range = DefinitionRules.attempts
                let message = "must be from \(range.lowerBound) to \(range.upperBound)"
                throw OperationsError(.invalid, message, parameter: "retry.max_attempts")
            }
            retry.maxAttempts = attempts
        }
        guard let text = change.maxTime else { return }
        guard let time = Duration(text: text) else {
            throw OperationsError(
                .invalid,
                "must be a duration such as 500ms or 10s",
                parameter: "retry.max_time"
            )
        }
        retry.maxTime = time
    }

    private static func apply(_ change: TimeoutsChange, to timeouts: inout UpstreamTimeouts) throws {
        func set(_ text: String?, _ field: String, _ target: inout Duration) throws {
            guard let text else { return }
            guard let value = Duration(text: text), value > .zero else {
                throw OperationsError(
                    .invalid,
                    "must be a duration such as 500ms or 10s",
                    parameter: "timeouts.\(field)"
                )
            }
            target = value
        }
        try set(change.connect, "connect", &timeouts.connect)
        try set(change.firstByte, "first_byte", &timeouts.firstByte)
        try set(change.idle, "idle", &timeouts.idle)
    }
}

extension UpstreamChange {
    fileprivate var changesDefinition: Bool {
        !(name.isKept && baseUrl.isKept && stripHeaders.isKept && stripQuery.isKept && stripBodyFields.isKept
            && acceptEncoding.isKept && timeouts.isKept && strategy.isKept && retry.isKept && limits.isKept
            && fallbacks.isKept && maxCooldown.isKept && caFile.isKept && proxyUrl.isKept
            && probe.isKept)
    }
}
