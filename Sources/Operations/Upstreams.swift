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
    /// `up`, `cooling`, `disabled` or `no_usable_key`.
    package var health: String
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
package struct UpstreamDraft: Codable, Sendable {
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

    package init(slug: String, baseUrl: String) {
        self.slug = slug
        self.baseUrl = baseUrl
    }

    package static let fields = [
        "slug", "name", "base_url", "enabled", "strip_headers", "strip_query", "strip_body_fields",
        "accept_encoding", "timeouts", "strategy", "retry", "limits", "fallbacks",
        "max_cooldown", "ca_file",
    ]
}

/// Timeouts to set; those absent stay.
package struct TimeoutsChange: Codable, Sendable {
    package var connect: String?
    package var firstByte: String?
    package var idle: String?
}

/// What is to change of how often a request is tried; what is absent stays.
package struct RetryChange: Codable, Sendable {
    package var maxAttempts: Int?
    package var maxTime: String?
}

/// What may change of an upstream.
package struct UpstreamChange: Codable, Sendable {
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
    func deleteUpstream(_ id: Int, by user: Operator) async throws
}
