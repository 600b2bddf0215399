import Operations

/// Who is told, what the gateway does by itself, and what was told.
enum AlertsView {
    static func channelColumns(_ state: ConsoleState) -> [Column<NotificationChannel>] {
        let glyphs = state.glyphs
        let now = state.now
        return [
            Column(id: "channel", title: "CHANNEL", width: 14, stretch: 1) { channel in
                StyledText("\(mark(channel, glyphs)) ", role(channel))
                    .appending(channel.name, channel.enabled ? .name : .muted)
            },
            Column(id: "kind", title: "KIND", width: 9) { StyledText($0.kind.rawValue, .muted) },
            Column(id: "state", title: "STATE", width: 9) { channel in
                StyledText(channel.enabled ? channel.state : "off", role(channel))
            },
            Column(id: "events", title: "EVENTS", width: 12, stretch: 2, priority: 3) { channel in
                StyledText(
                    channel.events.isEmpty ? "all" : channel.events.map(\.rawValue).joined(separator: " ")
                )
            },
            Column(id: "from", title: "FROM", width: 8, priority: 4) {
                StyledText($0.minSeverity.rawValue, .muted)
            },
            Column(id: "waiting", title: "WAITING", width: 7, isRight: true, priority: 1) { channel in
                StyledText(channel.pending == 0 ? "" : NumberText.count(channel.pending), .warning)
            },
            Column(id: "sent", title: "LAST SENT", width: 11, priority: 2) { channel in
                StyledText(TimeText.ago(channel.lastSentAt, now: now), .muted)
            },
            Column(id: "to", title: "TO", width: 16, stretch: 3, priority: 5) { channel in
                channel.lastError.map { StyledText($0, .error) } ?? StyledText(target(channel), .muted)
            },
        ]
    }

    static func target(_ channel: NotificationChannel) -> String {
        channel.webhookUrl ?? channel.toEmails?.joined(separator: ", ") ?? ""
    }

    private static func mark(_ channel: NotificationChannel, _ glyphs: Glyphs) -> Character {
        guard channel.enabled else { return glyphs.idle }
        switch channel.state {
        case "failing": return glyphs.bad
        case "waiting": return glyphs.warning
        default: return glyphs.good
        }
    }

    private static func role(_ channel: NotificationChannel) -> StyleRole {
        guard channel.enabled else { return .muted }
        switch channel.state {
        case "failing": return .error
        case "waiting": return .warning
        case "idle": return .muted
        default: return .ok
        }
    }

    static func taskColumns(_ state: ConsoleState) -> [Column<TaskRow>] {
        let glyphs = state.glyphs
        let now = state.now
        return [
            Column(id: "task", title: "TASK", width: 18, stretch: 1) { row in
                let isBad = row.task.succeeded == false
                return StyledText(
                    "\(isBad ? glyphs.bad : row.task.running ? glyphs.arrow : glyphs.good) ",
                    isBad ? .error : .ok
                ).appending(row.task.name.rawValue, .name)
            },
            Column(id: "every", title: "EVERY", width: 6, isRight: true) { row in
                let isDefault = row.task.interval == row.task.defaultInterval
                return StyledText(row.task.interval, isDefault ? .text : .accent)
            },
            Column(id: "last", title: "LAST RUN", width: 11) { row in
                StyledText(TimeText.ago(row.task.lastRunAt, now: now), .muted)
            },
            Column(id: "next", title: "NEXT", width: 9, priority: 2) { row in
                let seconds = row.task.nextRunAt.seconds - now.seconds
                return StyledText(
                    row.task.running
                        ? "running"
                        : seconds <= 0
                            ? "now" : seconds < 60 ? "in \(seconds) s" : "in \(TimeText.uptime(seconds))",
                    .muted
                )
            },
            Column(id: "took", title: "TOOK", width: 8, isRight: true, priority: 1) { row in
                StyledText(row.task.lastDurationMs.map { NumberText.latency($0) } ?? "", .muted)
            },
            Column(id: "result", title: "RESULT", width: 18, stretch: 4) { row in
                StyledText(row.task.result ?? "", row.task.succeeded == false ? .error : .text)
            },
        ]
    }

