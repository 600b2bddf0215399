import Operations

/// The header rules that the upstreams pane shows below its list: those of the upstream that is chosen there.
struct HeadersState: Sendable {
    /// Of every upstream.
    var all: [HeaderRule] = []
    var table = TableState<HeaderRule>()
    /// Whether keys are for them and not for the upstreams.
    var isFocused = false
    var isLoading = true
    var fault: String?
    /// One that has just been made, to be chosen once it is in the list.
    var wanted: Int?

    mutating func show(ofUpstream id: Int?) {
        table.replace(all.filter { $0.upstreamId == id })
        guard let wanted, let place = table.index(of: wanted) else { return }
        table.select(place)
        self.wanted = nil
    }
}

/// What operators do with header rules.
enum HeaderEdit: Sendable, Equatable {
    /// With the slug of its upstream.
    case create(HeaderRuleDraft, slug: String)
    /// From the rule as it was.
    case change(HeaderRule, HeaderRuleChange)
    case setEnabled([HeaderRule], Bool)
    case delete([HeaderRule])
    /// Makes those again that were deleted.
    case reorder([Int], name: String)

    var ids: [Int] {
        switch self {
        case .create, .reorder: []
        case .change(let rule, _): [rule.id]
        case .setEnabled(let rules, _), .delete(let rules): rules.map(\.id)
        }
    }

    /// For messages.
    var object: String {
        switch self {
        case .create(let draft, _): "“\(draft.name)”"
        case .change(let rule, _): "“\(rule.name)”"
        case .setEnabled(let rules, _), .delete(let rules):
            rules.count == 1 ? "“\(rules[0].name)”" : "\(rules.count) headers"
        case .reorder(_, let name): "“\(name)”"
        }
    }
}
