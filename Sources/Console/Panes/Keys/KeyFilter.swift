import Operations

/// The shared filter, asked of a client key: what speaks of requests only is left out of account.
enum KeyFilter {
    static func accepts(_ filter: LogFilter, _ key: ClientKey) -> Bool {
        verdict(filter, key) ?? true
    }

    /// Whether something in the filter cannot be asked of a key, and so has no say in which keys are listed.
    static func ignoresPart(of filter: LogFilter) -> Bool {
        switch filter {
        case .all, .text: false
        case .not(let inner): ignoresPart(of: inner)
        case .and(let left, let right), .or(let left, let right):
            ignoresPart(of: left) || ignoresPart(of: right)
        case .condition(let condition): !Self.asksOfKeys(condition)
        }
    }

    private static func asksOfKeys(_ condition: LogFilter.Condition) -> Bool {
        guard case .text = condition.value else { return false }
        switch condition.relation {
        case .contains, .equal, .unequal: return [.client, .owner, .upstream].contains(condition.field)
        default: return false
        }
    }

    /// nil when the filter says nothing about keys.
    private static func verdict(_ filter: LogFilter, _ key: ClientKey) -> Bool? {
        switch filter {
        case .all: return nil
        case .text(let word):
            let texts = [key.name, key.owner, key.prefix, key.notes]
            return texts.contains { $0.lowercased().contains(word.lowercased()) }
        case .not(let inner): return verdict(inner, key).map { !$0 }
        case .and(let left, let right):
            let (left, right) = (verdict(left, key), verdict(right, key))
            guard left != nil || right != nil else { return nil }
            return left ?? true && right ?? true
        case .or(let left, let right):
            // Half of a choice that may hold for some request keeps the key.
            guard let left = verdict(left, key), let right = verdict(right, key) else { return nil }
            return left || right
        case .condition(let condition): return verdict(condition, key)
        }
    }

    private static func verdict(_ condition: LogFilter.Condition, _ key: ClientKey) -> Bool? {
        guard case .text(let wanted) = condition.value else { return nil }
        let text: String
        switch condition.field {
        case .client: text = key.name
        case .owner: text = key.owner
        case .upstream:
            let allowed = key.permissions.upstreams
            switch condition.relation {
            case .contains:
                return allowed.isEmpty || allowed.contains { $0.lowercased().contains(wanted.lowercased()) }
            case .equal: return allowed.isEmpty || allowed.contains(wanted)
            case .unequal: return !allowed.isEmpty && !allowed.contains(wanted)
            default: return nil
            }
        default: return nil
        }
        switch condition.relation {
        case .contains: return text.lowercased().contains(wanted.lowercased())
        case .equal: return text == wanted
        case .unequal: return text != wanted
        default: return nil
        }
    }
}
