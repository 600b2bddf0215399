import Operations

/// The provider keys: which are used, which rest, why and until when.
enum PoolView {
    static func columns(_ state: ConsoleState) -> [Column<UpstreamKey>] {
        let now = state.now
        let glyphs = state.glyphs
        let probed = Set(state.upstreams.all.filter { $0.probe != nil }.map(\.id))
        let hasQuota = state.pool.all.contains { $0.quota != nil }
        let columns: [Column<UpstreamKey>] = [
            Column(id: "upstream", title: "UPSTREAM", width: 10, stretch: 1, order: .text { $0.upstream }) {
                StyledText($0.upstream)
            },
            Column(id: "key", title: "KEY", width: 12, stretch: 1, order: .text { $0.name }) {
                StyledText($0.name, .name)
            },
            Column(
                id: "state",
                title: "STATE",
                width: 11,
                order: .number { Double(rank($0.state)) }
            ) { key in
                StyledText("\(mark(key.state, glyphs)) \(key.state.rawValue)", role(key.state))
            },
            Column(
                id: "returns",
                title: "RETURNS",
                width: 8,
                isRight: true,
                priority: 1,
                order: .number { Double($0.until?.seconds ?? .max) }
            ) { returns($0, now, isProbed: probed.contains($0.upstreamId)) },
            Column(
                id: "in_flight",
                title: "NOW",
                width: 4,
                isRight: true,
                priority: 3,
                order: .number { Double($0.inFlight) }
            ) { StyledText($0.inFlight == 0 ? "" : "\($0.inFlight)") },
            Column(
                id: "quota",
                title: "QUOTA",
                width: 12,
                priority: 5,
                order: .number { -QuotaBar.share($0.quota, used: $0.quotaUsed) }
            ) {
                QuotaBar.text($0.quota, used: $0.quotaUsed, glyphs)
            },
            Column(
                id: "last_used",
                title: "LAST USED",
                width: 11,
                priority: 4,
                order: .number { -Double($0.lastUsedAt?.seconds ?? 0) }
            ) { StyledText(TimeText.ago($0.lastUsedAt, now: now), .muted) },
            Column(
                id: "why",
                title: "WHY",
                width: state.size.columns < 110 ? 20 : 36,
                stretch: 6,
                priority: 2
            ) { why($0) },
            Column(id: "value", title: "VALUE", width: 10, priority: 6) {
                StyledText($0.maskedValue, .muted)
            },
            Column(
                id: "weight",
                title: "WEIGHT",
                width: 6,
                isRight: true,
                priority: 7,
                order: .number { Double($0.weight) }
            ) { StyledText("\($0.weight)", .muted) },
            Column(
                id: "priority",
                title: "PRIORITY",
                width: 8,
                isRight: true,
                priority: 8,
                order: .number { Double($0.priority) }
            ) { StyledText("\($0.priority)", .muted) },
        ]
        // Room for why, where nothing is counted.
        return columns.filter { hasQuota || $0.id != "quota" }
    }

    /// The worst first.
    private static func rank(_ state: KeyState) -> Int {
        switch state {
        case .banned: 0
        case .disabled: 1
        case .exhausted: 2
        case .cooling: 3
        case .active: 4
        }
    }

    private static func role(_ state: KeyState) -> StyleRole {
        switch state {
        case .active: .ok
        case .cooling, .exhausted: .warning
        case .disabled: .muted
        case .banned: .error
        }
    }

    private static func mark(_ state: KeyState, _ glyphs: Glyphs) -> Character {
        switch state {
        case .active: glyphs.good
        case .cooling, .exhausted: glyphs.warning
        case .disabled: glyphs.idle
        case .banned: glyphs.bad
        }
    }

