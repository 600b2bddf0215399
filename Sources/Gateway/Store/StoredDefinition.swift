import Operations

/// An upstream's definition as its database column holds it.
struct StoredDefinition: Codable {
    var name: String
    var baseUrl: String
    var stripHeaders: [String]
    var stripQuery: [String]
    var stripBodyFields: [String]
    var acceptEncoding: AcceptEncoding
    var timeouts: Timeouts
    var strategy: KeyStrategy?
    var retry: Retry?
    var limits: RateLimits?
    var fallbacks: [String]?
    var maxCooldown: String?
    var caFile: String?
    var proxyUrl: String?
    var probe: Probe?

    init(_ definition: UpstreamDefinition) {
        name = definition.name
        baseUrl = definition.baseURL.text
        stripHeaders = definition.stripHeaders
        stripQuery = definition.stripQuery
        stripBodyFields = definition.stripBodyFields
        acceptEncoding = definition.acceptEncoding
        timeouts = definition.timeouts.text
        strategy = definition.strategy
        retry = definition.retry.text
        (limits, fallbacks) = (definition.limits, definition.fallbacks)
        maxCooldown = definition.maxCooldown.text
        caFile = definition.caFile
        proxyUrl = definition.proxyURL?.text
        probe = definition.probe?.text
    }

    func definition() throws -> UpstreamDefinition {
        var definition = UpstreamDefinition(name: name, baseURL: try BaseURL(baseUrl))
        definition.stripHeaders = stripHeaders
        definition.stripQuery = stripQuery
        definition.stripBodyFields = stripBodyFields
        definition.acceptEncoding = acceptEncoding
        definition.timeouts.connect = Duration(text: timeouts.connect) ?? definition.timeouts.connect
        definition.timeouts.firstByte = Duration(text: timeouts.firstByte) ?? definition.timeouts.firstByte
        definition.timeouts.idle = Duration(text: timeouts.idle) ?? definition.timeouts.idle
        definition.strategy = strategy ?? definition.strategy
        definition.retry.maxAttempts = retry?.maxAttempts ?? definition.retry.maxAttempts
        definition.retry.maxTime =
            retry.flatMap { Duration(text: $0.maxTime) } ?? definition.retry.maxTime
        definition.limits = limits ?? definition.limits
        definition.fallbacks = fallbacks ?? []
        definition.maxCooldown =
            maxCooldown.flatMap { Duration(text: $0) } ?? definition.maxCooldown
        definition.caFile = caFile
        definition.proxyURL = try proxyUrl.map { try ProxyURL($0) }
        definition.probe = probe.map { stored in
            var probe = UpstreamProbe(path: stored.path)
            probe.interval = stored.interval.flatMap { Duration(text: $0) } ?? probe.interval
            return probe
        }
        return definition
    }
}

extension RetryPolicy {
    var text: Retry { Retry(maxAttempts: maxAttempts, maxTime: maxTime.text) }
}

extension UpstreamProbe {
    var text: Probe { Probe(path: path, interval: interval.text) }
}

extension UpstreamTimeouts {
    var text: Timeouts {
        Timeouts(connect: connect.text, firstByte: firstByte.text, idle: idle.text)
    }
}
