package import Operations

extension GatewayOperations {
    package func dashboard(filter: String, by user: Operator) async throws -> Dashboard {
        try await figures(filter, by: user).dashboard
    }

    /// The figures of now, and the last seconds that are over.
    func figures(
        _ filter: String,
        by user: Operator
    ) async throws -> (dashboard: Dashboard, points: [ChartPoint]) {
        if let known = gateway.figures.live(filter) { return known }
        let now = WallClock.now().seconds
        let history = try TrafficHistory(filter, self)
        let isSeries = if case .series = history.source { true } else { false }
        let validity = isSeries ? FigureCache.daySeconds : FigureCache.dayOfAuditSeconds
        let cache = gateway.figures
        let count: @Sendable () throws -> (requests: Int, seconds: [Int: TrafficCell], cost: Duration) = {
            let began = ContinuousClock.now
            // Whole minutes up to the one at hand are kept for a while; what came since is counted anew.
            let minuteStart = now - now % 60
            let known = try cache.day(filter, upTo: minuteStart, validFor: validity) {
                try history.sum(.minute, from: minuteStart - 86_400, to: minuteStart)
            }
            // The second at hand is not over, and would pull the rate down.
            let seconds = try history.cells(step: 1, from: now - 60, to: now)
            let since = try history.sum(.tenSeconds, from: known.upTo, to: now + 10)
            return (known.cell.requests + since.requests, seconds, .now - began)
        }
        // What has a series of its own is quick, and must not queue behind searches.
        let (requests, seconds, cost) =
            isSeries ? try count() : try await SearchThreads.run(while: history.wanted, count)
        let minute = seconds.values.reduce(into: TrafficCell()) { $0.merge($1) }
        let status = try await status(by: user)
        var dashboard = Dashboard(
            requests: requests,
            inFlight: status.inFlight,
            state: status.state
        )
        dashboard.requestsPerSecond = Double(minute.requests) / 60
        dashboard.successRate = minute.successRate
        dashboard.latencyAvgMs = minute.value(.latencyAvg)
        dashboard.latencyP50Ms = minute.value(.latencyP50)
        dashboard.latencyP95Ms = minute.value(.latencyP95)
        dashboard.latencyP99Ms = minute.value(.latencyP99)
        dashboard.clientKeysActive = status.clientKeys
        let upstreams = gateway.snapshots.upstreams
        let census = upstreams.map { ($0, $0.pool.census(limit: Self.problemLimit)) }
        dashboard.upstreamKeysActive = census.reduce(0) { $0 + $1.1.usable }
        // What is wrong is wrong whatever is looked for.
        dashboard.problems =
            filter.isEmpty
            ? problems(status, census, minute)
            : try await figures("", by: user).dashboard.problems
        let points = (now - Self.newestSeconds..<now).map { Self.point($0, seconds[$0] ?? TrafficCell()) }
        gateway.figures.setLive(filter, dashboard, points, cost: cost)
        return (dashboard, points)
    }

    /// Snapshots come a little later than every second; what one of them passes over, the next tells.
    private static let newestSeconds = 3

    private static func point(_ second: Int, _ cell: TrafficCell) -> ChartPoint {
        var point = ChartPoint(
            time: Timestamp(seconds: second),
            requests: cell.requests,
            errors: cell.failures
        )
        point.successRate = cell.successRate
        point.latencyP50Ms = cell.value(.latencyP50)
        point.latencyP95Ms = cell.value(.latencyP95)
        point.latencyP99Ms = cell.value(.latencyP99)
        return point
    }

    // MARK: What is wrong

    /// Below this share of successes in the last minute something is wrong, if there were enough to tell.
    private static let poorRate = 0.95
    private static let enoughToRate = 20

    /// Of one upstream; who has hundreds of dead keys looks at the pool.
    private static let problemLimit = 20

