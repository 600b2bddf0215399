/// How long an attempt may wait.
package struct Timeouts: Codable, Sendable, Equatable {
    /// Durations as text: `5s`.
    package var connect: String
    package var firstByte: String
    package var idle: String

    package init(connect: String, firstByte: String, idle: String) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
    }
}

/// How often a request is tried.
package struct Retry: Codable, Sendable, Equatable {
    package var maxAttempts: Int
    /// A duration as text: `60s`.
    package var maxTime: String

    package init(maxAttempts: Int, maxTime: String) {
        self.maxAttempts = maxAttempts
        self.maxTime = maxTime
    }
}

/// A free `GET` that tells whether a backend is there and knows a key.
package struct Probe: Codable, Sendable, Equatable {
    /// After the base URL.
    package var path: String
    /// A duration as text; `60s` when absent.
    package var interval: String?

    package init(path: String, interval: String?) {
        self.path = path
        self.interval = interval
    }
}

/// What came of asking a backend something that costs nothing.
package struct ProbeResult: Codable, Sendable, Equatable {
    package var time: Timestamp
    /// What was asked: the path, and the key's name if one was sent.
    package var path: String
    @ShownNull package var upstreamKey: String?
    /// Whether it answered 2xx.
    package var success: Bool
    @ShownNull package var status: Int?
    /// Why there is no answer.
    @ShownNull package var error: String?
    /// The beginning of an answer that was no success.
    @ShownNull package var body: String?
    @ShownNull package var address: String?
    @ShownNull package var connectMs: Double?
    @ShownNull package var firstByteMs: Double?
    /// In words: what it means, and what it has changed.
    package var message: String

    package init(time: Timestamp, path: String, upstreamKey: String?) {
        self.time = time
        self.path = path
        _upstreamKey = ShownNull(wrappedValue: upstreamKey)
        success = false
        message = ""
    }
}

/// A backend as operators see it.
package struct Upstream: Codable, Sendable, Equatable {
    package var id: Int
    package var slug: String
    package var name: String
    package var baseUrl: String
    package var enabled: Bool
    package var stripHeaders: [String]
    package var stripQuery: [String]
    package var stripBodyFields: [String]
    package var acceptEncoding: AcceptEncoding
    package var timeouts: Timeouts
    package var strategy: KeyStrategy
    package var retry: Retry
    package var limits: RateLimits
    /// Slugs of those that stand in when no key of this one can serve a request.
    package var fallbacks: [String]
    /// The longest rest of a key, as text: `24h`.
    package var maxCooldown: String
    @ShownNull package var caFile: String?
    /// The proxy through which it is reached, without a password.
    @ShownNull package var proxyUrl: String?
    @ShownNull package var probe: Probe?
    /// The last answer to it, since the start.
    @ShownNull package var lastProbe: ProbeResult?
    /// `up`, `cooling`, `disabled` or `no_usable_key`.
    package var health: String
    /// Why it rests, and until when; nil for the latter while one request finds out whether it is back.
    @ShownNull package var healthReason: String?
    @ShownNull package var healthSince: Timestamp?
    @ShownNull package var healthUntil: Timestamp?
    package var keys: Int
    package var source: Source
    package var version: Int

    package init(
        id: Int,
        slug: String,
        name: String,
        baseUrl: String,
        timeouts: Timeouts,
        source: Source
    ) {
        self.id = id
        self.slug = slug
        self.name = name
        self.baseUrl = baseUrl
        self.timeouts = timeouts
        self.source = source
        enabled = true
        stripHeaders = []
        stripQuery = []
        stripBodyFields = []
        acceptEncoding = .identity
        strategy = .roundRobin
        retry = Retry(maxAttempts: 3, maxTime: "60s")
        limits = RateLimits()
        fallbacks = []
        maxCooldown = "24h"
        health = "up"
        keys = 0
        version = 1
    }
}

