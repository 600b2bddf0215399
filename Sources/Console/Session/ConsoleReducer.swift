import Operations

/// Events change the state and say what is to be done; nothing here waits, reads a clock or touches a terminal.
extension ConsoleState {
    mutating func reduce(_ event: ConsoleEvent) -> [ConsoleEffect] {
        var effects: [ConsoleEffect]
        switch event {
        case .terminal(let event): effects = reduce(event)
        case .resize(let new):
            size = new
            effects = []
        case .tick(let time): effects = tick(time)
        case .stalled(let isStalled):
            self.isStalled = isStalled
            effects = []
        case .answer(let answer): effects = take(answer)
        case .edited(let edited):
            if let template = alerts.template {
                effects = take(edited, of: template)
            } else {
                take(edited)
                effects = []
            }
        case .themes(let library):
            themes = library
            if let fault = library.faults.first { say(fault, .error, for: 10) }
            effects = []
        }
        settle()
        return effects + watchLogs() + watchExchange() + loadRecent()
    }

    /// What a console asks for when it opens.
    mutating func begin() -> [ConsoleEffect] {
        var effects = filterChanged()
        effects += [.loadKeys, .loadSystem]
        return effects + watchLogs() + loadRecent()
    }

    /// Once for each watch, when the dashboard shows it: news that came before has holes.
    private mutating func loadRecent() -> [ConsoleEffect] {
        guard pane == .dashboard, isFollowed, dashboard.recentWatch != watch else { return [] }
        dashboard.recentWatch = watch
        return [.loadRecent(filter: filter.text)]
    }

    /// The log in full is for whoever reads it, or has stopped in it to read on; elsewhere a glance is enough.
    private mutating func watchLogs() -> [ConsoleEffect] {
        // After a jump the newest are fetched anyway.
        let isHeld = !logs.isFollowing && !logs.isDetached
        let pace: LogWatch.Pace = pane == .logs || isHeld ? .full : .glance
        let wanted = isStalled ? nil : LogWatch(filter: filter.text, pace: pace)
        guard wanted != watch else { return [] }
        watch = wanted
        isFollowed = false
        return [.followLogs(wanted)]
    }

    /// Keeps every selection in sight.
    private mutating func settle() {
        let layout = ConsoleLayout(self)
        let logRects = layout.logs(logs)
        logs.table.settle(height: logRects.list.height - 1)
        logs.record?.view.settle(height: logRects.record.height)
        let flight = layout.inFlight(inFlight)
        inFlight.table.settle(height: flight.list.height - 1)
        inFlight.watched?.wrap(to: max(20, flight.record.width - 5))
        inFlight.watched?.view.settle(height: flight.record.height)
        keys.table.settle(height: layout.list.height - 1)
        pool.table.settle(height: layout.list.height - 1)
        upstreams.table.settle(height: layout.upstreams(upstreams).list.height - 1)
        rules.table.settle(height: layout.list.height - 1)
        upstreams.headers.table.settle(height: layout.upstreams(upstreams).headers.height - 2)
        let script = layout.scripts
        let width = script.editor.width - EditorView.gutter(scripts.editor)
        scripts.editor.settle(height: script.editor.height, width: width, glyphs: glyphs)
        scripts.result.settle(height: script.result.height)
        let places = layout.alerts(alerts)
        alerts.channels.settle(height: (places[.channels]?.height ?? 0) - 2)
        alerts.tasks.settle(height: (places[.tasks]?.height ?? 0) - 2)
        alerts.history.settle(height: (places[.history]?.height ?? 0) - 2)
        system.changes.settle(height: layout.changes.height - 1)
        if case .text(let title, var view) = overlays.last {
            view.settle(height: max(1, size.lines - 6))
            overlays[overlays.count - 1] = .text(title: title, view)
        }
    }

    // MARK: Terminal

    private mutating func reduce(_ event: TerminalEvent) -> [ConsoleEffect] {
        switch event {
        case .key(let key): return press(key)
        case .paste(let text): return paste(text)
        case .focus(let isOn):
            isFocused = isOn
            return []
        case .click(let x, let y): return click(x, y)
        case .wheel(_, _, let lines): return overlays.isEmpty ? move(.lines(lines)) : []
        // Between the loop and the terminal.
        case .answer: return []
        }
    }

