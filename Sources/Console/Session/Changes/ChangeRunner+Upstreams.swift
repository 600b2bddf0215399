import Operations

extension ChangeRunner {
    func perform(_ edit: UpstreamEdit) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch edit {
        case .create(let draft):
            let made = try await port.createUpstream(draft, by: user)
            let undo = ConsoleChange.upstream(.delete(id: made.id, slug: made.slug))
            return (.done("made “\(made.slug)”; its keys come next, in the pool"), undo)
        case .change(let id, let slug, let version, let change):
            let before = try await port.upstream(id, by: user)
            let after = try await port.changeUpstream(id, change, ifVersion: version, by: user)
            // Only while nobody else has changed it since.
            let undo = UpstreamEdit.change(
                id: id,
                slug: slug,
                version: after.version,
                UpstreamChange(restoring: before)
            )
            return (.done("saved “\(slug)”"), .upstream(undo))
        case .setEnabled(let id, let slug, let isOn):
            var change = UpstreamChange()
            change.enabled = .set(isOn)
            _ = try await port.changeUpstream(id, change, ifVersion: nil, by: user)
            let undo = UpstreamEdit.setEnabled(id: id, slug: slug, !isOn)
            return (.done("\(isOn ? "enabled" : "disabled") “\(slug)”"), .upstream(undo))
        case .reset(let id, let slug):
            var change = UpstreamChange()
            change.enabled = .set(true)
            _ = try await port.changeUpstream(id, change, ifVersion: nil, by: user)
            return (.done("brought “\(slug)” back"), nil)
        case .delete(let id, let slug):
            try await port.deleteUpstream(id, by: user)
            return (.done("deleted “\(slug)”"), nil)
        }
    }

    func perform(_ edit: PoolEdit) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch edit {
        case .add(let draft, let upstream):
            let made = try await port.createUpstreamKey(draft, by: user)
            let undo = PoolEdit.delete(ids: [made.id], names: ["\(upstream)/\(made.name)"])
            return (.done("added “\(upstream)/\(made.name)”"), .pool(undo))
        case .change(let id, let name, let version, let change):
            let before = try await port.upstreamKey(id, by: user)
            let after = try await port.changeUpstreamKey(id, change, ifVersion: version, by: user)
            let undo = PoolEdit.change(
                id: id,
                name: name,
                version: after.version,
                UpstreamKeyChange(restoring: before)
            )
            // The old value is known to nobody any more.
            return (.done("saved “\(name)”"), change.keyValue.isKept ? .pool(undo) : nil)
        case .delete(let ids, let names):
            let (done, failure) = await each(ids) { try await port.deleteUpstreamKey($0, by: user) }
            return (
                try result("deleted", .pool(.delete(ids: ids, names: names)), done, of: ids.count, failure),
                nil
            )
        case .setState(let ids, let names, let state, let reason):
            let before = try await port.upstreamKeys(upstream: nil, by: user).items.filter {
                ids.contains($0.id)
            }
            let (done, failure) = await each(ids) {
                _ = try await port.setUpstreamKeyState($0, state, reason: reason, by: user)
            }
            let verb = state == .active ? "brought back" : state == .banned ? "banned" : "disabled"
            let undo = done == ids.count ? Self.undo(of: state, ids, names, before) : nil
            return (try result(verb, .pool(edit), done, of: ids.count, failure), undo)
        }
    }

    /// What puts keys back to where they stood, where all of them stood alike: a rest that was ended is not begun again.
    private static func undo(
        of state: KeyState,
        _ ids: [Int],
        _ names: [String],
        _ before: [UpstreamKey]
    ) -> ConsoleChange? {
        let states = Set(before.map { $0.state == .disabled || $0.state == .banned ? $0.state : .active })
        guard let old = states.first, states.count == 1, old != state else { return nil }
        let reason = old == .active || before.count > 1 ? nil : before.first?.reason
        return .pool(.setState(ids: ids, names: names, old, reason: reason))
    }

    func perform(_ edit: RuleEdit) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch edit {
        case .create(let draft):
            let made = try await port.createRule(draft, by: user)
            return (.done("made “\(made.name)”"), .rule(.delete([made])))
        case .change(let rule, let change):
            let after = try await port.changeRule(rule.id, change, ifVersion: rule.version, by: user)
            var undo = RuleChange(restoring: rule)
            if !change.position.isKept { undo.position = .set(rule.position) }
            return (.done("saved “\(after.name)”"), .rule(.change(after, undo)))
        case .setEnabled(let rules, let isOn):
            var change = RuleChange()
            change.enabled = .set(isOn)
            let prepared = change
            let (done, failure) = await each(rules.map(\.id)) {
                _ = try await port.changeRule($0, prepared, ifVersion: nil, by: user)
            }
            let undo = done == 0 ? nil : ConsoleChange.rule(.setEnabled(Array(rules.prefix(done)), !isOn))
            return (
                try result(isOn ? "enabled" : "disabled", .rule(edit), done, of: rules.count, failure), undo
            )
        case .delete(let rules):
            let (done, failure) = await each(rules.map(\.id)) { try await port.deleteRule($0, by: user) }
            let undo = done == 0 ? nil : ConsoleChange.rule(.restore(Array(rules.prefix(done))))
            return (try result("deleted", .rule(edit), done, of: rules.count, failure), undo)
        case .restore(let rules):
            return try await bringBack(
                rules.sorted { $0.position < $1.position },
                { .rule(.restore($0)) },
                create: { _ = try await port.createRule(RuleDraft($0), by: user) }
            )
        case .reorder(let ids, let before, let name):
            _ = try await port.reorderRules(ids, by: user)
            return (.done("moved “\(name)”"), .rule(.reorder(before, before: ids, name: name)))
        case .reset:
            _ = try await port.resetRules(by: user)
            return (.done("the default rules are back"), nil)
        }
    }
}
