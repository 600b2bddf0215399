import Operations

/// The dashboard's own commands.
extension ConsoleState {
    mutating func runDashboard(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .cursorLeft: return moveCursor(by: -1)
        case .cursorRight: return moveCursor(by: 1)
        case .shorterWindow: return setWindow(by: -1)
        case .longerWindow: return setWindow(by: 1)
        case .earlier: return scroll(by: -1)
        case .later: return scroll(by: 1)
        case .pauseCharts:
            guard dashboard.isLive else { return goLive() }
            dashboard.isPaused = true
            say("paused; p goes on", .info, for: 3)
        default: break
        }
        return []
    }

    /// A step of the cursor is a column of the chart, so that every press is seen.
    private mutating func moveCursor(by direction: Int) -> [ConsoleEffect] {
        dashboard.part = .charts
        guard dashboard.cursor != nil || direction < 0 else { return [] }
        if direction > 0, dashboard.cursor == 0 {
            dashboard.cursor = nil
            return []
        }
        let columns = max(DashboardView.plotWidth(ConsoleLayout(self)), 1)
        let steps = max(1, dashboard.points.count / columns)
        if dashboard.moveCursor(by: direction * steps) { return [] }
        // Beyond the edge time goes on.
        return direction < 0 ? scroll(by: -1) : []
    }

    private mutating func setWindow(by step: Int) -> [ConsoleEffect] {
        let all = ChartWindow.allCases
        let place = (all.firstIndex(of: dashboard.window) ?? 0) + step
        guard all.indices.contains(place) else { return [] }
        dashboard.window = all[place]
        dashboard.cursor = nil
        dashboard.isLoading = true
        settings.window = all[place]
        return [
            .loadCharts(dashboard.request(filter.text)), .loadStats(filter: filter.text),
            .saveSettings(settings),
        ]
    }

    /// Half a window at a time; a day is kept.
    private mutating func scroll(by direction: Int) -> [ConsoleEffect] {
        let half = dashboard.window.seconds / 2
        let current = dashboard.end?.seconds ?? now.seconds
        let wanted = current + direction * half
        if wanted >= now.seconds { return dashboard.end == nil ? [] : goLive() }
        let oldest = now.seconds - 86_400 + dashboard.window.seconds
        guard wanted >= oldest || dashboard.end == nil, wanted > now.seconds - 86_400 else {
            say("history goes back 24 hours", .warning, for: 3)
            return []
        }
        dashboard.end = Timestamp(seconds: max(wanted, oldest))
        dashboard.isLoading = true
        return [.loadCharts(dashboard.request(filter.text))]
    }

    mutating func goLive() -> [ConsoleEffect] {
        dashboard.end = nil
        dashboard.isPaused = false
        dashboard.cursor = nil
        dashboard.isLoading = true
        return [.loadCharts(dashboard.request(filter.text)), .loadRecent(filter: filter.text)]
    }

    mutating func moveDashboard(_ movement: Movement) {
        switch dashboard.part {
        case .charts: dashboard.part = .recent
        case .recent: dashboard.recent.move(movement, page: 10)
        case .problems:
            let count = live?.dashboard.problems.count ?? 0
            switch movement {
            case .up, .halfUp, .pageUp: dashboard.problem -= 1
            case .top: dashboard.problem = 0
            case .bottom: dashboard.problem = count - 1
            default: dashboard.problem += 1
            }
            dashboard.problem = min(max(dashboard.problem, 0), max(count - 1, 0))
        }
    }

    /// Opens what the focus is on.
    mutating func openDashboard() -> [ConsoleEffect] {
        switch dashboard.part {
        case .charts:
            // The exchanges of the moment that the cursor is on.
            guard let point = dashboard.pointed else { return [] }
            pane = .logs
            return jump(to: point.time.advanced(by: .seconds(dashboard.window.step)))
        case .recent:
            guard let record = dashboard.recent.selection else { return [] }
            pane = .logs
            return jump(to: record.time.advanced(by: .milliseconds(1))) + open(record)
        case .problems:
            guard let problems = live?.dashboard.problems, problems.indices.contains(dashboard.problem) else {
                return []
            }
            switch problems[dashboard.problem].kind {
            case "audit": return show(.system)
            case "key": return show(.keys)
            case "channel": return show(.alerts)
            case "pool": return show(.pool)
            case "scripts": return show(.system)
            case "script": return showHeader(problems[dashboard.problem].name)
            case "upstream":
                pane = .logs
                return setFilter("upstream:\(problems[dashboard.problem].name)")
            default:
                pane = .logs
                return setFilter("status>=500")
            }
        }
    }

    func copyOfDashboard() -> String? {
        switch dashboard.part {
        case .charts:
            guard let point = dashboard.pointed else { return nil }
            return
                "\(point.time)\trequests \(point.requests)\tsuccess \(NumberText.percent(point.successRate))"
                + "\tp50 \(NumberText.latency(point.latencyP50Ms))\tp95 \(NumberText.latency(point.latencyP95Ms))"
                + "\tp99 \(NumberText.latency(point.latencyP99Ms))"
        case .recent: return dashboard.recent.selection.map { RecordText.line($0, zone: zone) }
        case .problems:
            guard let problems = live?.dashboard.problems, problems.indices.contains(dashboard.problem) else {
                return nil
            }
            let problem = problems[dashboard.problem]
            return "\(problem.kind) \(problem.name) \(problem.state): \(problem.detail)"
        }
    }
}
