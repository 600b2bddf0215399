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
    case restore([HeaderRule])
    case reorder([Int], before: [Int], name: String)

    var ids: [Int] {
        switch self {
        case .create, .reorder: []
        case .change(let rule, _): [rule.id]
        case .setEnabled(let rules, _), .delete(let rules), .restore(let rules): rules.map(\.id)
        }
    }

    /// For messages.
    var object: String {
        switch self {
        case .create(let draft, _): "“\(draft.name)”"
        case .change(let rule, _): "“\(rule.name)”"
        case .setEnabled(let rules, _), .delete(let rules), .restore(let rules):
            rules.count == 1 ? "“\(rules[0].name)”" : "\(rules.count) headers"
        case .reorder(_, _, let name): "“\(name)”"
        }
    }
}

extension HeaderRuleChange {
    /// What makes a rule what it is now.
    init(restoring rule: HeaderRule) {
        self.init()
        (name, kind, enabled) = (.set(rule.name), .set(rule.kind), .set(rule.enabled))
        value = rule.value.map { .set($0) } ?? .clear
        script = rule.script.map { .set($0) } ?? .clear
        onFailure = .set(rule.onFailure)
        fallback = rule.fallback.map { .set($0) } ?? .clear
        cacheSeconds = .set(rule.cacheSeconds)
    }
}

extension HeaderRuleDraft {
    init(_ rule: HeaderRule) {
        self.init(upstreamId: rule.upstreamId, name: rule.name, kind: rule.kind)
        (value, script, onFailure, fallback) = (rule.value, rule.script, rule.onFailure, rule.fallback)
        (cacheSeconds, position, enabled) = (rule.cacheSeconds, rule.position, rule.enabled)
    }
}
