import Operations

/// The client keys.
enum KeysView {
    static func columns(_ state: ConsoleState) -> [Column<ClientKey>] {
        let now = state.now
        let zone = state.zone
        let glyphs = state.glyphs
        let usage = state.keys.usage
        return [
            Column(id: "client", title: "CLIENT", width: 14, stretch: 2, order: .text { $0.name }) {
                StyledText($0.name)
            },
            Column(id: "owner", title: "OWNER", width: 12, stretch: 1, priority: 3, order: .text { $0.owner })
            {
                StyledText($0.owner.isEmpty ? "–" : $0.owner, $0.owner.isEmpty ? .muted : .text)
            },
            Column(id: "key", title: "KEY", width: 13, priority: 4, order: .text { $0.prefix }) {
                StyledText("\($0.prefix)\(glyphs.ellipsis)", .muted)
            },
            Column(id: "state", title: "STATE", width: 10, order: .text { condition($0, now).word }) { key in
                let state = condition(key, now)
                return StyledText("\(state.mark(glyphs)) \(state.word)", state.role)
            },
            Column(
                id: "today",
                title: "24 H",
                width: 7,
                isRight: true,
                order: .number { Double(usage[$0.id]?.today ?? 0) }
            ) {
                StyledText(usage[$0.id].map { NumberText.count($0.today) } ?? "", .text)
            },
            Column(id: "usage", title: "TREND", width: 8, priority: 5) { key in
                StyledText(usage[key.id].map { Sparkline.text($0.parts, glyphs) } ?? "", .rate)
            },
            Column(
                id: "last_used",
                title: "LAST USED",
                width: 11,
                priority: 2,
                order: .number { -Double($0.lastUsedAt?.seconds ?? 0) }
            ) { StyledText(TimeText.ago($0.lastUsedAt, now: now), .muted) },
            Column(
                id: "expires",
                title: "EXPIRES",
                width: 11,
                priority: 1,
                order: .number { Double($0.expiresAt?.seconds ?? .max) }
            ) { expiry($0, now, zone) },
            Column(id: "limits", title: "LIMITS", width: 12, stretch: 1, priority: 6) {
                StyledText($0.limits.text, .muted)
            },
            Column(
                id: "quota",
                title: "QUOTA",
                width: 12,
                priority: 5,
                order: .number { -QuotaBar.share($0.quota?.quota, used: $0.quota?.used ?? 0) }
            ) { QuotaBar.text($0.quota?.quota, used: $0.quota?.used ?? 0, glyphs) },
            Column(id: "allowed", title: "ALLOWED", width: 10, stretch: 2, priority: 7) {
                StyledText(allowed($0.permissions), .muted)
            },
            Column(id: "notes", title: "NOTES", width: 8, stretch: 2, priority: 8, order: .text { $0.notes })
            {
                StyledText($0.notes, .muted)
            },
        ]
    }

    /// Whether a key is served, and how that looks.
    private enum Condition {
        case active, expiring, disabled, expired, revoked

        var word: String {
            switch self {
            case .active: "active"
            case .expiring: "expiring"
            case .disabled: "disabled"
            case .expired: "expired"
            case .revoked: "revoked"
            }
        }

        var role: StyleRole {
            switch self {
            case .active: .ok
            case .expiring: .warning
            case .disabled, .expired: .muted
            case .revoked: .error
            }
        }

        func mark(_ glyphs: Glyphs) -> Character {
            switch self {
            case .active: glyphs.good
            case .expiring: glyphs.warning
            case .disabled: glyphs.idle
            case .expired: glyphs.dash
            case .revoked: glyphs.bad
            }
        }
    }

    /// Keys that end within a week are told apart, since their callers will notice.
    private static let soon = 7 * 86_400

    private static func condition(_ key: ClientKey, _ now: Timestamp) -> Condition {
        if key.revokedAt != nil { return .revoked }
        if let expiry = key.expiresAt, expiry <= now { return .expired }
        if !key.enabled { return .disabled }
        if let expiry = key.expiresAt, expiry.seconds - now.seconds < soon { return .expiring }
        return .active
    }

    private static func expiry(_ key: ClientKey, _ now: Timestamp, _ zone: Int) -> StyledText {
        guard let expiry = key.expiresAt else { return StyledText("never", .muted) }
        let seconds = expiry.seconds - now.seconds
        if seconds > 0, seconds < 14 * 86_400 {
            return StyledText("in \(TimeText.span(seconds))", seconds < soon ? .warning : .text)
        }
        return StyledText(TimeText.date(expiry, zone: zone), seconds > 0 ? .text : .muted)
    }

    private static func allowed(_ permissions: ClientKeyPermissions) -> String {
        let all = permissions.upstreams + permissions.paths + permissions.models + permissions.cidrs
        return all.isEmpty ? "everything" : all.joined(separator: ", ")
    }

    static func draw(_ state: ConsoleState, _ layout: ConsoleLayout, on canvas: inout Canvas) {
        var rest = layout.body
        let status = rest.cutBottom(1)
        var table = Table(columns: columns(state))
        table.hidden = Set(state.settings.hiddenColumns[PaneID.keys.rawValue] ?? [])
        table.sort = state.keys.sort
        table.empty = emptyText(state)
        table.draw(state.keys.table, on: &canvas, in: rest)
        let keys = state.keys
        var text = StyledText(
            "\(NumberText.count(keys.table.rows.count)) of \(NumberText.count(keys.all.count)) keys",
            .muted
        )
        if !keys.isComplete { text.append(" (the first ones; / narrows)", .warning) }
        if keys.table.markCount > 0 {
            text.append(" \(canvas.glyphs.middleDot) \(keys.table.markCount) marked", .marked)
        }
        if let fault = keys.fault { text.append(" \(canvas.glyphs.bad) \(fault)", .error) }
        if ListFilter.ignoresPart(of: state.filter.parsed, KeyFilter.fields) {
            text.append(
                " \(canvas.glyphs.middleDot) what the filter says of requests does not narrow keys",
                .muted
            )
        }
        canvas.write(text, x: status.x + 3, y: status.y, width: status.width - 4)
    }

    private static func emptyText(_ state: ConsoleState) -> String {
        if let fault = state.keys.fault { return "\(state.glyphs.bad) \(fault)" }
        if state.keys.isLoading { return "loading \(state.glyphs.ellipsis)" }
        return state.keys.all.isEmpty
            ? "no client key yet: n makes one" : "no key fits the filter; \\ clears it"
    }
}
