import Operations

/// What each command does.
extension ConsoleState {
    /// Runs a command, or says why it is not to be had now.
    mutating func run(_ id: CommandID) -> [ConsoleEffect] {
        if let refusal = refusal(of: id) {
            say(refusal, .warning)
            return []
        }
        switch id {
        case .showDashboard: return show(.dashboard)
        case .showLive: return show(.live)
        case .showLogs: return show(.logs)
        case .showKeys: return show(.keys)
        case .showPool: return show(.pool)
        case .showUpstreams: return show(.upstreams)
        case .showRules: return show(.rules)
        case .showScripts: return show(.scripts)
        case .showAlerts: return show(.alerts)
        case .showSystem: return show(.system)
        case .filter:
            let prompt = Prompt(kind: .filter, editor: LineEditor(filter.text), before: filter.text)
            overlays.append(.prompt(prompt))
        case .clearFilter: return setFilter("")
        case .palette: overlays.append(.palette(palettePicker()))
        case .help: overlays.append(.help(helpPicker()))
        case .back: return back()
        case .quit: return leave()
        case .suspend: return [.suspend]
        case .repaint: return [.repaint]
        case .mouse:
            isMouseOn.toggle()
            say(isMouseOn ? "mouse on: select text with Shift held" : "mouse off", .info)
            return [.setMouse(isMouseOn)]
        case .theme: overlays.append(.themes(themePicker(), before: themeName))
        case .charts: return nextGlyphs()
        case .refetch: return refetch()
        case .undo:
            guard let undo else { return [] }
            self.undo = nil
            undoing = undo
            return [.change(undo.change)]
        case .nextFocus: moveFocus(by: 1)
        case .previousFocus: moveFocus(by: -1)
        case .up: return move(.up)
        case .down: return move(.down)
        case .pageUp: return move(.pageUp)
        case .pageDown: return move(.pageDown)
        case .halfUp: return move(.halfUp)
        case .halfDown: return move(.halfDown)
        case .top: return move(.top)
        case .bottom: return move(.bottom)
        case .open: return open()
        case .sort: overlays.append(.sort(sortPicker()))
        case .columns: overlays.append(.columns(columnPicker()))
        case .mark, .range: mark(isRange: id == .range)
        case .copy: return copy()
        case .cursorLeft, .cursorRight, .shorterWindow, .longerWindow, .earlier, .later, .pauseCharts:
            return runDashboard(id)
        case .pauseLogs, .nextError, .previousError, .sameCaller, .jumpToTime, .copyCurl: return runLogs(id)
        case .pauseLive, .rawText, .cutExchange, .liveCaller, .liveLogs: return runInFlight(id)
        case .newKey, .editKey, .toggleKey, .rotateKey, .revokeKey, .deleteKey, .purgeKey, .keyLogs:
            return runKeys(id)
        case .newPoolKey, .editPoolKey, .togglePoolKey, .banPoolKey, .resetPoolKey, .testPoolKey,
            .deletePoolKey, .poolKeyLogs, .importPool:
            return runPool(id)
        case .newUpstream, .editUpstream, .toggleUpstream, .resetUpstream, .testUpstream, .deleteUpstream,
            .upstreamLogs:
            return runUpstreams(id)
        case .newRule, .editRule, .toggleRule, .ruleUp, .ruleDown, .testRules, .testRulesOnRecord,
            .deleteRule,
            .resetRules:
            return runRules(id)
        case .focusHeaders, .newHeader, .editHeader, .toggleHeader, .headerUp, .headerDown, .deleteHeader:
            return runHeaders(id)
        case .typeScript, .newScript, .openScript, .scriptExamples, .scriptLanguage, .scriptContext,
            .runScript, .saveScript, .saveScriptAs, .undoScript, .redoScript, .findInScript, .goToLine,
            .externalEditor:
            return runScripts(id)
        case .newChannel, .editChannel, .toggleChannel, .testChannel, .deleteChannel, .resend, .runTask,
            .taskInterval, .showTemplate, .editTemplate:
            return runAlerts(id)
        case .reload: return [.change(.reload)]
        case .undoChange: askToUndo()
        case .backUp: overlays.append(.form(BackupForm.form(), .backup))
        case .rotateMasterKey: askToRotateMasterKey()
        }
        return []
    }

    mutating func show(_ pane: PaneID) -> [ConsoleEffect] {
        self.pane = pane
        if pane == .live { takeInFlight(since: nil) }
        return loads
    }

