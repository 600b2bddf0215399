import Operations

/// Reads the `upstreams` of the file, and their keys.
enum UpstreamSections {
    private static let keys = [
        "slug", "name", "base_url", "strip_headers", "strip_query", "strip_body_fields", "accept_encoding",
        "timeouts", "strategy", "retry", "limits", "fallbacks",
        "max_cooldown", "ca_file", "proxy_url", "probe", "keys",
    ]

    static func read(_ root: ConfigurationSection) -> [Configuration.Upstream] {
        var slugs: Set<String> = []
        let sections = root.sections("upstreams", keys)
        let known = Set(sections.compactMap { $0.string("slug") })
        return sections.compactMap { section in
            for slug in section.strings("fallbacks") ?? [] where !known.contains(slug) {
                section.warn("the file has no upstream \(slug); operators may have made one", at: "fallbacks")
            }
            guard let upstream = read(upstream: section) else { return nil }
            guard slugs.insert(upstream.slug).inserted else {
                section.report("another upstream has the slug \(upstream.slug)", at: "slug")
                return nil
            }
            return upstream
        }
    }

    private static func read(upstream section: ConfigurationSection) -> Configuration.Upstream? {
        guard let slug = section.string("slug") else {
            section.report("is required", at: "slug")
            return nil
        }
        guard DefinitionRules.isSlug(slug) else {
            section.report(DefinitionRules.slugRule, at: "slug")
            return nil
        }
        guard let text = section.string("base_url") else {
            section.report("is required", at: "base_url")
            return nil
        }
        let baseURL: BaseURL
        do throws(ConfigurationError) {
            baseURL = try BaseURL(text)
        } catch {
            section.report(error.message, at: "base_url")
            return nil
        }
        var definition = UpstreamDefinition(name: section.string("name") ?? slug, baseURL: baseURL)
        readCleaning(section, &definition)
        if let timeouts = section.section("timeouts", ["connect", "first_byte", "idle"]) {
            timeouts.read("connect", into: &definition.timeouts.connect)
            timeouts.read("first_byte", into: &definition.timeouts.firstByte)
            timeouts.read("idle", into: &definition.timeouts.idle)
        }
        section.read("strategy", into: &definition.strategy)
        if let retry = section.section("retry", ["max_attempts", "max_time"]) {
            retry.read("max_attempts", into: &definition.retry.maxAttempts, in: DefinitionRules.attempts)
            retry.read("max_time", into: &definition.retry.maxTime)
        }
        definition.limits = ServerSections.rateLimits(section, "limits")
        definition.fallbacks = section.strings("fallbacks") ?? []
        section.read("max_cooldown", into: &definition.maxCooldown)
        if !DefinitionRules.rests.contains(definition.maxCooldown) {
            section.report("must be from 1s to 90d", at: "max_cooldown")
        }
        if let fault = DefinitionRules.fault(inFallbacks: definition.fallbacks, of: slug) {
            section.report(fault, at: "fallbacks")
        }
        definition.probe = readProbe(section)
        if let text = section.string("proxy_url") {
            do throws(ConfigurationError) {
                definition.proxyURL = try ProxyURL(text)
            } catch {
                section.report(error.message, at: "proxy_url")
            }
        }
        definition.caFile = section.filePath("ca_file")
        if let file = definition.caFile {
            do throws(ConfigurationError) {
                _ = try UpstreamTrust.context(file)
            } catch {
                section.report(error.message, at: "ca_file")
            }
        }
        return Configuration.Upstream(slug: slug, definition: definition, keys: readKeys(section))
    }

    private static func readProbe(_ upstream: ConfigurationSection) -> UpstreamProbe? {
        guard let section = upstream.section("probe", ["path", "interval"]) else { return nil }
        guard let path = section.string("path"), DefinitionRules.isProbePath(path) else {
            section.report(section.has("path") ? DefinitionRules.probePathRule : "is required", at: "path")
            return nil
        }
        var probe = UpstreamProbe(path: path)
        section.read("interval", into: &probe.interval)
        if !DefinitionRules.probeIntervals.contains(probe.interval) {
            section.report("must be from 1s to 1d", at: "interval")
        }
        return probe
    }

    private static func readCleaning(_ section: ConfigurationSection, _ definition: inout UpstreamDefinition)
    {
        if let names = section.strings("strip_headers") {
            definition.stripHeaders = names.map { $0.lowercased() }
        }
        if let names = section.strings("strip_query") { definition.stripQuery = names }
        if let names = section.strings("strip_body_fields") { definition.stripBodyFields = names }
        section.read("accept_encoding", into: &definition.acceptEncoding)
        for name in definition.stripHeaders where !DefinitionRules.isHeaderName(name) {
            section.report("\(name) is not a header name", at: "strip_headers")
        }
    }

    private static func readKeys(_ upstream: ConfigurationSection) -> [Configuration.UpstreamKey] {
        var names: Set<String> = []
        let keys = [
            "name", "value", "location", "param_name", "value_prefix", "weight", "priority", "limits",
            "enable_quota", "quota_total", "quota_period",
        ]
        return upstream.sections("keys", keys).compactMap { section in
            guard let key = read(key: section) else { return nil }
            guard names.insert(key.definition.name).inserted else {
                section.report("another key of this upstream has the name \(key.definition.name)", at: "name")
                return nil
            }
            return key
        }
    }

    private static func read(key section: ConfigurationSection) -> Configuration.UpstreamKey? {
        guard let name = section.string("name"), !name.isEmpty else {
            section.report("is required", at: "name")
            return nil
        }
        guard section.has("value") else {
            section.report("is required", at: "value")
            return nil
        }
        guard let value = section.secret("value") else { return nil }
        var definition = UpstreamKeyDefinition(name: name)
        section.read("location", into: &definition.location)
        section.read("param_name", into: &definition.paramName)
        if definition.location != .header { definition.valuePrefix = "" }
        section.read("value_prefix", into: &definition.valuePrefix)
        section.read("weight", into: &definition.weight, in: DefinitionRules.weights)
        section.read("priority", into: &definition.priority, in: DefinitionRules.priorities)
        definition.limits = ServerSections.rateLimits(section, "limits")
        section.read("enable_quota", into: &definition.quota.isEnabled)
        section.read("quota_period", into: &definition.quota.period)
        if section.has("quota_total") {
            var total = 0
            section.read("quota_total", into: &total, in: Quota.range)
            definition.quota.total = total
        }
        if definition.quota.isEnabled, definition.quota.total == nil {
            section.report("needs quota_total", at: "enable_quota")
        }
        do throws(ConfigurationError) {
            try DefinitionRules.check(definition, value: value)
        } catch {
            section.report(error.message, at: "value")
            return nil
        }
        return Configuration.UpstreamKey(definition: definition, value: value)
    }
}
