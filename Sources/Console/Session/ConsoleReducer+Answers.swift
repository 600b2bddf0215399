import Operations

/// What the gateway has said.
extension ConsoleState {
    mutating func take(_ answer: ConsoleEvent.Answer) -> [ConsoleEffect] {
        switch answer {
        case .live(let snapshot): return take(snapshot)
        case .connection(let trouble):
            let isBack = outage != nil && trouble == nil
            outage = trouble
            guard isBack else { return [] }
            say("the gateway answers again", .ok)
            return begin()
        case .charts(let charts, let request):
            guard request == dashboard.request(filter.text) else { return [] }
            dashboard.take(charts, for: request)
        case .stats(let stats, let filter):
            if filter == self.filter.text { dashboard.stats = stats }
        case .recent(let records, let filter):
            if filter == self.filter.text { dashboard.recent.replace(records, isNewestFirst: true) }
        case .logs(let page): take(page)
        case .logBatch(let batch, let filter):
            if filter == self.filter.text { take(batch) }
        case .logDetail(let id, let result): take(result, for: id)
        case .keys(let all, let isComplete):
            keys.all = all
            keys.isComplete = isComplete
            keys.isLoading = false
            keys.fault = nil
            applyKeyFilter()
            return pane == .keys ? [.loadUsage(shownKeys)] : []
        case .upstreams(let upstreams): keys.upstreams = upstreams
        case .usage(let usage): keys.usage.merge(usage) { $1 }
        case .status(let status):
            system.status = status
            system.isLoading = false
            system.fault = nil
        case .operators(let operators): system.operators = operators
        case .changes(let changes): system.changes.replace(changes, isNewestFirst: true)
        case .changed(let outcome): return take(outcome)
        case .failed(let message, let what): fail(message, what)
        }
        return []
    }

    /// Whether an event can change what is on the screen now.
    func shows(_ event: ConsoleEvent) -> Bool {
        guard case .answer(let answer) = event else { return true }
        switch answer {
        case .connection(let trouble): return trouble != outage
        case .charts, .stats, .recent: return pane == .dashboard
        case .logs, .logBatch, .logDetail: return pane == .logs
        case .keys, .usage, .upstreams: return pane == .keys
        case .status, .operators, .changes: return pane == .system
        case .live, .changed, .failed: return true
        }
    }

    private mutating func fail(_ message: String, _ what: ConsoleEvent.LoadKind) {
        switch what {
        case .charts:
            dashboard.fault = message
            dashboard.isLoading = false
        case .logs:
            logs.fault = message
            logs.isLoading = false
            logs.isLoadingOlder = false
        case .keys:
            keys.fault = message
            keys.isLoading = false
        case .system:
            system.fault = message
            system.isLoading = false
        case .recent, .stats: say(message, .error)
        }
    }

    private mutating func take(_ snapshot: LiveSnapshot) -> [ConsoleEffect] {
        let known = live?.lastChange
        live = snapshot
        dashboard.append(snapshot.points)
        if dashboard.isLive, !logs.table.rows.isEmpty, logs.shownFilter == filter.text {
            let newest = Array((logs.table.rows + logs.waiting).suffix(50).reversed())
            dashboard.recent.replace(newest, isNewestFirst: true)
        }
        guard let change = snapshot.lastChange, let known, change.id != known.id else { return [] }
        // One's own changes have been said already.
        if change.operator != user.name || change.via != user.via {
            let object = change.objectId.map { "\(change.object) \($0)" } ?? change.object
            say("\(change.operator): \(change.action) \(object)", .info)
        }
        var effects: [ConsoleEffect] = []
        if change.object == "client_key" { effects.append(.loadKeys) }
        if pane == .system { effects.append(.loadSystem) }
        return effects
    }

    // MARK: Changes

    private mutating func take(_ outcome: ChangeOutcome) -> [ConsoleEffect] {
        switch outcome.result {
        case .done(let text):
            if case .form = overlays.last { overlays.removeLast() }
            undo = outcome.undo.map { ($0, text) }
            let key = keymap.key(for: .undo).map { "  \($0) undoes it" } ?? ""
            say(text + (outcome.undo == nil ? "" : key), .ok)
            return [.loadKeys, .loadSystem]
        case .created(let key):
            if case .form = overlays.last { overlays.removeLast() }
            undo = nil
            overlays.append(
                .secret(
                    KeyForm.secret(key, address: system.status?.address, upstream: keys.upstreams.first?.slug)
                )
            )
            return [.loadKeys, .loadSystem]
        case .refused(let error):
            guard case .form(var form, let purpose) = overlays.last else {
                say(error.description, .error, for: 8)
                return [.loadKeys]
            }
            form.isBusy = false
            if let parameter = error.parameter, let field = KeyForm.field(of: parameter) {
                form.errors[field] = error.message
                form.focus(on: field)
            } else {
                form.failure = error.description
            }
            overlays[overlays.count - 1] = .form(form, purpose)
            return error.code == .preconditionFailed ? [.loadKeys] : []
        }
    }
}