    static func historyColumns(_ state: ConsoleState) -> [Column<NotificationRecord>] {
        let glyphs = state.glyphs
        let zone = state.zone
        return [
            Column(id: "time", title: "TIME", width: 14) { record in
                StyledText(
                    "\(TimeText.date(record.time, zone: zone).suffix(5)) \(TimeText.clock(record.time, zone: zone))"
                )
            },
            Column(id: "event", title: "EVENT", width: 22) { record in
                StyledText("\(severityMark(record.severity, glyphs)) ", role(record.severity))
                    .appending(record.event.rawValue)
            },
            Column(id: "subject", title: "ABOUT", width: 16, stretch: 2) { StyledText($0.subject, .name) },
            Column(id: "times", title: "TIMES", width: 5, isRight: true, priority: 3) { record in
                StyledText(record.count > 1 ? NumberText.count(record.count) : "")
            },
            Column(id: "channel", title: "CHANNEL", width: 10, stretch: 1, priority: 1) { record in
                StyledText(record.channel ?? "none", .muted)
            },
            Column(id: "status", title: "STATUS", width: 9) { record in
                StyledText(record.status.rawValue, role(record.status))
            },
            Column(id: "tries", title: "TRIES", width: 5, isRight: true, priority: 2) { record in
                StyledText(record.tries.isEmpty ? "" : "\(record.tries.count)", .muted)
            },
            Column(id: "why", title: "WHY", width: 14, stretch: 3, priority: 4) { record in
                StyledText(
                    record.reason ?? record.data["reason"] ?? "",
                    record.reason == nil ? .muted : .error
                )
            },
        ]
    }

    private static func severityMark(_ severity: NotificationSeverity, _ glyphs: Glyphs) -> Character {
        switch severity {
        case .info: glyphs.good
        case .warning: glyphs.warning
        case .critical: glyphs.bad
        }
    }

    private static func role(_ severity: NotificationSeverity) -> StyleRole {
        switch severity {
        case .info: .ok
        case .warning: .warning
        case .critical: .error
        }
    }

    private static func role(_ status: NotificationRecord.Status) -> StyleRole {
        switch status {
        case .sent: .ok
        case .pending: .warning
        case .dead, .dropped: .error
        case .unrouted: .muted
        }
    }