/// What it takes to create an upstream.
package struct UpstreamDraft: Codable, Sendable, Equatable {
    package var slug: String
    package var name: String?
    package var baseUrl: String
    package var enabled: Bool?
    package var stripHeaders: [String]?
    package var stripQuery: [String]?
    package var stripBodyFields: [String]?
    package var acceptEncoding: AcceptEncoding?
    package var timeouts: TimeoutsChange?
    package var strategy: KeyStrategy?
    package var retry: RetryChange?
    package var limits: RateLimitsChange?
    package var fallbacks: [String]?
    package var maxCooldown: String?
    package var caFile: String?
    package var proxyUrl: String?
    package var probe: Probe?

    package init(slug: String, baseUrl: String) {
        self.slug = slug
        self.baseUrl = baseUrl
    }

    /// With the fields of a change in place of those that it has too.
    package init(slug: String, baseUrl: String, _ change: UpstreamChange) {
        self.init(slug: slug, baseUrl: baseUrl)
        func value<Value>(_ change: Change<Value>) -> Value? { change.applied(to: nil) }
        (name, enabled, strategy) = (value(change.name), value(change.enabled), value(change.strategy))
        (stripHeaders, stripQuery) = (value(change.stripHeaders), value(change.stripQuery))
        (stripBodyFields, acceptEncoding) = (value(change.stripBodyFields), value(change.acceptEncoding))
        (timeouts, retry, limits) = (value(change.timeouts), value(change.retry), value(change.limits))
        (fallbacks, maxCooldown) = (value(change.fallbacks), value(change.maxCooldown))
        (caFile, probe, proxyUrl) = (value(change.caFile), value(change.probe), value(change.proxyUrl))
    }

    package static let fields = [
        "slug", "name", "base_url", "enabled", "strip_headers", "strip_query", "strip_body_fields",
        "accept_encoding", "timeouts", "strategy", "retry", "limits", "fallbacks",
        "max_cooldown", "ca_file", "proxy_url", "probe",
    ]
}

/// Timeouts to set; those absent stay.
package struct TimeoutsChange: Codable, Sendable, Equatable {
    package var connect: String?
    package var firstByte: String?
    package var idle: String?

    package init(connect: String?, firstByte: String?, idle: String?) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
    }
}

/// What is to change of how often a request is tried; what is absent stays.
package struct RetryChange: Codable, Sendable, Equatable {
    package var maxAttempts: Int?
    package var maxTime: String?

    package init(maxAttempts: Int?, maxTime: String?) {
        self.maxAttempts = maxAttempts
        self.maxTime = maxTime
    }
}

/// What may change of an upstream.
package struct UpstreamChange: Codable, Sendable, Equatable {
    package var name: Change<String> = .keep
    package var baseUrl: Change<String> = .keep
    package var enabled: Change<Bool> = .keep
    package var stripHeaders: Change<[String]> = .keep
    package var stripQuery: Change<[String]> = .keep
    package var stripBodyFields: Change<[String]> = .keep
    package var acceptEncoding: Change<AcceptEncoding> = .keep
    package var timeouts: Change<TimeoutsChange> = .keep
    package var strategy: Change<KeyStrategy> = .keep
    package var retry: Change<RetryChange> = .keep
    package var limits: Change<RateLimitsChange> = .keep
    package var fallbacks: Change<[String]> = .keep
    package var maxCooldown: Change<String> = .keep
    package var caFile: Change<String> = .keep
    package var proxyUrl: Change<String> = .keep
    package var probe: Change<Probe> = .keep

    package init() {}

    package static let fields = UpstreamDraft.fields.filter { $0 != "slug" }
}

/// Backends.
package protocol UpstreamOperations: Sendable {
    func upstreams(by user: Operator) async throws -> Page<Upstream>
    func upstream(_ id: Int, by user: Operator) async throws -> Upstream
    func createUpstream(_ draft: UpstreamDraft, by user: Operator) async throws -> Upstream
    func changeUpstream(
        _ id: Int,
        _ change: UpstreamChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> Upstream
    func deleteUpstream(_ id: Int, ifVersion: Int?, by user: Operator) async throws
    /// Asks it something that costs nothing: its probe's path, or the one given, or the base URL itself.
    func testUpstream(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult
}
