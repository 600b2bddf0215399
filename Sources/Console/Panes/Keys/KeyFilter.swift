import Operations

/// The shared filter, asked of a client key.
enum KeyFilter {
    static let fields: Set<LogFilter.Field> = [.client, .owner, .upstream]

    static func accepts(_ filter: LogFilter, _ key: ClientKey) -> Bool {
        ListFilter.accepts(filter, words: [key.name, key.owner, key.prefix, key.notes]) { condition in
            switch condition.field {
            case .client: ListFilter.compare(condition, to: key.name)
            case .owner: ListFilter.compare(condition, to: key.owner)
            case .upstream: mayUse(condition, key.permissions.upstreams)
            default: nil
            }
        }
    }

    /// A key without a list may use all upstreams.
    private static func mayUse(_ condition: LogFilter.Condition, _ allowed: [String]) -> Bool? {
        guard ListFilter.compare(condition, to: "") != nil else { return nil }
        if condition.relation == .unequal {
            return !allowed.isEmpty && allowed.allSatisfy { ListFilter.compare(condition, to: $0) ?? true }
        }
        return allowed.isEmpty || allowed.contains { ListFilter.compare(condition, to: $0) ?? false }
    }
}