    // MARK: Drawing

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        let alerts = state.alerts
        let places = layout.alerts(alerts)
        for part in AlertsState.Part.allCases {
            guard let place = places[part], !place.isEmpty else { continue }
            var rest = place
            let head = rest.cutTop(1)
            let isFocused = alerts.part == part
            canvas.heading(
                heading(part, alerts, canvas.glyphs),
                in: Rect(x: head.x + 1, y: head.y, width: head.width - 2, height: 1)
            )
            draw(part, state, isFocused: isFocused, on: &canvas, in: rest)
        }
        let status = layout.alertsStatus
        canvas.write(summary(state, canvas.glyphs), x: status.x + 3, y: status.y, width: status.width - 4)
    }

    private static func heading(_ part: AlertsState.Part, _ alerts: AlertsState, _ glyphs: Glyphs) -> String {
        switch part {
        case .channels: "Channels: who is told"
        case .tasks: "Tasks: what the gateway does by itself"
        case .history: "History: what was told"
        }
    }

    private static func draw(
        _ part: AlertsState.Part,
        _ state: ConsoleState,
        isFocused: Bool,
        on canvas: inout Canvas,
        in rect: Rect
    ) {
        let alerts = state.alerts
        let waiting =
            alerts.fault.map { "\(canvas.glyphs.bad) \($0)" }
            ?? (alerts.isLoading ? "loading \(canvas.glyphs.ellipsis)" : nil)
        switch part {
        case .channels:
            var table = Table(columns: channelColumns(state))
            table.isFocused = isFocused
            table.empty = waiting ?? "nobody is told of anything: n makes a channel"
            table.draw(alerts.channels, on: &canvas, in: rect)
        case .tasks:
            var table = Table(columns: taskColumns(state))
            table.isFocused = isFocused
            table.empty = waiting ?? "no tasks"
            table.draw(alerts.tasks, on: &canvas, in: rect)
        case .history:
            var table = Table(columns: historyColumns(state))
            table.isFocused = isFocused
            table.empty = waiting ?? "nothing worth telling has happened yet"
            table.draw(alerts.history, on: &canvas, in: rect)
        }
    }

    private static func summary(_ state: ConsoleState, _ glyphs: Glyphs) -> StyledText {
        let alerts = state.alerts
        let dot = " \(glyphs.middleDot) "
        var text = StyledText("Tab goes between channels, tasks and history", .muted)
        let dead = alerts.history.rows.count { $0.status == .dead }
        if dead > 0 { text.append("\(dot)\(dead) given up: R sends one again", .error) }
        let failing = alerts.channels.rows.count { $0.enabled && $0.state == "failing" }
        if failing > 0 { text.append("\(dot)\(failing) failing", .error) }
        let marked = alerts.history.markCount
        if marked > 0 { text.append("\(dot)\(marked) marked", .marked) }
        return text
    }

    // MARK: Details

    static func details(_ channel: NotificationChannel, now: Timestamp, width: Int) -> [TextView.Line] {
        var facts: [(String, String)] = [
            ("name", channel.name), ("kind", channel.kind.rawValue), ("to", target(channel)),
            ("on", channel.enabled ? "yes" : "no"), ("state", channel.state),
            (
                "events",
                channel.events.isEmpty ? "all" : channel.events.map(\.rawValue).joined(separator: ", ")
            ),
            ("from severity", channel.minSeverity.rawValue),
            (
                "quiet hours",
                channel.quietHours.map { "\($0.from) to \($0.to), but for what is critical" } ?? "none"
            ),
            ("same again", "after \(channel.dedupe)"),
            ("a minute", "\(channel.maxPerMinute) messages at most"),
        ]
        if channel.kind == .email {
            facts += [
                (
                    "server",
                    "\(channel.smtpHost ?? ""):\(channel.smtpPort ?? 0), \(channel.smtpSecurity?.rawValue ?? "")"
                ),
                ("user", channel.smtpUser ?? "none"),
                ("password", channel.hasSmtpPassword == true ? "set" : "none"),
                ("from", channel.fromEmail ?? ""),
            ]
        } else {
            facts.append(("secret", channel.hasSecret == true ? "set" : "none"))
            if let headers = channel.headers, !headers.isEmpty {
                facts.append(("headers", headers.keys.sorted().joined(separator: ", ")))
            }
        }
        facts += [
            ("waiting", "\(channel.pending)"), ("last sent", TimeText.ago(channel.lastSentAt, now: now)),
            ("last error", channel.lastError ?? "none"),
            ("tried again", channel.nextTryAt?.description ?? ""),
            ("source", channel.source.rawValue),
        ]
        return DetailText.lines(facts.filter { !$0.1.isEmpty }, width: width)
    }

    static func details(_ task: ScheduledTask, width: Int) -> [TextView.Line] {
        DetailText.lines(
            [
                ("task", task.name.rawValue), ("does", task.summary), ("every", task.interval),
                ("by default", task.defaultInterval), ("last run", task.lastRunAt?.description ?? "never"),
                ("took", task.lastDurationMs.map { NumberText.latency($0) } ?? ""),
                ("result", task.result ?? ""), ("next run", task.nextRunAt.description),
                ("since start", "\(task.runs) runs, \(task.failures) failed"),
            ],
            width: width
        )
    }

    static func details(_ record: NotificationRecord, width: Int) -> [TextView.Line] {
        var facts: [(String, String)] = [
            ("event", "\(record.event.rawValue), \(record.severity.rawValue)"), ("about", record.subject),
            ("time", record.time.description),
        ]
        if record.count > 1 { facts.append(("times", "\(record.count), last \(record.lastTime)")) }
        facts += [("channel", record.channel ?? "none wanted it"), ("status", record.status.rawValue)]
        if let reason = record.reason { facts.append(("why", reason)) }
        if record.digest > 1 { facts.append(("told with", "\(record.digest - 1) others in one message")) }
        facts += record.data.sorted { $0.key < $1.key }.map { ($0.key.replacing("_", with: " "), $0.value) }
        for (index, one) in record.tries.enumerated() {
            facts.append(
                (
                    "try \(index + 1)",
                    "\(one.time)  \(one.succeeded ? "ok" : "failed")  \(one.durationMs) ms  \(one.detail)"
                )
            )
        }
        return DetailText.lines(facts, width: width)
    }

    static func lines(_ template: NotificationTemplate) -> [TextView.Line] {
        var lines = [
            TextView.Line(
                StyledText(template.isDefault ? "The text that ships" : "An operator's text", .muted)
                    .appending("; M edits it", .hint)
            ),
            TextView.Line(StyledText()),
            TextView.Line(StyledText(template.previewTitle, .heading), copy: template.previewTitle),
        ]
        lines += template.preview.split(separator: "\n", omittingEmptySubsequences: false).map {
            TextView.Line(StyledText(String($0)), copy: String($0))
        }
        lines += [TextView.Line(StyledText()), TextView.Line(StyledText("As it is written", .heading))]
        lines +=
            ([template.title]
            + template.body.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
            .map { TextView.Line(StyledText($0, .muted), copy: $0) }
        lines += [
            TextView.Line(StyledText()), TextView.Line(StyledText("It may name", .heading)),
            TextView.Line(StyledText(template.fields.joined(separator: " "), .accent)),
        ]
        return lines
    }
}
