/// The columns that a kind of file may have.
package protocol ImportColumn: RawRepresentable, CaseIterable, Hashable, Sendable where RawValue == String {
    /// Each column's place in `allCases`.
    static var places: [Self: Int] { get }
    /// A file without them is refused.
    static var required: [Self] { get }
    /// One of them at least has to be there; empty where that does not matter.
    static var alternatives: [Self] { get }
    /// What a JSON file may say beside its list, for all of its rows.
    static var shared: [Self] { get }
    /// Columns of several texts.
    static var lists: Set<Self> { get }
    /// Columns whose empty text is another thing than none.
    static var emptyTexts: Set<Self> { get }
    /// Whether a row that ends before the last column is refused: what it leaves out would be allowed.
    static var needsWholeRows: Bool { get }
    /// Columns that the API has inside an object, by the object's name and the field's.
    static var nested: [String: [String: Self]] { get }
    /// Columns and fields that an export writes and that mean nothing to an import.
    static var passedOver: Set<String> { get }
}

extension ImportColumn {
    fileprivate static var counted: [Self: Int] {
        Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
    }

    /// Rate limits are called the same in a file and in the API.
    fileprivate static var limits: [String: Self] {
        Dictionary(
            uniqueKeysWithValues: RateLimits.fields.compactMap { name in
                Self(rawValue: name).map { (name, $0) }
            }
        )
    }
}

/// The columns of a file of upstream keys, in the order in which an export has them.
package enum KeyColumn: String, ImportColumn {
    case upstreamID = "upstream_id"
    case name
    case keyValue = "key_value"
    case location
    case paramName = "param_name"
    case valuePrefix = "value_prefix"
    case enableQuota = "enable_quota"
    case quotaTotal = "quota_total"
    // What the seeds do not have.
    case quotaPeriod = "quota_period"
    case weight
    case priority
    case requestsPerMinute = "requests_per_minute"
    case requestsPerHour = "requests_per_hour"
    case requestsPerDay = "requests_per_day"
    case concurrency
    case state
    case reason
    /// A slug, in the place of `upstream_id`.
    case upstream

    package static let places = counted
    package static let required: [KeyColumn] = [.name, .keyValue]
    package static let alternatives: [KeyColumn] = [.upstreamID, .upstream]
    package static let shared: [KeyColumn] = [.upstreamID, .upstream]
    package static let lists: Set<KeyColumn> = []
    package static let emptyTexts: Set<KeyColumn> = [.valuePrefix]
    package static let needsWholeRows = false
    package static let nested: [String: [String: KeyColumn]] = ["limits": limits]
    package static let passedOver: Set<String> = []

    /// Of a template.
    package static let common: [KeyColumn] = [
        .upstreamID, .name, .keyValue, .location, .paramName, .valuePrefix, .enableQuota, .quotaTotal,
    ]
}

/// The columns of a file of client keys, in the order in which an export has them.
package enum ClientKeyColumn: String, ImportColumn {
    case name
    case owner
    case expiresAt = "expires_at"
    case upstreams
    case paths
    case models
    case cidrs
    case requestsPerMinute = "requests_per_minute"
    case requestsPerHour = "requests_per_hour"
    case requestsPerDay = "requests_per_day"
    case concurrency
    case quotaTotal = "quota_total"
    case quotaUnit = "quota_unit"
    case quotaPeriod = "quota_period"
    case enabled
    case notes
    case revokedAt = "revoked_at"
    /// The prefix of the key whose limits and quota go on in this one.
    case countsAsPrefix = "counts_as_prefix"
    // By these three a key that callers have already goes on to work.
    case prefix
    case last4
    /// SHA-256 of the whole key, in hexadecimal digits.
    case digest

    package static let places = counted
    package static let required: [ClientKeyColumn] = [.name]
    package static let alternatives: [ClientKeyColumn] = []
    package static let shared: [ClientKeyColumn] = []
    package static let emptyTexts: Set<ClientKeyColumn> = []
    package static let needsWholeRows = true
    package static let lists: Set<ClientKeyColumn> = [.upstreams, .paths, .models, .cidrs]
    package static let nested: [String: [String: ClientKeyColumn]] = [
        "limits": limits,
        "permissions": ["upstreams": .upstreams, "paths": .paths, "models": .models, "cidrs": .cidrs],
        "quota": ["total": .quotaTotal, "unit": .quotaUnit, "period": .quotaPeriod],
    ]
    package static let passedOver: Set<String> = [
        "id", "created_at", "last_used_at", "quota_used", "counts_as", "source", "version", "used",
        "resets_at",
    ]

    /// Of a template.
    package static let common: [ClientKeyColumn] = [
        .name, .owner, .expiresAt, .upstreams, .paths, .models, .requestsPerMinute, .requestsPerDay,
        .quotaTotal, .quotaUnit, .quotaPeriod, .notes,
    ]
}