    private func problems(
        _ status: Status,
        _ census: [(upstream: UpstreamEntry, keys: (usable: Int, others: [KeyPool.Skipped], more: Int))],
        _ minute: TrafficCell
    ) -> [Problem] {
        var problems: [Problem] = []
        let audit = status.audit
        if let trouble = audit.trouble {
            problems.append(
                Problem(.error, kind: "audit", name: "", state: "cannot be written", detail: trouble)
            )
        }
        if audit.dropped > 0 {
            let detail = "\(audit.dropped) records since the start"
            problems.append(Problem(.error, kind: "audit", name: "", state: "dropped", detail: detail))
        }
        for (upstream, _) in census where upstream.isEnabled {
            problems += Self.problems(upstream)
            problems += scriptProblems(upstream)
        }
        for script in status.scripts {
            guard let trouble = script.trouble, script.workers == 0 else { continue }
            let name = script.language.rawValue
            problems.append(
                Problem(.error, kind: "scripts", name: name, state: "cannot run", detail: trouble)
            )
        }
        problems += gateway.notifier.failing.map { channel in
            Problem(.error, kind: "channel", name: channel.name, state: "failing", detail: channel.reason)
        }
        if let rate = minute.successRate, rate < Self.poorRate, minute.requests >= Self.enoughToRate {
            let detail = "\(minute.failures) of \(minute.requests) requests in the last minute failed"
            let state = "\(Int(rate * 100)) % success"
            problems.append(Problem(.warning, kind: "traffic", name: "", state: state, detail: detail))
        }
        if audit.bodiesDropped > 0 {
            let detail = "\(audit.bodiesDropped) since the start"
            problems.append(
                Problem(.warning, kind: "audit", name: "", state: "bodies dropped", detail: detail)
            )
        }
        // Keys come last: of many one can do without, and who has banned one knows it.
        for (upstream, keys) in census where upstream.isEnabled { problems += Self.problems(upstream, keys) }
        return problems.filter { $0.severity == .error } + problems.filter { $0.severity == .warning }
    }

    /// Header rules whose scripts fail one time after the other.
    private func scriptProblems(_ upstream: UpstreamEntry) -> [Problem] {
        upstream.headers.entries.compactMap { rule in
            let figures = rule.figures.now
            guard figures.isFailing else { return nil }
            let severity: Problem.Severity = rule.onFailure == .fail ? .error : .warning
            return Problem(
                severity,
                kind: "script",
                name: "\(upstream.slug)/\(rule.name)",
                state: "failing",
                // What a script says may hold secrets, and everyone may look here.
                detail: "\(figures.errorsInRow) times in a row; its header rule says why"
            )
        }
    }

    private static func problems(_ upstream: UpstreamEntry) -> [Problem] {
        var problems: [Problem] = []
        let rest = upstream.pool.upstreamHealth
        if !rest.mayBeUsed {
            let detail = rest.reason ?? "tried again soon"
            problems.append(
                Problem(.error, kind: "upstream", name: upstream.slug, state: "resting", detail: detail)
            )
        }
        if !upstream.pool.hasUsableKey {
            let detail = noUsableKey
            problems.append(
                Problem(.error, kind: "upstream", name: upstream.slug, state: "no usable key", detail: detail)
            )
        }
        return problems
    }

    private static func problems(
        _ upstream: UpstreamEntry,
        _ keys: (usable: Int, others: [KeyPool.Skipped], more: Int)
    ) -> [Problem] {
        // A key at a limit of ours is as it should be.
        keys.others.filter { !$0.slot.health.mayBeUsed }.map { key in
            let health = key.slot.health
            return Problem(
                health.state == .banned && health.cause != .hand ? .error : .warning,
                kind: "pool",
                name: "\(upstream.slug)/\(key.name)",
                state: health.name.rawValue,
                detail: health.reason ?? "by an operator"
            )
        }
    }

    // MARK: Over time

