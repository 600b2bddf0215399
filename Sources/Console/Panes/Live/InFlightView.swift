import Operations

/// The exchanges in flight, as `top` shows processes, and the answer of the one that is watched.
enum InFlightView {
    /// Without a first byte for so long it is looked at twice.
    private static let longWait = 10_000.0

    static func columns(_ state: ConsoleState) -> [Column<LiveExchange>] {
        let glyphs = state.glyphs
        let rates = state.inFlight.rates
        // Rows that are held may be those of exchanges that have ended.
        let running = state.inFlight.isPaused ? Set((state.live?.exchanges ?? []).map(\.id)) : nil
        return [
            Column(id: "age", title: "AGE", width: 8, isRight: true, order: .number { $0.ageMs }) {
                StyledText(NumberText.latency($0.ageMs))
            },
            Column(id: "client", title: "CLIENT", width: 12, stretch: 2, order: .text { $0.clientKey }) {
                StyledText($0.clientKey)
            },
            Column(id: "owner", title: "OWNER", width: 10, stretch: 1, priority: 8, order: .text { $0.owner })
            {
                StyledText($0.owner.isEmpty ? "–" : $0.owner, .muted)
            },
            Column(
                id: "upstream",
                title: "UPSTREAM",
                width: 9,
                stretch: 1,
                priority: 3,
                order: .text { $0.upstream }
            ) {
                StyledText($0.upstream)
            },
            Column(
                id: "key",
                title: "KEY",
                width: 9,
                stretch: 1,
                priority: 5,
                order: .text { $0.upstreamKey ?? "" }
            ) {
                StyledText($0.upstreamKey ?? "–", .muted)
            },
            Column(
                id: "model",
                title: "MODEL",
                width: 10,
                stretch: 2,
                priority: 4,
                order: .text { $0.model ?? "" }
            ) {
                StyledText($0.model ?? "–", $0.model == nil ? .muted : .text)
            },
            Column(id: "state", title: "STATE", width: 11, order: .text { $0.state }) { exchange in
                if running?.contains(exchange.id) == false {
                    return StyledText("\(glyphs.dash) ended", .muted)
                }
                return condition(exchange, glyphs)
            },
            Column(
                id: "ttft",
                title: "TTFT",
                width: 8,
                isRight: true,
                priority: 2,
                order: .number { $0.ttftMs ?? 0 }
            ) {
                StyledText(NumberText.latency($0.ttftMs), .muted)
            },
            Column(
                id: "chunks",
                title: "CHUNKS",
                width: 7,
                isRight: true,
                order: .number { Double($0.streamChunks) }
            ) {
                StyledText($0.isStream ? NumberText.count($0.streamChunks) : "–", .info)
            },
            Column(
                id: "rate",
                title: "CHUNK/S",
                width: 8,
                isRight: true,
                priority: 1,
                order: .number { rates[$0.id] ?? 0 }
            ) { StyledText(rates[$0.id].map(NumberText.rate) ?? "–", .rate) },
            Column(
                id: "sent",
                title: "SENT",
                width: 7,
                isRight: true,
                priority: 6,
                order: .number { Double($0.bytesOut) }
            ) { StyledText(ByteText.short($0.bytesOut), .muted) },
            Column(id: "path", title: "PATH", width: 14, stretch: 4, priority: 7, order: .text { $0.path }) {
                StyledText("\($0.method) \(shortPath($0))", .muted)
            },
        ]
    }

    /// Without what every path begins with.
    private static func shortPath(_ exchange: LiveExchange) -> String {
        let prefix = "/proxy/\(exchange.upstream)/"
        return exchange.path.hasPrefix(prefix) ? "/" + exchange.path.dropFirst(prefix.count) : exchange.path
    }

    private static func condition(_ exchange: LiveExchange, _ glyphs: Glyphs) -> StyledText {
        switch exchange.state {
        case "answering": StyledText("\(glyphs.good) answering", .ok)
        case "waiting" where exchange.ageMs >= longWait: StyledText("\(glyphs.warning) waiting", .warning)
        case "waiting": StyledText("\(glyphs.idle) waiting", .text)
        default: StyledText("\(glyphs.idle) \(exchange.state)", .muted)
        }
    }

    /// On one line, for the clipboard.
    static func line(_ exchange: LiveExchange) -> String {
        "\(exchange.requestId) \(exchange.state) \(NumberText.latency(exchange.ageMs)) \(exchange.method) \(exchange.path)"
            + " \(exchange.clientKey) \(exchange.upstream)/\(exchange.upstreamKey ?? "-") \(exchange.model ?? "-")"
            + " \(exchange.streamChunks) chunks \(ByteText.short(exchange.bytesOut))"
    }