    // MARK: Leaving

    /// One step back, never out.
    private mutating func back() -> [ConsoleEffect] {
        toast = nil
        switch pane {
        case .logs:
            if logs.isRecordFull, ConsoleLayout(self).canSplit {
                logs.isRecordFull = false
                return []
            }
            if logs.record != nil {
                logs.record = nil
                logs.isRecordFull = false
                logs.isRecordFocused = false
                return []
            }
        case .upstreams:
            if upstreams.headers.isFocused, upstreams.headers.table.markCount == 0 {
                upstreams.headers.isFocused = false
                return []
            }
        case .scripts:
            // In so many steps, and the filter of the other panes is none of this one's.
            if scripts.isTyping { scripts.isTyping = false } else { scripts.part = .editor }
            return []
        case .live: if closeInFlight() { return [] }
        case .keys, .pool, .rules, .alerts, .system: break
        case .dashboard:
            if dashboard.cursor != nil {
                dashboard.cursor = nil
                return []
            }
            if dashboard.end != nil { return goLive() }
        }
        if var table = list, table.clearMarks() {
            list = table
            return []
        }
        return filter.text.isEmpty ? [] : setFilter("")
    }

    private mutating func leave() -> [ConsoleEffect] {
        let unsaved = scripts.isChanged ? ["What you have changed in \(scripts.title) (8) is not saved."] : []
        guard case .inProcess(let attach) = mode else {
            guard scripts.isChanged else { return [.end(.detach)] }
            let dialog = Dialog(
                title: "Leave",
                text: unsaved,
                buttons: [.init(label: "Discard it and detach", key: Key("d"))]
            )
            overlays.append(.dialog(dialog, .leave))
            return []
        }
        let running = live?.exchanges.count ?? 0
        let dialog = Dialog(
            title: "Leave",
            text: [
                "The gateway runs in this process and has \(running) \(running == 1 ? "exchange" : "exchanges") in flight.",
                "Close only the console, and callers are served on (attach again with \(attach)); or stop "
                    + "the gateway: open exchanges may end, new ones are refused.",
            ] + unsaved,
            buttons: [
                .init(label: "Close the console", key: Key("c")),
                .init(label: "Stop the gateway", key: Key("S")),
            ]
        )
        overlays.append(.dialog(dialog, .leave))
        return []
    }

    // MARK: Lists

    mutating func move(_ movement: Movement) -> [ConsoleEffect] {
        switch pane {
        case .live: moveInFlight(movement)
        case .logs: return moveLogs(movement)
        case .dashboard: moveDashboard(movement)
        case .scripts:
            let rects = ConsoleLayout(self).scripts
            switch scripts.part {
            case .editor: scripts.editor.move(movement, page: rects.editor.height - 1)
            case .result: scripts.result.move(movement, page: rects.result.height - 1)
            }
        case .keys, .pool, .upstreams, .rules, .alerts, .system:
            let page = listRect.height - 1
            list?.move(movement, page: page)
            if pane == .upstreams { applyHeaders() }
        }
        return []
    }

    private mutating func open() -> [ConsoleEffect] {
        switch pane {
        case .dashboard: return openDashboard()
        case .live: openInFlight()
        case .logs: return openLog()
        case .pool:
            guard let key = pool.table.selection else { return [] }
            let isProbed = upstreams.all.contains { $0.id == key.upstreamId && $0.probe != nil }
            show(
                "Key \(key.upstream)/\(key.name)",
                PoolView.details(key, now: now, zone: zone, isProbed: isProbed, width: textWidth)
            )
        case .upstreams where upstreams.headers.isFocused: return openHeader()
        case .upstreams:
            guard let upstream = upstreams.table.selection else { return [] }
            show(
                "Upstream \(upstream.slug)",
                UpstreamsView.details(upstream, now: now, zone: zone, width: textWidth)
            )
        case .rules:
            guard let rule = rules.table.selection else { return [] }
            show("Rule \(rule.name)", RulesView.details(rule, upstreams, now: now, width: textWidth))
        case .scripts: return runScripts(.typeScript)
        case .alerts: openAlert()
        case .keys: return refusal(of: .editKey) == nil ? runKeys(.editKey) : runKeys(.keyLogs)
        case .system:
            guard let change = system.changes.selection else { return [] }
            show("Change \(change.id)", ChangeText.lines(change, zone: zone))
        }
        return []
    }

