import Operations

/// What the gateway has said.
extension ConsoleState {
    mutating func take(_ answer: ConsoleEvent.Answer) -> [ConsoleEffect] {
        switch answer {
        case .live(let snapshot): return take(snapshot)
        case .outage(let reason): outage = reason
        case .charts(let charts, let request):
            guard request == dashboard.request(filter.text) else { return [] }
            dashboard.take(charts, for: request)
        case .stats(let stats, let filter):
            if filter == self.filter.text { dashboard.stats = stats }
        case .recent(let records, let filter):
            if filter == self.filter.text {
                dashboard.add(recent: records)
                dashboard.isRecentKnown = true
            }
        case .logs(let page): take(page)
        case .newer(let records, let filter, let time):
            if filter == self.filter.text { take(newer: records, from: time) }
        case .following(let watch):
            guard watch == self.watch else { return [] }
            // What came while nothing was followed is missing from here.
            isFollowed = true
            dashboard.recentWatch = nil
            return loadWhatCameBefore()
        case .logBatch(let batch, let watch):
            guard watch == self.watch else { return [] }
            if dashboard.isLive { dashboard.add(recent: batch.records) }
            if watch.pace == .full { take(batch) }
        case .logDetail(let id, let result): take(result, for: id)
        case .keys(let all, let isComplete):
            keys.all = all
            keys.isComplete = isComplete
            keys.knownRequests = live?.dashboard.requests
            keys.isLoading = false
            keys.fault = nil
            applyKeyFilter()
            if let wanted = keys.wanted, let place = keys.table.index(of: wanted) {
                keys.table.select(place)
                keys.wanted = nil
            }
            return pane == .keys ? [.loadUsage(shownKeys)] : []
        case .pool(let all):
            pool.all = all
            pool.isLoading = false
            pool.fault = nil
            applyPoolFilter()
            let rows = pool.table.rows
            if let wanted = pool.wanted,
                let place = rows.firstIndex(where: { "\($0.upstream)/\($0.name)" == wanted })
            {
                pool.table.select(place)
                pool.wanted = nil
            }
        case .upstreams(let all):
            upstreams.all = all
            upstreams.isLoading = false
            upstreams.fault = nil
            applyUpstreamFilter()
            applyRuleFilter()
            if let wanted = upstreams.wanted,
                let place = upstreams.table.rows.firstIndex(where: { $0.slug == wanted })
            {
                upstreams.table.select(place)
                upstreams.wanted = nil
            }
        case .rules(let all):
            rules.all = all
            rules.isLoading = false
            rules.fault = nil
            applyRuleFilter()
            if let wanted = rules.wanted, let rule = all.last(where: { $0.name == wanted }),
                let place = rules.table.index(of: rule.id)
            {
                rules.table.select(place)
            }
            rules.wanted = nil
        case .headers(let all):
            upstreams.headers.all = all
            upstreams.headers.isLoading = false
            upstreams.headers.fault = nil
            applyHeaders()
            refreshScriptRule()
        case .channels(let channels): take(channels: channels)
        case .tasks(let tasks): take(tasks: tasks)
        case .notifications(let records): alerts.history.replace(records, isNewestFirst: true)
        case .template(let template): return take(template)
        case .ran(let result, let number): take(result, ofRun: number)
        case .importing(let count, let total, let unit): importing(count, of: total, unit)
        case .imported(let path, let options, let result): return imported(path, options, result)
        case .backingUp(let bytes): say("backing up: \(ByteText.short(bytes)) written", .info, for: 30)
        case .backedUp(let path, let log, let result): backedUp(path, log, result)
        case .watched(let id, let piece): take(piece, of: id)
        case .watchOver(let id, let reason): watchIsOver(id, reason)
        case .told(let question, let result): return take(result, of: question)
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
        case .outage(let reason): return reason != outage
        case .following: return false
        case .charts, .stats, .recent: return pane == .dashboard
        case .logs, .newer, .logBatch, .logDetail: return pane == .logs
        case .watched, .watchOver: return pane == .live
        case .keys, .usage: return pane == .keys
        case .pool: return pane == .pool || pane == .upstreams
        case .upstreams: return pane == .upstreams || pane == .rules || pane == .keys
        case .rules: return pane == .rules
        case .headers: return pane == .upstreams
        case .channels, .tasks, .notifications: return pane == .alerts
        case .ran: return pane == .scripts
        case .status, .operators, .changes: return pane == .system
        case .live, .changed, .failed, .told, .template, .importing, .imported, .backingUp, .backedUp:
            return true
        }
    }

