import Operations

extension ChangeRunner {
    func perform(_ edit: UpstreamEdit) async throws -> ChangeOutcome.Result {
        switch edit {
        case .create(let draft):
            let made = try await port.createUpstream(draft, by: user)
            return .done("made “\(made.slug)”; its keys come next, in the pool")
        case .change(let id, let slug, let version, let change):
            _ = try await port.changeUpstream(id, change, ifVersion: version, by: user)
            return .done("saved “\(slug)”")
        case .setEnabled(let id, let slug, let isOn):
            var change = UpstreamChange()
            change.enabled = .set(isOn)
            _ = try await port.changeUpstream(id, change, ifVersion: nil, by: user)
            return .done("\(isOn ? "enabled" : "disabled") “\(slug)”")
        case .reset(let id, let slug):
            var change = UpstreamChange()
            change.enabled = .set(true)
            _ = try await port.changeUpstream(id, change, ifVersion: nil, by: user)
            return .done("brought “\(slug)” back")
        case .delete(let id, let slug):
            try await port.deleteUpstream(id, ifVersion: nil, by: user)
            return .done("deleted “\(slug)”")
        }
    }

    func perform(_ edit: PoolEdit) async throws -> ChangeOutcome.Result {
        switch edit {
        case .add(let draft, let upstream):
            let made = try await port.createUpstreamKey(draft, by: user)
            return .done("added “\(upstream)/\(made.name)”")
        case .change(let id, let name, let version, let change):
            _ = try await port.changeUpstreamKey(id, change, ifVersion: version, by: user)
            return .done("saved “\(name)”")
        case .delete(let ids, _):
            let (done, failure) = await each(ids) {
                try await port.deleteUpstreamKey($0, ifVersion: nil, by: user)
            }
            return try result("deleted", .pool(edit), done, of: ids.count, failure)
        case .setState(let ids, _, let state, let reason):
            let (done, failure) = await each(ids) {
                _ = try await port.setUpstreamKeyState($0, state, reason: reason, by: user)
            }
            let verb = state == .active ? "brought back" : state == .banned ? "banned" : "disabled"
            return try result(verb, .pool(edit), done, of: ids.count, failure)
        }
    }

    func perform(_ edit: RuleEdit) async throws -> ChangeOutcome.Result {
        switch edit {
        case .create(let draft):
            let made = try await port.createRule(draft, by: user)
            return .done("made “\(made.name)”")
        case .change(let rule, let change):
            let after = try await port.changeRule(rule.id, change, ifVersion: rule.version, by: user)
            return .done("saved “\(after.name)”")
        case .setEnabled(let rules, let isOn):
            var change = RuleChange()
            change.enabled = .set(isOn)
            let prepared = change
            let (done, failure) = await each(rules.map(\.id)) {
                _ = try await port.changeRule($0, prepared, ifVersion: nil, by: user)
            }
            return try result(isOn ? "enabled" : "disabled", .rule(edit), done, of: rules.count, failure)
        case .delete(let rules):
            let (done, failure) = await each(rules.map(\.id)) {
                try await port.deleteRule($0, ifVersion: nil, by: user)
            }
            return try result("deleted", .rule(edit), done, of: rules.count, failure)
        case .reorder(let ids, let name):
            _ = try await port.reorderRules(ids, by: user)
            return .done("moved “\(name)”")
        case .reset:
            _ = try await port.resetRules(by: user)
            return .done("the default rules are back")
        }
    }
}
