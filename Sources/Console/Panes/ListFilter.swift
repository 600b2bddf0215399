import Operations

/// The shared filter, asked of something that is no request: what speaks of requests only is left out of account.
enum ListFilter {
    /// `words`: where a bare word is looked for; `judge`: nil for a condition that cannot be asked here.
    static func accepts(
        _ filter: LogFilter,
        words: [String],
        _ judge: (LogFilter.Condition) -> Bool?
    ) -> Bool {
        verdict(filter, words, judge) ?? true
    }

    /// nil when the filter says nothing about it.
    private static func verdict(
        _ filter: LogFilter,
        _ words: [String],
        _ judge: (LogFilter.Condition) -> Bool?
    ) -> Bool? {
        switch filter {
        case .all: return nil
        case .text(let word): return words.contains { $0.lowercased().contains(word.lowercased()) }
        case .not(let inner): return verdict(inner, words, judge).map { !$0 }
        case .and(let left, let right):
            let (left, right) = (verdict(left, words, judge), verdict(right, words, judge))
            guard left != nil || right != nil else { return nil }
            return left ?? true && right ?? true
        case .or(let left, let right):
            // Half of a choice that may hold for some request keeps it.
            guard let left = verdict(left, words, judge), let right = verdict(right, words, judge) else {
                return nil
            }
            return left || right
        case .condition(let condition): return judge(condition)
        }
    }

    /// Whether something in the filter cannot be asked here, and so has no say in what is listed.
    static func ignoresPart(of filter: LogFilter, _ fields: Set<LogFilter.Field>) -> Bool {
        ignoresPart(of: filter) { !fields.contains($0.field) || compare($0, to: "") == nil }
    }

    /// `isIgnored`: of a condition.
    static func ignoresPart(of filter: LogFilter, _ isIgnored: (LogFilter.Condition) -> Bool) -> Bool {
        switch filter {
        case .all, .text: false
        case .not(let inner): ignoresPart(of: inner, isIgnored)
        case .and(let left, let right), .or(let left, let right):
            ignoresPart(of: left, isIgnored) || ignoresPart(of: right, isIgnored)
        case .condition(let condition): isIgnored(condition)
        }
    }

    /// nil for comparisons that make no sense of a name.
    static func compare(_ condition: LogFilter.Condition, to text: String) -> Bool? {
        guard case .text(let wanted) = condition.value else { return nil }
        return switch condition.relation {
        case .contains: text.lowercased().contains(wanted.lowercased())
        case .equal: text == wanted
        case .unequal: text != wanted
        default: nil
        }
    }
}
