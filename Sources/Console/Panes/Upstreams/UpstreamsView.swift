import Operations

/// The backends: how they are, and what is set of them.
enum UpstreamsView {
    static func columns(_ state: ConsoleState) -> [Column<Upstream>] {
        let glyphs = state.glyphs
        let now = state.now
        let usable = Dictionary(grouping: state.pool.all.filter { $0.state == .active }, by: \.upstreamId)
        return [
            Column(id: "upstream", title: "UPSTREAM", width: 12, stretch: 1, order: .text { $0.slug }) {
                StyledText($0.slug, .name)
            },
            Column(id: "health", title: "HEALTH", width: 15, order: .number { Double(rank($0)) }) {
                StyledText("\(mark($0, glyphs)) \(words($0))", role($0))
            },
            Column(id: "why", title: "WHY", width: 12, stretch: 3, priority: 3) {
                StyledText(why($0, now) ?? "", .warning)
            },
            Column(
                id: "keys",
                title: "KEYS",
                width: 7,
                isRight: true,
                priority: 2,
                order: .number { Double($0.keys) }
            ) { keys($0, usable: usable[$0.id]?.count ?? 0) },
            Column(
                id: "base_url",
                title: "BASE URL",
                width: 22,
                stretch: 4,
                priority: 1,
                order: .text { $0.baseUrl }
            ) {
                StyledText($0.baseUrl)
            },
            Column(
                id: "strategy",
                title: "STRATEGY",
                width: 11,
                priority: 6,
                order: .text { $0.strategy.rawValue }
            ) {
                StyledText($0.strategy.rawValue, .muted)
            },
            Column(id: "limits", title: "LIMITS", width: 12, stretch: 1, priority: 5) {
                StyledText($0.limits.text, .muted)
            },
            Column(id: "fallbacks", title: "STANDS IN", width: 10, stretch: 1, priority: 7) {
                StyledText($0.fallbacks.joined(separator: " "), .muted)
            },
            Column(id: "probe", title: "PROBE", width: 18, stretch: 1, priority: 4) {
                probe($0, now, glyphs)
            },
            Column(id: "source", title: "SOURCE", width: 8, priority: 8, order: .text { $0.source.rawValue })
            {
                StyledText($0.source.rawValue, .muted)
            },
        ]
    }

    static func words(_ upstream: Upstream) -> String {
        switch upstream.health {
        case "up": "up"
        case "no_usable_key": "no usable key"
        default: upstream.health
        }
    }

    /// Why it rests, and for how much longer.
    static func why(_ upstream: Upstream, _ now: Timestamp) -> String? {
        upstream.healthReason.map { reason in
            guard upstream.health == "cooling" else { return reason }
            let left = upstream.healthUntil.map { TimeText.span($0.seconds - now.seconds) }
            return (left ?? "on trial") + ": " + reason
        }
    }

    /// The worst first.
    private static func rank(_ upstream: Upstream) -> Int {
        switch upstream.health {
        case "no_usable_key": 0
        case "cooling": 1
        case "disabled": 2
        default: 3
        }
    }

    private static func role(_ upstream: Upstream) -> StyleRole {
        switch upstream.health {
        case "up": .ok
        case "cooling": .warning
        case "disabled": .muted
        default: .error
        }
    }

    private static func mark(_ upstream: Upstream, _ glyphs: Glyphs) -> Character {
        switch upstream.health {
        case "up": glyphs.good
        case "cooling": glyphs.warning
        case "disabled": glyphs.idle
        default: glyphs.bad
        }
    }

    private static func keys(_ upstream: Upstream, usable: Int) -> StyledText {
        guard upstream.keys > 0 else { return StyledText("none", .muted) }
        let role: StyleRole = usable == upstream.keys ? .text : usable == 0 ? .error : .warning
        return StyledText("\(usable) of \(upstream.keys)", role)
    }

    private static func probe(_ upstream: Upstream, _ now: Timestamp, _ glyphs: Glyphs) -> StyledText {
        guard let last = upstream.lastProbe else { return StyledText(upstream.probe?.path ?? "", .muted) }
        let what = last.status.map(String.init) ?? "no answer"
        return StyledText(
            "\(last.success ? glyphs.good : glyphs.warning) \(what) \(TimeText.ago(last.time, now: now))",
            last.success ? .muted : .warning
        )
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        let status = rest.cutBottom(1)
        let rects = layout.upstreams(state.upstreams)
        var table = Table(columns: columns(state))
        table.isFocused = !state.upstreams.headers.isFocused
        table.hidden = Set(state.settings.hiddenColumns[PaneID.upstreams.rawValue] ?? [])
        table.sort = state.upstreams.sort
        table.empty = emptyText(state)
        table.draw(state.upstreams.table, on: &canvas, in: rects.list)
        HeadersView.draw(state, on: &canvas, in: rects.headers)
        let upstreams = state.upstreams
        var text = StyledText("\(upstreams.table.rows.count) of \(upstreams.all.count) upstreams", .muted)
        let ill = upstreams.all.count { $0.health != "up" && $0.health != "disabled" }
        if ill > 0 { text.append(" \(canvas.glyphs.middleDot) \(ill) not well", .warning) }
        if let fault = upstreams.fault { text.append(" \(canvas.glyphs.bad) \(fault)", .error) }
        if ListFilter.ignoresPart(of: state.filter.parsed, UpstreamsState.filterFields) {
            text.append(
                " \(canvas.glyphs.middleDot) what the filter says of requests does not narrow upstreams",
                .muted
            )
        }
        canvas.write(text, x: status.x + 3, y: status.y, width: status.width - 4)
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let fault = state.upstreams.fault { return "\(state.glyphs.bad) \(fault)" }
        if state.upstreams.isLoading { return "loading \(state.glyphs.ellipsis)" }
        return state.upstreams.all.isEmpty
            ? "no upstream yet: n makes one" : "no upstream fits the filter; \\ clears it"
    }

