import Operations

extension ConsoleState {
    mutating func applyRuleFilter() {
        rules.table.replace(rules.all.filter { RulesState.accepts(filter.parsed, $0, upstreams) })
    }

    mutating func runRules(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .newRule:
            overlays.append(.form(RuleForm.make(nil, upstreams), .newRule))
        case .editRule:
            guard let rule = rules.table.selection else { return [] }
            overlays.append(.form(RuleForm.make(rule, upstreams), .editRule(rule)))
        case .toggleRule:
            let all = rules.table.targets
            let isOn = !all.allSatisfy(\.enabled)
            // Only those that change, so that undoing changes no other.
            return [.change(.rule(.setEnabled(all.filter { $0.enabled != isOn }, isOn)))]
        case .ruleUp: return moveRule(by: -1)
        case .ruleDown: return moveRule(by: 1)
        case .deleteRule: askToDeleteRules()
        case .testRules: overlays.append(.form(RuleForm.makeTest(upstreams), .testRules))
        case .testRulesOnRecord:
            guard let record = logs.record?.record ?? logs.table.selection else { return [] }
            var test = RuleTest()
            test.logId = record.id
            return [.ask(.rules(test, of: "what \(record.requestId) was answered"))]
        case .resetRules: askToResetRules()
        default: break
        }
        return []
    }

    /// Among those in sight, since that is what the operator sees; the others keep their places between.
    private mutating func moveRule(by step: Int) -> [ConsoleEffect] {
        let rows = rules.table.rows
        guard let rule = rules.table.selection, rows.indices.contains(rules.table.selected + step) else {
            return []
        }
        let neighbour = rows[rules.table.selected + step]
        var ids = rules.all.map(\.id).filter { $0 != rule.id }
        guard let place = ids.firstIndex(of: neighbour.id) else { return [] }
        ids.insert(rule.id, at: step < 0 ? place : place + 1)
        // At once, so that the next key moves it on from there.
        let byID = Dictionary(uniqueKeysWithValues: rules.all.map { ($0.id, $0) })
        rules.all = ids.compactMap { byID[$0] }
        for index in rules.all.indices { rules.all[index].position = index + 1 }
        applyRuleFilter()
        return [.change(.rule(.reorder(ids, name: rule.name)))]
    }

    private mutating func askToDeleteRules() {
        let targets = rules.table.targets
        guard let first = targets.first else { return }
        let object = targets.count == 1 ? first.name : "\(targets.count) rules"
        let dialog = Dialog(
            title: "Delete \(object)",
            text: [
                targets.count == 1
                    ? RuleText(first).text : targets.map(\.name).joined(separator: ", "),
                "Answers are judged without \(targets.count == 1 ? "it" : "them") at once.",
            ],
            buttons: [.init(label: "Delete", key: Key("y"))],
            typing: targets.count > 1 ? "delete \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .change(.rule(.delete(targets)))))
    }

    private mutating func askToResetRules() {
        let gone = rules.all.count { $0.upstreamId == nil }
        let dialog = Dialog(
            title: "Bring the default rules back",
            text: [
                "\(gone) rules for all upstreams go, those of single upstreams stay, and the default ones are made anew. "
                    + "Undo brings them back."
            ],
            buttons: [.init(label: "Bring back", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(.rule(.reset))))
    }

    func copyOfRules() -> String? {
        let targets = rules.table.targets
        return targets.isEmpty
            ? nil : targets.map { "\($0.name)\t\(RuleText($0).text)" }.joined(separator: "\n")
    }

    /// Why a command on the selected rule is not to be had.
    func refusalOfRules(_ id: CommandID) -> String? {
        switch id {
        case .newRule, .testRules, .resetRules: return nil
        case .testRulesOnRecord: return logs.table.selection == nil ? "there is no request" : nil
        default: break
        }
        guard rules.table.selection != nil else { return "there is no rule" }
        switch id {
        case .editRule:
            return rules.table.markCount > 1 ? "edit one rule at a time; Esc takes the marks away" : nil
        case .ruleUp: return rules.table.selected == 0 ? "it is the first" : nil
        case .ruleDown: return rules.table.isAtEnd ? "it is the last" : nil
        default: return nil
        }
    }
}