    // MARK: Drawing

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        let rects = layout.inFlight(state.inFlight)
        if !rects.list.isEmpty {
            var table = Table(columns: columns(state))
            table.hidden = Set(state.settings.hiddenColumns[PaneID.live.rawValue] ?? [])
            table.sort = state.inFlight.sort
            table.isFocused = !state.inFlight.isTextFocused
            table.empty = emptyText(state)
            table.draw(state.inFlight.table, on: &canvas, in: rects.list)
        }
        if !rects.status.isEmpty { drawStatus(state, on: &canvas, in: rects.status) }
        if let watched = state.inFlight.watched {
            drawWatched(watched, state, on: &canvas, heading: rects.heading, body: rects.record)
        }
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let outage = state.outage { return "\(state.glyphs.bad) \(outage)" }
        guard let live = state.live else { return "loading \(state.glyphs.ellipsis)" }
        return live.exchanges.isEmpty && state.filter.text.isEmpty
            ? "nothing is in flight: requests stand here while they run"
            : "nothing in flight fits the filter; \\ clears it"
    }

    private static func drawStatus(_ state: ConsoleState, on canvas: inout Canvas, in rect: Rect) {
        let flight = state.inFlight
        let dot = " \(canvas.glyphs.middleDot) "
        var text =
            flight.isPaused
            ? StyledText("\(canvas.glyphs.warning) held", .warning).appending("\(dot)p goes on", .muted)
            : StyledText("\(canvas.glyphs.good) live", .ok)
        let rows = flight.table.rows
        let all = state.live?.exchanges.count ?? 0
        if flight.isPaused {
            text.append("\(dot)\(NumberText.count(rows.count)) as they were", .muted)
        } else {
            let count = NumberText.count(all)
            let shown = rows.count == all ? count : "\(NumberText.count(rows.count)) of \(count)"
            text.append("\(dot)\(shown) in flight", .muted)
        }
        let streams = rows.count(where: \.isStream)
        if streams > 0 {
            let rate = NumberText.rate(rows.compactMap { flight.rates[$0.id] }.reduce(0, +))
            let count = streams == 1 ? "1 stream" : "\(NumberText.count(streams)) streams"
            text.append("\(dot)\(count) at \(rate) chunks/s", .muted)
        }
        if flight.table.markCount > 0 { text.append("\(dot)\(flight.table.markCount) marked", .marked) }
        if InFlightFilter.ignoresPart(of: state.filter.parsed) {
            text.append("\(dot)what only the end of a request tells does not narrow these", .muted)
        }
        canvas.write(text, x: rect.x + 3, y: rect.y, width: rect.width - 4)
    }

    private static func drawWatched(
        _ watched: InFlightState.Watched,
        _ state: ConsoleState,
        on canvas: inout Canvas,
        heading: Rect,
        body: Rect
    ) {
        let exchange = watched.exchange
        let key = exchange.upstreamKey.map { "/\($0)" } ?? ""
        let (note, role) = outcome(watched, state.inFlight.isPaused ? nil : state.inFlight.rates[watched.id])
        // What becomes of it goes before what it is.
        let who = "\(exchange.clientKey) \(canvas.glyphs.crumb) \(exchange.upstream)\(key)"
        let whole = "\(exchange.requestId)  \(who)" + (exchange.model.map { "  \($0)" } ?? "")
        canvas.heading(
            heading.width < 70 ? who : heading.width < 100 ? "\(who)  \(exchange.requestId)" : whole,
            note: note,
            noteRole: role,
            in: Rect(x: heading.x + 1, y: heading.y, width: heading.width - 2, height: 1)
        )
        guard !watched.view.lines.isEmpty else {
            canvas.write(
                nothingYet(watched, canvas.glyphs),
                x: body.x + 2,
                y: body.y,
                .muted,
                width: body.width - 3
            )
            return
        }
        let isFocused =
            state.inFlight.isTextFocused || state.inFlight.isTextFull || !ConsoleLayout(state).canSplit
        watched.view.draw(
            on: &canvas,
            in: Rect(x: body.x + 1, y: body.y, width: body.width - 2, height: body.height),
            isFocused: isFocused
        )
    }

    private static func nothingYet(_ watched: InFlightState.Watched, _ glyphs: Glyphs) -> String {
        if watched.isOver { return "it has ended without a text" }
        if watched.fault != nil { return "nothing was seen of it" }
        return watched.sent.isEmpty || watched.isRaw
            ? "waiting for the answer \(glyphs.ellipsis)"
            : "no text yet \(glyphs.middleDot) t shows what is sent"
    }

    /// How it is, at the right of its heading.
    private static func outcome(_ watched: InFlightState.Watched, _ rate: Double?) -> (String, StyleRole) {
        let exchange = watched.exchange
        let more = watched.leftOut > 0 ? "  \(ByteText.short(watched.leftOut)) not seen" : ""
        let status = exchange.status.map(String.init) ?? "no status"
        let speed = rate.map { "  \(NumberText.rate($0))/s" } ?? ""
        let chunks = exchange.isStream ? "  \(NumberText.count(exchange.streamChunks)) chunks" : ""
        if watched.isOver {
            let isWell = watched.error == nil && (exchange.status ?? 500) < 400
            let how = watched.error.map { "\(status) \($0)" } ?? "ended \(status)"
            return (
                "\(how) after \(NumberText.latency(exchange.ageMs))\(chunks)\(more)", isWell ? .ok : .error
            )
        }
        if let fault = watched.fault { return (fault, .warning) }
        return ("\(exchange.state) \(NumberText.latency(exchange.ageMs))\(chunks)\(speed)\(more)", .info)
    }
}