    /// What was written before new exchanges began to come; a list that somebody reads stays as it is.
    private mutating func loadWhatCameBefore() -> [ConsoleEffect] {
        guard watch?.pace == .full else { return [] }
        if logs.isFollowing || logs.shownFilter != filter.text {
            return [.loadLogs(filter: filter.text, cursor: nil, to: logs.target)]
        }
        // Between what is shown and what comes there may be more: whoever goes on is given it.
        logs.isDetached = true
        return []
    }

    private mutating func fail(_ message: String, _ what: ConsoleEvent.LoadKind) {
        switch what {
        case .charts:
            dashboard.fault = message
            dashboard.isLoading = false
        case .logs:
            logs.isDetached = true
            logs.fault = message
            logs.isLoading = false
            logs.isLoadingOlder = false
            logs.isLoadingNewer = false
            logs.isResuming = false
        case .keys:
            keys.knownRequests = nil
            keys.fault = message
            keys.isLoading = false
        case .pool:
            pool.fault = message
            pool.isLoading = false
        case .upstreams:
            upstreams.fault = message
            upstreams.isLoading = false
        case .rules:
            rules.fault = message
            rules.isLoading = false
        case .headers:
            upstreams.headers.fault = message
            upstreams.headers.isLoading = false
        case .alerts:
            alerts.fault = message
            alerts.isLoading = false
        case .system:
            system.fault = message
            system.isLoading = false
        case .recent, .stats: say(message, .error)
        case .settings: say("your settings were not kept: \(message)", .error)
        }
    }

    private mutating func endOutage() -> [ConsoleEffect] {
        guard outage != nil else { return [] }
        outage = nil
        say("the gateway answers again", .ok)
        return [
            .loadCharts(dashboard.request(filter.text)), .loadStats(filter: filter.text), .loadKeys,
            .loadSystem,
        ]
    }

    private mutating func take(_ snapshot: LiveSnapshot) -> [ConsoleEffect] {
        let (before, known) = (live, live?.lastChange)
        live = snapshot
        takeInFlight(since: before)
        let isComplete = dashboard.append(snapshot.points)
        // Seconds that no snapshot told of are asked for; to draw them empty would look like an outage.
        var effects = endOutage()
        if !isComplete, effects.isEmpty { effects = [.loadCharts(dashboard.request(filter.text))] }
        guard before != nil, let change = snapshot.lastChange, change.id != known?.id else { return effects }
        // One's own changes have been said already.
        if change.operator != user.name || change.via != user.via {
            say("\(change.operator): \(change.action) \(ChangeText.object(change))", .info)
        }
        // There may have been others since the last second.
        effects += loads.isEmpty ? [.loadKeys] : loads
        return effects
    }

    // MARK: Changes

    /// The form that waits for this answer; others that were opened in the meantime are left alone.
    private func waitingForm(_ change: ConsoleChange) -> Int? {
        guard awaited == .change(change) else { return nil }
        return overlays.firstIndex(where: \.isBusyForm)
    }

    private mutating func take(
        _ result: Result<[TextView.Line], OperationsError>,
        of question: ConsoleQuestion
    ) -> [ConsoleEffect] {
        let form = awaited == .ask(question) ? overlays.firstIndex(where: \.isBusyForm) : nil
        toast = nil
        switch result {
        case .success(let lines):
            if let form { overlays.remove(at: form) }
            if overlays.isEmpty {
                show(question.title, lines)
            } else {
                // Not over what is being typed.
                say("\(question.title): \(lines.first?.text.text ?? "done")", .info, for: 8)
            }
        case .failure(let error):
            guard let form else {
                say(error.description, .error, for: 8)
                break
            }
            refuse(form, error)
        }
        // A test may have brought a key back, or taken one out.
        return [.pool, .upstreams, .alerts].contains(pane) ? loads : []
    }

