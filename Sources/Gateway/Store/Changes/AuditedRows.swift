import Operations

/// An upstream as the operators' audit shows it.
struct AuditedUpstream: Encodable {
    let slug: String
    let enabled: Bool
    /// nil where the file has it.
    let definition: StoredDefinition?

    init(_ row: UpstreamRow) {
        (slug, enabled, definition) = (row.slug, row.isEnabled, row.definition.map(StoredDefinition.init))
    }
}

/// An upstream key as the operators' audit shows it: of its value only that it has become another one.
struct AuditedKey: Encodable {
    let name: String
    let location: KeyLocation
    let paramName: String
    let valuePrefix: String
    let weight: Int
    let priority: Int
    let limits: RateLimits?
    let quota: KeyQuota?
    let state: KeyState
    let reason: String?
    let keyValue: String?

    init(_ row: UpstreamKeyRow, hasNewValue: Bool = false) {
        self.init(row.definition, hasNewValue: hasNewValue, state: row.health.name, reason: row.health.reason)
    }

    init(
        _ definition: UpstreamKeyDefinition,
        hasNewValue: Bool = false,
        state: KeyState = .active,
        reason: String? = nil
    ) {
        (name, location) = (definition.name, definition.location)
        (paramName, valuePrefix) = (definition.paramName, definition.valuePrefix)
        (weight, priority) = (definition.weight, definition.priority)
        limits = definition.limits.isUnlimited ? nil : definition.limits
        quota = definition.quota.isEnabled ? definition.quota : nil
        (self.state, self.reason) = (state, reason)
        keyValue = hasNewValue ? "(another, not shown)" : nil
    }
}