    /// Everything about one.
    static func details(_ upstream: Upstream, now: Timestamp, zone: Int, width: Int) -> [TextView.Line] {
        let timeouts = upstream.timeouts
        let probe = upstream.probe.map { "\($0.path) every \($0.interval ?? "60s")" } ?? "none"
        let rows: [(String, String)] = [
            ("name", upstream.name), ("base url", upstream.baseUrl), ("health", words(upstream)),
            ("why", why(upstream, now) ?? "–"),
            ("keys", "\(upstream.keys)"), ("strategy", upstream.strategy.rawValue),
            ("limits", upstream.limits.isUnlimited ? "none" : upstream.limits.text),
            ("stand in", upstream.fallbacks.isEmpty ? "none" : upstream.fallbacks.joined(separator: ", ")),
            ("tries", "\(upstream.retry.maxAttempts) within \(upstream.retry.maxTime)"),
            (
                "timeouts",
                "connect \(timeouts.connect), first byte \(timeouts.firstByte), idle \(timeouts.idle)"
            ),
            ("longest rest", upstream.maxCooldown), ("probe", probe),
            ("last probe", upstream.lastProbe?.message ?? "none since the start"),
            ("headers cut", upstream.stripHeaders.joined(separator: ", ")),
            ("query cut", upstream.stripQuery.joined(separator: ", ")),
            ("body fields cut", upstream.stripBodyFields.joined(separator: ", ")),
            ("accept-encoding", upstream.acceptEncoding.rawValue),
            ("ca file", upstream.caFile ?? "the system's"), ("proxy", upstream.proxyUrl ?? "none"),
            ("defined in", upstream.source == .file ? "the configuration file" : "the database"),
        ]
        var lines = DetailText.lines(rows, width: width)
        if let last = upstream.lastProbe {
            lines += [TextView.Line(StyledText())] + ProbeLines.lines(last, zone: zone)
        }
        return lines
    }
}

/// Names and values, one below the other, of which each value can be copied.
enum DetailText {
    /// `width`: of the whole; longer values go on in the next line.
    static func lines(_ rows: [(name: String, value: String)], width: Int = 100) -> [TextView.Line] {
        let margin = (rows.map(\.name.count).max() ?? 0) + 2
        return rows.flatMap { row in
            let value = row.value.isEmpty ? "–" : row.value
            return Wrap.lines(value, width: max(10, width - margin)).enumerated().map { index, line in
                let name = index == 0 ? row.name : ""
                let pad = String(repeating: " ", count: margin - name.count)
                return TextView.Line(StyledText(name + pad, .muted).appending(line, .text), copy: row.value)
            }
        }
    }
}

/// What came of asking a backend.
enum ProbeLines {
    /// What a text over the panes has room for on the smallest usual screen.
    private static let bodyWidth = 58

    static func lines(_ result: ProbeResult, zone: Int) -> [TextView.Line] {
        var lines = [
            TextView.Line(StyledText(result.message, result.success ? .ok : .warning), copy: result.message),
            TextView.Line(StyledText()),
        ]
        var rows = [
            ("asked", "GET \(result.path), behind the base URL"),
            ("at", TimeText.clock(result.time, zone: zone)),
        ]
        if let key = result.upstreamKey { rows.append(("with the key", key)) }
        if let address = result.address { rows.append(("address", address)) }
        if let status = result.status { rows.append(("status", "\(status)")) }
        if let time = result.connectMs { rows.append(("connected in", "\(time) ms")) }
        if let time = result.firstByteMs { rows.append(("first byte after", "\(time) ms")) }
        if let error = result.error { rows.append(("error", error)) }
        lines += DetailText.lines(rows)
        if let body = result.body {
            lines.append(TextView.Line(StyledText()))
            lines += body.split(separator: "\n", omittingEmptySubsequences: false)
                .flatMap { Wrap.lines(String($0), width: bodyWidth) }
                .map { TextView.Line(StyledText($0, .muted), copy: body) }
        }
        return lines
    }
}