    /// Gives a form back to its operator, with what was said against it beside its field.
    mutating func refuse(_ place: Int, _ error: OperationsError) {
        guard case .form(var form, let purpose) = overlays[place] else { return }
        form.isBusy = false
        if let parameter = error.parameter, let field = purpose.field(of: parameter), form.has(field) {
            form.errors[field] = error.message
            form.focus(on: field)
        } else {
            form.failure = error.description
        }
        overlays[place] = .form(form, purpose)
    }

    /// What was done and to what, without what came of it.
    private static func deed(_ title: String) -> Substring {
        title.lastIndex(of: "”").map { title[...$0] } ?? title[...]
    }

    private mutating func take(_ outcome: ChangeOutcome) -> [ConsoleEffect] {
        let form = waitingForm(outcome.change)
        switch outcome.result {
        case .done(let text), .partly(let text):
            if let form { overlays.remove(at: form) }
            let undone = outcome.change == undoing?.change ? undoing : nil
            undo = outcome.undo.map { ($0, undone?.title ?? text) }
            undoing = nil
            // What they were set for has been done, as far as it was.
            if case .done = outcome.result {
                keys.table.unmark(outcome.change.ids)
                if case .cut(let ids, _) = outcome.change { inFlight.table.unmark(ids) }
                if case .pool(let edit) = outcome.change { pool.table.unmark(edit.ids) }
                if case .rule(let edit) = outcome.change { rules.table.unmark(edit.ids) }
                if case .header(let edit) = outcome.change { upstreams.headers.table.unmark(edit.ids) }
                if case .alert(let edit) = outcome.change { alerts.history.unmark(edit.ids) }
            }
            let key = keymap.key(for: .undo).map { "  \($0) undoes it" } ?? ""
            let isWhole = if case .done = outcome.result { true } else { false }
            let isAll = outcome.change.object == undone?.change.object && isWhole
            let told = if let undone, isAll { "taken back: \(Self.deed(undone.title))" } else { text }
            say(told + (undo == nil ? "" : key), isWhole ? .ok : .error, for: isWhole ? 5 : 10)
            switch outcome.change {
            case .rule(.create(let draft)): rules.wanted = draft.name
            case .upstream(.create(let draft)): upstreams.wanted = draft.slug
            case .alert(.create(let draft)): alerts.wanted = draft.name
            case .alert(.template): alerts.unkept = nil
            case .pool(.add(let draft, let upstream)): pool.wanted = "\(upstream)/\(draft.name)"
            case .header(.create):
                upstreams.headers.wanted = outcome.header?.id
                _ = scriptSaved(outcome)
            case .header: _ = scriptSaved(outcome)
            case .takeBack(_, _, .header): scriptTakenBack(outcome)
            default: break
            }
            return outcome.change.loads + [.loadSystem]
        case .created(let key):
            if let form { overlays.remove(at: form) }
            undo = nil
            keys.wanted = key.id
            let upstream = upstreams.all.first?.slug
            overlays.append(.secret(KeyForm.secret(key, address: system.status?.address, upstream: upstream)))
            return [.loadKeys, .loadSystem]
        case .refused(let error):
            // What was to be taken back can be tried again.
            if outcome.change == undoing?.change { (undo, undoing) = (undoing, nil) }
            // What is wrong with a script is shown in it.
            if let form, error.parameter == "script", outcome.change == scripts.saving {
                overlays.remove(at: form)
                say("not saved: \(error.message)", .error, for: 8)
                return scriptSaved(outcome)
            }
            guard let form else {
                say(error.description, .error, for: 8)
                return scriptSaved(outcome) + outcome.change.loads
            }
            refuse(form, error)
            return error.code == .preconditionFailed ? outcome.change.loads : []
        }
    }
}
