/// Where a header's value comes from.
package enum HeaderValueKind: String, Codable, Sendable, CaseIterable {
    case `static`
    case javascript
    case python

    package var language: ScriptLanguage? { ScriptLanguage(rawValue: rawValue) }
}

/// What becomes of an attempt whose header has no value.
package enum HeaderFailurePolicy: String, Codable, Sendable, CaseIterable {
    /// The caller is answered 502, and nothing is sent.
    case fail
    /// The header stays away.
    case omit
    /// Another value takes its place.
    case fallback
}

/// A header that is added to every attempt against an upstream.
package struct HeaderRule: Codable, Sendable, Equatable {
    package var id: Int
    package var upstreamId: Int
    package var name: String
    package var kind: HeaderValueKind
    /// Of a static one.
    @ShownNull package var value: String?
    @ShownNull package var script: String?
    package var onFailure: HeaderFailurePolicy
    @ShownNull package var fallback: String?
    /// How long a value serves the requests of one client key; 0 for one request only.
    package var cacheSeconds: Int
    /// Among those of its upstream, from 1.
    package var position: Int
    package var enabled: Bool
    /// Since the gateway has started; those answered from the cache are not counted.
    package var runs = 0
    package var errors = 0
    /// Whether its last runs have failed one after the other.
    package var failing = false
    @ShownNull package var lastError: String?
    /// How long requests have waited for the value, of the last runs, the way to the worker included; null before the first.
    @ShownNull package var p50Ms: Double?
    @ShownNull package var p95Ms: Double?
    package var version = 1

    package init(id: Int, upstreamId: Int, name: String, kind: HeaderValueKind) {
        self.id = id
        self.upstreamId = upstreamId
        self.name = name
        self.kind = kind
        onFailure = .fail
        cacheSeconds = 0
        position = 0
        enabled = true
        _value = ShownNull(wrappedValue: nil)
        _script = ShownNull(wrappedValue: nil)
        _fallback = ShownNull(wrappedValue: nil)
        _lastError = ShownNull(wrappedValue: nil)
        _p50Ms = ShownNull(wrappedValue: nil)
        _p95Ms = ShownNull(wrappedValue: nil)
    }
}

/// What it takes to make a header rule.
package struct HeaderRuleDraft: Codable, Sendable, Equatable {
    package static let fields = [
        "upstream_id", "name", "kind", "value", "script", "on_failure", "fallback", "cache_seconds",
        "position", "enabled",
    ]

    package var upstreamId: Int
    package var name: String
    package var kind: HeaderValueKind
    package var value: String?
    package var script: String?
    package var onFailure: HeaderFailurePolicy?
    package var fallback: String?
    package var cacheSeconds: Int?
    /// Behind all others when absent.
    package var position: Int?
    package var enabled: Bool?

    package init(upstreamId: Int, name: String, kind: HeaderValueKind) {
        self.upstreamId = upstreamId
        self.name = name
        self.kind = kind
    }
}

/// What may change of a header rule; it stays with its upstream.
package struct HeaderRuleChange: Codable, Sendable, Equatable {
    package static let fields = HeaderRuleDraft.fields.filter { $0 != "upstream_id" }

    package var name: Change<String> = .keep
    package var kind: Change<HeaderValueKind> = .keep
    package var value: Change<String> = .keep
    package var script: Change<String> = .keep
    package var onFailure: Change<HeaderFailurePolicy> = .keep
    package var fallback: Change<String> = .keep
    package var cacheSeconds: Change<Int> = .keep
    package var position: Change<Int> = .keep
    package var enabled: Change<Bool> = .keep

    package init() {}
}

/// Headers that are added to attempts.
package protocol HeaderOperations: Sendable {
    /// In order, of one upstream or of all.
    func headerRules(ofUpstream id: Int?, by user: Operator) async throws -> Page<HeaderRule>
    func headerRule(_ id: Int, by user: Operator) async throws -> HeaderRule
    func createHeaderRule(_ draft: HeaderRuleDraft, by user: Operator) async throws -> HeaderRule
    func changeHeaderRule(
        _ id: Int,
        _ change: HeaderRuleChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> HeaderRule
    func deleteHeaderRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws
    /// `ids`: all of one upstream, in the order in which they are to be added.
    func reorderHeaderRules(_ ids: [Int], by user: Operator) async throws -> Page<HeaderRule>
}
