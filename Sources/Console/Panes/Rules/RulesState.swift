import Operations

extension Rule: Identifiable {}

/// What the rules pane shows: rules in the order in which they are tried.
struct RulesState: Sendable {
    static let filterFields: Set<LogFilter.Field> = [.upstream]

    var all: [Rule] = []
    /// Those that the filter lets through.
    var table = TableState<Rule>()
    var isLoading = true
    var fault: String?
    /// One that has just been made, to be chosen once it is in the list.
    var wanted: String?

    static func accepts(_ filter: LogFilter, _ rule: Rule, _ upstreams: UpstreamsState) -> Bool {
        let words = [rule.name, RuleText(rule).text]
        return ListFilter.accepts(filter, words: words) { condition in
            guard condition.field == .upstream else { return nil }
            // A rule for all is one of each upstream's.
            return rule.upstreamId.map { ListFilter.compare(condition, to: upstreams.slug($0)) } ?? true
        }
    }
}

/// What operators do with rules.
enum RuleEdit: Sendable, Equatable {
    case create(RuleDraft)
    /// From the rule as it was.
    case change(Rule, RuleChange)
    case setEnabled([Rule], Bool)
    case delete([Rule])
    /// Makes those again that were deleted.
    case reorder([Int], name: String)
    case reset

    var ids: [Int] {
        switch self {
        case .create, .reorder, .reset: []
        case .change(let rule, _): [rule.id]
        case .setEnabled(let rules, _), .delete(let rules): rules.map(\.id)
        }
    }

    /// For messages.
    var object: String {
        switch self {
        case .create(let draft): "“\(draft.name)”"
        case .change(let rule, _): "“\(rule.name)”"
        case .setEnabled(let rules, _), .delete(let rules):
            rules.count == 1 ? "“\(rules[0].name)”" : "\(rules.count) rules"
        case .reorder(_, let name): "“\(name)”"
        case .reset: "the rules"
        }
    }
}
