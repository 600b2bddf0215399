/// Whether a provider key is used, and if not, why.
package enum KeyState: String, Codable, Sendable, CaseIterable {
    case active
    /// Rests until a time.
    case cooling
    /// Its quota is used up.
    case exhausted
    case disabled
    case banned
}

/// A provider credential as operators see it; its value never leaves the gateway.
package struct UpstreamKey: Codable, Sendable, Equatable {
    package var id: Int
    package var upstreamId: Int
    package var upstream: String
    package var name: String
    package var maskedValue: String
    package var location: KeyLocation
    package var paramName: String
    package var valuePrefix: String
    package var weight: Int
    package var priority: Int
    package var limits: RateLimits
    package var enableQuota: Bool
    @ShownNull package var quotaTotal: Int?
    package var quotaUsed: Int
    package var quotaPeriod: QuotaPeriod
    @ShownNull package var quotaResetsAt: Timestamp?
    package var state: KeyState
    @ShownNull package var reason: String?
    /// What has brought it there: `failures`, `told`, `credential` or `hand`; null while it is in use.
    @ShownNull package var cause: String?
    @ShownNull package var until: Timestamp?
    /// When it ceased to be used; null while it is in use, and where that has not been noted.
    @ShownNull package var since: Timestamp?
    package var inFlight: Int
    @ShownNull package var lastError: String?
    @ShownNull package var lastUsedAt: Timestamp?
    package var source: Source
    package var version: Int

    package init(
        id: Int,
        upstreamId: Int,
        upstream: String,
        name: String,
        maskedValue: String,
        source: Source
    ) {
        self.id = id
        self.upstreamId = upstreamId
        self.upstream = upstream
        self.name = name
        self.maskedValue = maskedValue
        self.source = source
        location = .header
        paramName = "Authorization"
        valuePrefix = "Bearer "
        weight = 1
        priority = 0
        limits = RateLimits()
        enableQuota = false
        quotaUsed = 0
        quotaPeriod = .none
        state = .active
        inFlight = 0
        version = 1
    }
}

/// What it takes to add a provider key.
package struct UpstreamKeyDraft: Codable, Sendable, Equatable {
    package var upstreamId: Int
    package var name: String
    package var keyValue: String
    package var location: KeyLocation?
    package var paramName: String?
    package var valuePrefix: String?
    package var weight: Int?
    package var priority: Int?
    package var limits: RateLimitsChange?
    package var enableQuota: Bool?
    package var quotaTotal: Int?
    package var quotaPeriod: QuotaPeriod?

    package init(upstreamId: Int, name: String, keyValue: String) {
        self.upstreamId = upstreamId
        self.name = name
        self.keyValue = keyValue
    }

    package static let fields = [
        "upstream_id", "name", "key_value", "location", "param_name", "value_prefix", "weight", "priority",
        "limits", "enable_quota", "quota_total", "quota_period",
    ]
}

/// What may change of a provider key.
package struct UpstreamKeyChange: Codable, Sendable, Equatable {
    package var name: Change<String> = .keep
    package var keyValue: Change<String> = .keep
    package var location: Change<KeyLocation> = .keep
    package var paramName: Change<String> = .keep
    package var valuePrefix: Change<String> = .keep
    package var weight: Change<Int> = .keep
    package var priority: Change<Int> = .keep
    package var limits: Change<RateLimitsChange> = .keep
    package var enableQuota: Change<Bool> = .keep
    package var quotaTotal: Change<Int> = .keep
    package var quotaPeriod: Change<QuotaPeriod> = .keep
    /// Sets what is used; 0 begins anew.
    package var quotaUsed: Change<Int> = .keep

    package init() {}

    package static let fields = UpstreamKeyDraft.fields.filter { $0 != "upstream_id" } + ["quota_used"]
}

/// Which upstream keys are wanted.
package struct UpstreamKeyQuery: Sendable, Equatable {
    package var upstream: Int?
    /// Exactly this name.
    package var name: String?
    package var limit = 100
    package var cursor: String?

    package init() {}
}

extension UpstreamKeyOperations {
    /// More keys than a person goes through.
    private static var listLimit: Int { 5000 }

    /// Page after page, in one list; with a cursor where there are more than can be gone through.
    package func upstreamKeys(upstream: Int?, by user: Operator) async throws -> Page<UpstreamKey> {
        var query = UpstreamKeyQuery()
        (query.upstream, query.limit) = (upstream, 1000)
        var all: [UpstreamKey] = []
        repeat {
            let page = try await upstreamKeys(query, by: user)
            all += page.items
            query.cursor = page.nextCursor
        } while query.cursor != nil && all.count < Self.listLimit
        return Page(items: all, nextCursor: query.cursor)
    }
}

/// Provider keys: the pool.
package protocol UpstreamKeyOperations: Sendable {
    /// In the order of their ids.
    func upstreamKeys(_ query: UpstreamKeyQuery, by user: Operator) async throws -> Page<UpstreamKey>
    func upstreamKey(_ id: Int, by user: Operator) async throws -> UpstreamKey
    func createUpstreamKey(_ draft: UpstreamKeyDraft, by user: Operator) async throws -> UpstreamKey
    func changeUpstreamKey(
        _ id: Int,
        _ change: UpstreamKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> UpstreamKey
    func setUpstreamKeyState(
        _ id: Int,
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> UpstreamKey
    func deleteUpstreamKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws
    /// Asks its upstream something that costs nothing, with this key.
    func testUpstreamKey(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult
}
