import Operations

extension ChangeRunner {
    func perform(_ edit: HeaderEdit) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch edit {
        case .create(let draft, let slug):
            let made = try await port.createHeaderRule(draft, by: user)
            return (.done("\(slug) is sent “\(made.name)” from now on"), .header(.delete([made])))
        case .change(let rule, let change):
            let after = try await port.changeHeaderRule(rule.id, change, ifVersion: rule.version, by: user)
            var undo = HeaderRuleChange(restoring: rule)
            if !change.position.isKept { undo.position = .set(rule.position) }
            return (.done("saved “\(after.name)”: it is sent from now on"), .header(.change(after, undo)))
        case .setEnabled(let rules, let isOn):
            var change = HeaderRuleChange()
            change.enabled = .set(isOn)
            let prepared = change
            let (done, failure) = await each(rules.map(\.id)) {
                _ = try await port.changeHeaderRule($0, prepared, ifVersion: nil, by: user)
            }
            let undo = done == 0 ? nil : ConsoleChange.header(.setEnabled(Array(rules.prefix(done)), !isOn))
            let verb = isOn ? "enabled" : "disabled"
            return (try result(verb, .header(edit), done, of: rules.count, failure), undo)
        case .delete(let rules):
            let (done, failure) = await each(rules.map(\.id)) {
                try await port.deleteHeaderRule($0, by: user)
            }
            let undo = done == 0 ? nil : ConsoleChange.header(.restore(Array(rules.prefix(done))))
            return (try result("deleted", .header(edit), done, of: rules.count, failure), undo)
        case .restore(let rules):
            return try await bringBack(
                rules.sorted { $0.position < $1.position },
                { .header(.restore($0)) },
                create: { _ = try await port.createHeaderRule(HeaderRuleDraft($0), by: user) }
            )
        case .reorder(let ids, let before, let name):
            _ = try await port.reorderHeaderRules(ids, by: user)
            return (.done("moved “\(name)”"), .header(.reorder(before, before: ids, name: name)))
        }
    }
}
