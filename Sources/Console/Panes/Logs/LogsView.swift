import Operations

/// The log: a list that follows, its condition, and the record that is open.
enum LogsView {
    static func columns(_ state: ConsoleState) -> [Column<LogRecord>] {
        let zone = state.zone
        let glyphs = state.glyphs
        return [
            Column(id: "time", title: "TIME", width: 8) { StyledText(TimeText.clock($0.time, zone: zone)) },
            Column(id: "status", title: "STATUS", width: 6) { status($0, glyphs) },
            Column(id: "method", title: "METHOD", width: 6, priority: 8) { StyledText($0.method, .muted) },
            Column(id: "client", title: "CLIENT", width: 12, stretch: 1, priority: 1) {
                StyledText($0.clientKey ?? "–", $0.clientKey == nil ? .muted : .text)
            },
            Column(id: "owner", title: "OWNER", width: 10, stretch: 1, priority: 7) {
                StyledText($0.owner ?? "–", .muted)
            },
            Column(id: "upstream", title: "UPSTREAM", width: 9, stretch: 1, priority: 2) {
                StyledText($0.upstream ?? "–", $0.upstream == nil ? .muted : .text)
            },
            Column(id: "path", title: "PATH", width: 18, stretch: 5) { StyledText(shortPath($0)) },
            Column(id: "ttft", title: "TTFT", width: 8, isRight: true, priority: 4) {
                StyledText($0.isStream ? NumberText.latency($0.ttftMs) : "–", .muted)
            },
            Column(id: "total", title: "TOTAL", width: 8, isRight: true) {
                StyledText(NumberText.latency($0.latencyMs))
            },
            Column(id: "size", title: "SIZE", width: 7, isRight: true, priority: 5) {
                StyledText(ByteText.short($0.bytesOut), .muted)
            },
            Column(id: "stream", title: "STREAM", width: 6, priority: 3) {
                StyledText($0.isStream ? "\(glyphs.stream) \($0.streamChunks)" : "", .info)
            },
            Column(id: "model", title: "MODEL", width: 8, stretch: 1, priority: 6) {
                StyledText($0.model ?? "", .muted)
            },
            Column(id: "why", title: "WHY", width: 10, stretch: 5, priority: 3) {
                why($0)
            },
        ]
    }

    /// Without what every path begins with.
    private static func shortPath(_ record: LogRecord) -> String {
        let prefix = "/proxy/\(record.upstream ?? "")/"
        return record.path.hasPrefix(prefix) ? "/" + record.path.dropFirst(prefix.count) : record.path
    }

    private static func why(_ record: LogRecord) -> StyledText {
        if let error = record.error { return StyledText(error, .error) }
        return RecordText.isError(record) ? StyledText("upstream's own", .muted) : StyledText()
    }

    private static func status(_ record: LogRecord, _ glyphs: Glyphs) -> StyledText {
        let isCut = record.error != nil && (200..<400).contains(record.status ?? 0)
        let text = isCut ? "cut" : record.status.map(String.init) ?? "–"
        switch record.status {
        case .some(200..<400) where !isCut: return StyledText("\(glyphs.good) \(text)", .ok)
        case .some(400..<500): return StyledText("\(glyphs.warning) \(text)", .warning)
        default: return StyledText("\(glyphs.bad) \(text)", .error)
        }
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        let rects = layout.logs(state.logs)
        if !rects.list.isEmpty {
            var table = Table(columns: columns(state))
            table.hidden = Set(state.settings.hiddenColumns[PaneID.logs.rawValue] ?? [])
            table.isFocused = !state.logs.isRecordFocused
            table.empty = emptyText(state)
            table.draw(state.logs.table, on: &canvas, in: rects.list)
        }
        if !rects.status.isEmpty { drawStatus(state, on: &canvas, in: rects.status) }
        if let record = state.logs.record {
            drawRecord(record, state, on: &canvas, heading: rects.heading, body: rects.record)
        }
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let fault = state.logs.fault { return "\(state.glyphs.bad) \(fault)" }
        if state.logs.isLoading { return "loading \(state.glyphs.ellipsis)" }
        if let target = state.logs.target {
            return "no request before \(TimeText.clock(target, zone: state.zone)); G goes to the newest"
        }
        return state.filter.text.isEmpty
            ? "no request yet: send one, and it appears here" : "nothing fits the filter; \\ clears it"
    }

    private static func drawStatus(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let logs = state.logs
        let glyphs = canvas.glyphs
        var text = StyledText()
        if logs.isFollowing {
            text.append("\(glyphs.good) following", .ok)
        } else {
            text.append("\(glyphs.down) paused", .warning)
            if logs.newCount > 0 {
                text.append(" \(glyphs.middleDot) +\(NumberText.count(logs.newCount)) new", .warning)
            }
            text.append(" \(glyphs.middleDot) G to follow", .muted)
        }
        text.append(" \(glyphs.middleDot) \(NumberText.count(logs.table.rows.count)) loaded", .muted)
        if logs.skipped > 0 {
            text.append(
                " \(glyphs.middleDot) \(NumberText.count(logs.skipped)) too fast to show, all in the log",
                .muted
            )
        }
        if logs.isDetached {
            text.append(" \(glyphs.middleDot) \(glyphs.down) at the end loads later ones", .muted)
        }
        if logs.isLoadingNewer { text.append(" \(glyphs.middleDot) loading later ones", .info) }
        if logs.isLoadingOlder { text.append(" \(glyphs.middleDot) loading older", .info) }
        if logs.table.markCount > 0 {
            text.append(" \(glyphs.middleDot) \(logs.table.markCount) marked", .marked)
        }
        if let fault = logs.fault, !logs.table.rows.isEmpty { text.append(" \(glyphs.bad) \(fault)", .error) }
        canvas.write(text, x: rect.x + 3, y: rect.y, width: rect.width - 4)
    }

    private static func drawRecord(
        _ open: LogsState.OpenRecord,
        _ state: ConsoleState,
        on canvas: inout Canvas,
        heading: Rect,
        body: Rect
    ) {
        let record = open.record
        let outcome =
            "\(record.status.map(String.init) ?? "nothing sent")\(record.error.map { " \($0)" } ?? "")"
        canvas.heading(
            "\(record.requestId)  \(TimeText.precise(record.time, zone: state.zone))",
            note: outcome,
            noteRole: RecordText.isError(record) ? .error : .ok,
            in: Rect(x: heading.x + 1, y: heading.y, width: heading.width - 2, height: 1)
        )
        if let fault = open.fault {
            canvas.write(
                "\(canvas.glyphs.bad) \(fault)",
                x: body.x + 2,
                y: body.y,
                .error,
                width: body.width - 3
            )
            return
        }
        let isFocused =
            state.logs.isRecordFocused || state.logs.isRecordFull || !ConsoleLayout(state).canSplit
        open.view.draw(
            on: &canvas,
            in: Rect(x: body.x + 1, y: body.y, width: body.width - 2, height: body.height),
            isFocused: isFocused
        )
    }
}
