import Operations

extension ChangeRunner {
    func perform(_ edit: HeaderEdit) async throws -> (result: ChangeOutcome.Result, rule: HeaderRule?) {
        switch edit {
        case .create(let draft, let slug):
            let made = try await port.createHeaderRule(draft, by: user)
            return (.done("\(slug) is sent “\(made.name)” from now on"), made)
        case .change(let rule, let change):
            let after = try await port.changeHeaderRule(rule.id, change, ifVersion: rule.version, by: user)
            return (.done("saved “\(after.name)”: it is sent from now on"), after)
        case .setEnabled(let rules, let isOn):
            var change = HeaderRuleChange()
            change.enabled = .set(isOn)
            let prepared = change
            let (done, failure) = await each(rules.map(\.id)) {
                _ = try await port.changeHeaderRule($0, prepared, ifVersion: nil, by: user)
            }
            return (
                try result(isOn ? "enabled" : "disabled", .header(edit), done, of: rules.count, failure), nil
            )
        case .delete(let rules):
            let (done, failure) = await each(rules.map(\.id)) {
                try await port.deleteHeaderRule($0, ifVersion: nil, by: user)
            }
            return (try result("deleted", .header(edit), done, of: rules.count, failure), nil)
        case .reorder(let ids, let name):
            _ = try await port.reorderHeaderRules(ids, by: user)
            return (.done("moved “\(name)”"), nil)
        }
    }
}
