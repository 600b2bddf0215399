import Operations

/// Why a command cannot be run now; nil when it can. A command that is refused says so, and is never hidden.
extension ConsoleState {
    func refusal(of id: CommandID) -> String? {
        if CommandRegistry.byID[id]?.isChange == true, let refusal = refusalOfChanges { return refusal }
        switch id {
        case .suspend:
            guard case .inProcess = mode else { return nil }
            return "the gateway runs in this process: stopped, it would keep callers waiting"
        case .undo: return undo == nil ? "nothing to undo" : nil
        case .undoChange:
            return system.changes.selection.map(ChangeText.refusalOfUndo) ?? "there is no change"
        case .sort:
            return switch pane {
            case .logs, .dashboard: "the log stands in the order of time"
            case .system: "changes stand in the order of time"
            case .alerts: "what was told stands in the order of time, the rest by itself"
            case .upstreams where upstreams.headers.isFocused:
                "headers stand in the order in which they are added; K and J move one"
            case .scripts: "there is no table here"
            case .rules: "rules stand in the order in which they are tried; K and J move one"
            case .live, .keys, .pool, .upstreams: nil
            }
        case .columns: return columnTitles.isEmpty ? "this pane has no table to choose columns of" : nil
        case .mark, .range: return hasMarks ? nil : "nothing here can be marked"
        case .copy: return nothingToCopy ? "nothing to copy here" : nil
        case .clearFilter: return filter.text.isEmpty ? "there is no filter" : nil
        case .pauseLive, .rawText, .cutExchange, .liveCaller, .liveLogs: return refusalOfInFlight(id)
        case .editKey:
            if keys.table.markCount > 1 { return "edit one key at a time; Esc takes the marks away" }
            return refusalOfKey
                ?? (keys.table.selection?.revokedAt != nil ? "a revoked key cannot be edited" : nil)
        case .rotateKey:
            if keys.table.markCount > 1 { return "rotate one key at a time; Esc takes the marks away" }
            return refusalOfKey
                ?? (keys.table.selection?.revokedAt != nil ? "a revoked key cannot be rotated" : nil)
        case .toggleKey, .revokeKey:
            if let refusalOfKey { return refusalOfKey }
            return keys.table.targets.allSatisfy { $0.revokedAt != nil } ? "already revoked" : nil
        case .deleteKey, .keyLogs: return refusalOfKey
        case .purgeKey:
            return keys.table.markCount > 1
                ? "erase one key's log at a time; Esc takes the marks away" : refusalOfKey
        case .newPoolKey, .editPoolKey, .togglePoolKey, .banPoolKey, .resetPoolKey, .testPoolKey,
            .deletePoolKey, .poolKeyLogs, .importPool:
            return refusalOfPool(id)
        case .newUpstream, .editUpstream, .toggleUpstream, .resetUpstream, .testUpstream, .deleteUpstream,
            .upstreamLogs:
            return refusalOfUpstreams(id)
        case .newRule, .editRule, .toggleRule, .ruleUp, .ruleDown, .testRules, .testRulesOnRecord,
            .deleteRule,
            .resetRules:
            return refusalOfRules(id)
        case .focusHeaders, .newHeader, .editHeader, .toggleHeader, .headerUp, .headerDown, .deleteHeader:
            return refusalOfHeaders(id)
        case .newChannel, .editChannel, .toggleChannel, .testChannel, .deleteChannel, .resend, .runTask,
            .taskInterval, .showTemplate, .editTemplate:
            return refusalOfAlerts(id)
        case .runScript, .saveScript, .saveScriptAs, .undoScript, .redoScript: return refusalOfScripts(id)
        case .sameCaller:
            return logs.table.selection?.clientKey == nil ? "this request had no client key" : nil
        case .nextError, .previousError: return logs.table.rows.isEmpty ? "there are no requests" : nil
        case .copyCurl: return logs.record?.detail == nil ? "the record is not there yet" : nil
        default: return nil
        }
    }

    private var refusalOfChanges: String? {
        if isReadOnly { return "this console is read-only" }
        if user.role < .operator { return "this needs the role operator; you are \(user.role.rawValue)" }
        return outage == nil ? nil : "the gateway does not answer"
    }

    private var refusalOfKey: String? {
        keys.table.selection == nil ? "there is no key" : nil
    }

    private var nothingToCopy: Bool {
        switch pane {
        case .dashboard: copyOfDashboard() == nil
        case .live: copyOfInFlight() == nil
        case .logs: copyOfLogs() == nil
        case .keys: keys.table.selection == nil
        case .pool: pool.table.selection == nil
        case .upstreams: upstreams.headers.isFocused ? copyOfHeaders() == nil : copyOfUpstreams() == nil
        case .rules: rules.table.selection == nil
        case .scripts: scripts.part == .result && scripts.result.copyText == nil
        case .alerts: copyOfAlerts() == nil
        case .system: system.changes.selection == nil
        }
    }
}