    /// Everything about one.
    static func details(
        _ key: UpstreamKey,
        now: Timestamp,
        zone: Int,
        isProbed: Bool,
        width: Int
    ) -> [TextView.Line] {
        let quota = key.quota.map { "\(NumberText.count(key.quotaUsed)) of \($0.text)" }
        let returns = returns(key, now, isProbed: isProbed).text
        let place = "\(key.location.rawValue) \(key.paramName)"
        let since = key.since.map { since in
            let day = TimeText.date(since, zone: zone)
            return "\(TimeText.ago(since, now: now)), \(day) \(TimeText.clock(since, zone: zone))"
        }
        return DetailText.lines(
            [
                ("upstream", key.upstream), ("name", key.name), ("value", key.maskedValue),
                ("goes into", place + (key.valuePrefix.isEmpty ? "" : ", after “\(key.valuePrefix)”")),
                ("state", key.state.rawValue), ("why", key.reason ?? ""),
                ("since", since ?? ""), ("returns", returns),
                ("in flight", "\(key.inFlight)"), ("last used", TimeText.ago(key.lastUsedAt, now: now)),
                ("last error", key.lastError ?? "none"),
                ("limits", key.limits.isUnlimited ? "none" : key.limits.text), ("quota", quota ?? "none"),
                ("weight", "\(key.weight)"), ("priority", "\(key.priority)"),
                ("defined in", key.source == .file ? "the configuration file" : "the database"),
            ],
            width: width
        )
    }

    /// A countdown while there is one.
    private static func returns(_ key: UpstreamKey, _ now: Timestamp, isProbed: Bool) -> StyledText {
        guard key.state != .active else { return StyledText() }
        guard let until = key.until else {
            if key.state == .cooling { return StyledText("on trial", .info) }
            let isHealed = isProbed && key.state == .disabled && key.cause == "credential"
            return StyledText(isHealed ? "by probe" : "by hand", .muted)
        }
        let left = until.seconds - now.seconds
        guard left > 0 else { return StyledText("next", .info) }
        if left < 3600 {
            let seconds = left % 60
            return StyledText("\(left / 60):\(seconds < 10 ? "0" : "")\(seconds)", .warning)
        }
        return StyledText("in \(TimeText.span(left))", .warning)
    }

    private static func why(_ key: UpstreamKey) -> StyledText {
        if let reason = key.reason { return StyledText(reason, role(key.state)) }
        return key.lastError.map { StyledText("last error: \($0)", .muted) } ?? StyledText()
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        let status = rest.cutBottom(1)
        var table = Table(columns: columns(state))
        table.hidden = Set(state.settings.hiddenColumns[PaneID.pool.rawValue] ?? [])
        table.sort = state.pool.sort
        table.empty = emptyText(state)
        table.draw(state.pool.table, on: &canvas, in: rest)
        let pool = state.pool
        let out = pool.all.count { $0.state != .active }
        let dot = " \(canvas.glyphs.middleDot) "
        var text = StyledText(
            "\(NumberText.count(pool.table.rows.count)) of \(NumberText.count(pool.all.count)) keys",
            .muted
        )
        if !pool.all.isEmpty {
            text.append(dot + (out == 0 ? "all in use" : "\(out) out of use"), out == 0 ? .muted : .warning)
        }
        // A key that is well serves nobody while its upstream rests.
        let resting = state.upstreams.all.compactMap { one in
            UpstreamsView.why(one, state.now).map { "\(one.slug) rests, \($0)" }
        }
        if let first = resting.first {
            let more = resting.count > 1 ? " and \(resting.count - 1) more" : ""
            text.append("\(dot)\(canvas.glyphs.warning) \(first)\(more)", .warning)
        }
        if pool.table.markCount > 0 { text.append("\(dot)\(pool.table.markCount) marked", .marked) }
        if let fault = pool.fault { text.append(" \(canvas.glyphs.bad) \(fault)", .error) }
        if ListFilter.ignoresPart(of: state.filter.parsed, PoolState.filterFields) {
            text.append("\(dot)what the filter says of requests does not narrow keys", .muted)
        }
        canvas.write(text, x: status.x + 3, y: status.y, width: status.width - 4)
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let fault = state.pool.fault { return "\(state.glyphs.bad) \(fault)" }
        if state.pool.isLoading { return "loading \(state.glyphs.ellipsis)" }
        return state.pool.all.isEmpty
            ? "no provider key yet: n adds one"
            : "no key fits the filter; \\ clears it"
    }
}
