import Operations

/// The rules of each upstream: those for all, and its own, in one order.
struct RuleSets {
    private let common: CompiledRules
    private let byUpstream: [Int: CompiledRules]

    init(_ rules: [Rule]) throws(OperationsError) {
        guard rules.count <= RuleChecks.countLimit else {
            throw OperationsError(.invalid, "there may be \(RuleChecks.countLimit) rules at most")
        }
        common = try CompiledRules(rules.filter { $0.upstreamId == nil })
        var byUpstream: [Int: CompiledRules] = [:]
        for id in Set(rules.compactMap(\.upstreamId)) {
            byUpstream[id] = try CompiledRules(rules.filter { $0.upstreamId == nil || $0.upstreamId == id })
        }
        self.byUpstream = byUpstream
    }

    func set(ofUpstream id: Int) -> CompiledRules { byUpstream[id] ?? common }
}