    private mutating func press(_ key: Key) -> [ConsoleEffect] {
        // A warning was about the key before this one.
        if toast?.role == .warning { toast = nil }
        if !overlays.isEmpty { return pressOverlay(key) }
        if pane == .scripts, scripts.isTyping { return typeScript(key) }
        guard let command = keymap.command(for: key, in: contexts) else { return [] }
        return run(command)
    }

    /// Where keys mean something now, the nearest meaning first.
    var contexts: [CommandContext] {
        switch pane {
        case .dashboard: [.dashboard, .list, .everywhere]
        case .live: [.live, .list, .everywhere]
        case .logs: logs.record == nil ? [.logs, .list, .everywhere] : [.record, .logs, .list, .everywhere]
        case .keys: [.keys, .list, .everywhere]
        case .pool: [.pool, .list, .everywhere]
        case .upstreams:
            upstreams.headers.isFocused
                ? [.headers, .list, .everywhere] : [.upstreams, .list, .everywhere]
        case .rules: [.rules, .list, .everywhere]
        case .scripts: [.scripts, .editor, .list, .everywhere]
        case .alerts:
            switch alerts.part {
            case .channels: [.channels, .alerts, .list, .everywhere]
            case .tasks: [.tasks, .alerts, .list, .everywhere]
            case .history: [.history, .alerts, .list, .everywhere]
            }
        case .system: [.system, .list, .everywhere]
        }
    }

    private mutating func click(_ x: Int, _ y: Int) -> [ConsoleEffect] {
        guard overlays.isEmpty else { return [] }
        let layout = ConsoleLayout(self)
        if layout.tabs.contains(x: x, y: y) {
            guard let tab = TabBar.places(self, layout.tabs).first(where: { $0.rect.contains(x: x, y: y) })
            else {
                return []
            }
            return run(tab.pane.command)
        }
        let rect = listRect
        guard var table = list, rect.contains(x: x, y: y), y > rect.y else { return [] }
        let index = table.top + y - rect.y - 1
        if pane == .logs { return selectLog(index) }
        table.select(index)
        list = table
        return []
    }

    // MARK: Time

    private mutating func tick(_ time: Timestamp) -> [ConsoleEffect] {
        let before = now
        now = time
        if let toast, toast.until <= now { self.toast = nil }
        guard outage == nil, !isStalled, before.seconds != now.seconds else { return [] }
        func isDue(_ seconds: Int) -> Bool { before.seconds / seconds != now.seconds / seconds }
        var effects: [ConsoleEffect] = []
        switch pane {
        case .dashboard:
            if dashboard.isLive {
                if dashboard.window != .fiveMinutes, isDue(dashboard.window.step) {
                    effects.append(.loadCharts(dashboard.request(filter.text)))
                }
                if isDue(max(dashboard.window.step * 10, 30)) {
                    effects.append(.loadStats(filter: filter.text))
                }
            }
        case .keys:
            // While nobody uses a key nothing changes but what is told anyway.
            let isUsed = keys.knownRequests != live?.dashboard.requests
            if isDue(isUsed ? 10 : 60) { effects.append(.loadKeys) }
        case .pool:
            if isDue(2) { effects.append(.loadPool) }
        case .upstreams:
            if isDue(2) { effects += [.loadUpstreams, .loadPool, .loadHeaders] }
        case .rules:
            if isDue(5) { effects.append(.loadRules) }
        case .alerts:
            if isDue(2) { effects.append(.loadAlerts) }
        case .system:
            if isDue(2) { effects.append(.loadSystem) }
        case .live, .logs, .scripts: break
        }
        return effects
    }

    // MARK: Filter

    /// Everything follows the filter.
    mutating func filterChanged() -> [ConsoleEffect] {
        dashboard.isLoading = true
        dashboard.cursor = nil
        dashboard.stats = [:]
        dashboard.recent.replace([])
        dashboard.recentWatch = nil
        dashboard.isRecentKnown = false
        logs = LogsState()
        applyFilter()
        return [
            .watchLive(filter: filter.text), .loadCharts(dashboard.request(filter.text)),
            .loadStats(filter: filter.text),
        ]
    }

    mutating func setFilter(_ text: String) -> [ConsoleEffect] {
        guard text != filter.text else { return [] }
        do throws(LogFilterError) {
            filter = FilterState(text: text, parsed: try LogFilter(parsing: text))
        } catch {
            say("the filter does not hold: \(error)", .error)
            return []
        }
        return filterChanged()
    }
}