    /// What a text that floats over the panes has room for.
    var textWidth: Int { size.columns - 2 * min(4, size.columns / 8) - 6 }

    mutating func show(_ title: String, _ lines: [TextView.Line]) {
        overlays.append(.text(title: title, TextView(lines)))
    }

    private mutating func mark(isRange: Bool) {
        guard hasMarks, var table = list else { return }
        if isRange {
            table.toggleRange()
        } else {
            table.toggleMark()
            table.move(.down, page: 1)
        }
        list = table
    }

    private mutating func copy() -> [ConsoleEffect] {
        let text: String? =
            switch pane {
            case .dashboard: copyOfDashboard()
            case .live: copyOfInFlight()
            case .logs: copyOfLogs()
            case .keys:
                keys.table.targets.isEmpty
                    ? nil
                    : keys.table.targets.map { "\($0.name)\t\($0.owner)\t\($0.prefix)" }.joined(
                        separator: "\n"
                    )
            case .pool: copyOfPool()
            case .upstreams: upstreams.headers.isFocused ? copyOfHeaders() : copyOfUpstreams()
            case .rules: copyOfRules()
            case .scripts: scripts.part == .result ? scripts.result.copyText : scripts.editor.text
            case .alerts: copyOfAlerts()
            case .system: system.changes.selection.map { ChangeText.line($0, zone: zone) }
            }
        guard let text else { return [] }
        return copy(text)
    }

    mutating func copy(_ text: String) -> [ConsoleEffect] {
        guard text.utf8.count <= RestoreSequence.clipboardLimit else {
            say("too long to copy: \(ByteText.short(text.utf8.count)), terminals take 56 kB", .warning)
            return []
        }
        say("copied \(ByteText.short(text.utf8.count)) to your terminal's clipboard", .ok, for: 3)
        return [.copy(text)]
    }

    private mutating func moveFocus(by step: Int) {
        switch pane {
        case .dashboard:
            let count = DashboardState.Part.allCases.count
            dashboard.part =
                DashboardState.Part(rawValue: (dashboard.part.rawValue + step + count) % count) ?? .charts
        case .logs:
            if logs.record != nil, !logs.isRecordFull { logs.isRecordFocused.toggle() }
        case .live:
            if inFlight.watched != nil, !inFlight.isTextFull { inFlight.isTextFocused.toggle() }
        case .upstreams: upstreams.headers.isFocused.toggle()
        case .scripts: scripts.part = scripts.part == .editor ? .result : .editor
        case .alerts:
            let count = AlertsState.Part.allCases.count
            alerts.part =
                AlertsState.Part(rawValue: (alerts.part.rawValue + step + count) % count) ?? .channels
        case .keys, .pool, .rules, .system: break
        }
    }

    private mutating func refetch() -> [ConsoleEffect] {
        say("fetching again", .info, for: 2)
        switch pane {
        case .dashboard:
            return [
                .loadCharts(dashboard.request(filter.text)), .loadRecent(filter: filter.text),
                .loadStats(filter: filter.text),
            ]
        case .logs:
            logs.isLoading = true
            return [.loadLogs(filter: filter.text, cursor: nil, to: logs.target)]
        case .live: return [.watchLive(filter: filter.text)]
        case .keys, .pool, .upstreams, .rules, .scripts, .alerts, .system: return loads
        }
    }

    /// What the pane shows, besides what comes by itself.
    var loads: [ConsoleEffect] {
        switch pane {
        case .dashboard, .live, .logs: []
        case .keys: [.loadKeys]
        case .pool: [.loadPool, .loadUpstreams]
        case .upstreams: [.loadUpstreams, .loadPool, .loadHeaders]
        case .rules: [.loadRules, .loadUpstreams]
        case .scripts: [.loadHeaders, .loadUpstreams]
        case .alerts: [.loadAlerts]
        case .system: [.loadSystem]
        }
    }

    private mutating func nextGlyphs() -> [ConsoleEffect] {
        let all = bestGlyphs == .ascii ? [Glyphs.Kind.ascii] : Glyphs.Kind.allCases
        let place = all.firstIndex(of: glyphs.kind) ?? 0
        glyphs = .of(all[(place + 1) % all.count])
        settings.charts = glyphs.kind.rawValue
        say("drawing with \(glyphs.kind.rawValue)", .info, for: 2)
        return [.saveSettings(settings)]
    }
}