    package func series(_ query: SeriesQuery, by user: Operator) async throws -> Series {
        let stretch = try Self.stretch(query)
        let cells = try await cells(query.filter, stretch)
        let points = stride(from: stretch.from, to: stretch.to, by: stretch.step).map { start in
            Series.Point(
                time: Timestamp(seconds: start),
                value: (cells[start] ?? TrafficCell()).value(query.metric)
            )
        }
        return Series(metric: query.metric, stepSeconds: stretch.step, points: points)
    }

    package func charts(_ query: SeriesQuery, by user: Operator) async throws -> Charts {
        let stretch = try Self.stretch(query)
        let cells = try await cells(query.filter, stretch)
        let points = stride(from: stretch.from, to: stretch.to, by: stretch.step).map { start in
            Self.point(start, cells[start] ?? TrafficCell())
        }
        return Charts(stepSeconds: stretch.step, points: points)
    }

    private func cells(
        _ filter: String,
        _ stretch: (from: Int, to: Int, step: Int)
    ) async throws -> [Int: TrafficCell] {
        let history = try TrafficHistory(filter, self)
        let cache = gateway.charts
        let key = "\(stretch.step) \(stretch.from) \(stretch.to / stretch.step) \(filter)"
        if case .series = history.source {
            return try history.cells(step: stretch.step, from: stretch.from, to: stretch.to)
        }
        return try await SearchThreads.run(while: history.wanted) {
            try cache.value(for: key) {
                try history.cells(step: stretch.step, from: stretch.from, to: stretch.to)
            }
        }
    }

    private static func stretch(_ query: SeriesQuery) throws -> (from: Int, to: Int, step: Int) {
        let to = query.to?.seconds ?? WallClock.now().seconds
        let from = query.from?.seconds ?? to - 300
        guard from < to else { throw OperationsError(.invalid, "must be before to", parameter: "from") }
        let step = max(query.step ?? Self.step(for: to - from), 1)
        guard (to - from) / step <= 11_000 else {
            throw OperationsError(
                .invalid,
                "gives more than 11000 points; take a larger one",
                parameter: "step"
            )
        }
        return (from - from % step, to, step)
    }

    private static func step(for range: Int) -> Int {
        range <= 900 ? 1 : range <= 7200 ? 10 : 60
    }

    package func stats(
        by grouping: StatsGrouping,
        filter: String,
        from: Timestamp?,
        by user: Operator
    ) async throws -> Page<StatsItem> {
        let queries = auditQueries
        let parsed = try AuditQueries.parse(filter)
        let cache = gateway.stats
        // Whoever asks for the last hour asks for the same hour a second later.
        let reach = from.map { (WallClock.now().seconds - $0.seconds + 5) / 10 } ?? -1
        let items = try await SearchThreads.run(while: queries.wanted) {
            try cache.value(for: "\(reach) \(filter)") { try queries.stats(filter: parsed, from: from) }
        }
        return Page(items: items[grouping] ?? [])
    }
}

extension TrafficCell {
    /// nil where there is nothing to measure.
    func value(_ metric: Metric) -> Double? {
        switch metric {
        case .requests: Double(requests)
        case .errors: Double(failures)
        case .bytesIn: Double(bytesIn)
        case .bytesOut: Double(bytesOut)
        case .tokens: Double(promptTokens + completionTokens)
        case .successRate: successRate
        case .latencyAvg: latency.count == 0 ? nil : Double(latencySum) / Double(latency.count) / 1000
        case .latencyP50: latency.percentile(0.5).map { Double($0) / 1000 }
        case .latencyP95: latency.percentile(0.95).map { Double($0) / 1000 }
        case .latencyP99: latency.percentile(0.99).map { Double($0) / 1000 }
        case .ttftP50: timeToFirstByte.percentile(0.5).map { Double($0) / 1000 }
        case .ttftP95: timeToFirstByte.percentile(0.95).map { Double($0) / 1000 }
        }
    }
}
