package import Operations

extension GatewayOperations {
    package func dashboard(filter: String, by user: Operator) async throws -> Dashboard {
        let now = WallClock.now().seconds
        let scope = try scope(of: filter)
        let day = try merged(scope, .minute, from: now - 86_400, to: now + 60)
        // The second at hand is not over, and would pull the rate down.
        let minute = try merged(scope, .second, from: now - 60, to: now)
        let status = try await status(by: user)
        var dashboard = Dashboard(requests: day.requests, inFlight: status.inFlight, state: status.state)
        dashboard.requestsPerSecond = Double(minute.requests) / 60
        dashboard.successRate = minute.successRate
        dashboard.latencyAvgMs = minute.value(.latencyAvg)
        dashboard.latencyP50Ms = minute.value(.latencyP50)
        dashboard.latencyP95Ms = minute.value(.latencyP95)
        dashboard.latencyP99Ms = minute.value(.latencyP99)
        dashboard.clientKeysActive = status.clientKeys
        dashboard.upstreamKeysActive = try await upstreamKeys(upstream: nil, by: user).items.count {
            $0.state == .active
        }
        dashboard.problems = try await problems(status, by: user)
        return dashboard
    }

    private func problems(_ status: Status, by user: Operator) async throws -> [String] {
        var problems: [String] = []
        if let trouble = status.audit.trouble { problems.append("the audit cannot be written: \(trouble)") }
        if status.audit.dropped > 0 { problems.append("\(status.audit.dropped) audit records were dropped") }
        for upstream in try await upstreams(by: user).items where upstream.health != "up" {
            problems.append("upstream \(upstream.slug): \(upstream.health)")
        }
        return problems
    }

    package func series(_ query: SeriesQuery, by user: Operator) async throws -> Series {
        let now = WallClock.now().seconds
        let to = query.to?.seconds ?? now
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
        let resolution: Resolution = step >= 60 ? .minute : step >= 10 ? .tenSeconds : .second
        let aligned = from - from % step
        let cells = try cells(try scope(of: query.filter), resolution, from: aligned, to: to)
        var sums: [Int: TrafficCell] = [:]
        for (start, cell) in cells {
            sums[start - start % step, default: TrafficCell()].merge(cell)
        }
        let points = stride(from: aligned, to: to, by: step).map { start in
            Series.Point(
                time: Timestamp(seconds: start),
                value: (sums[start] ?? TrafficCell()).value(query.metric)
            )
        }
        return Series(metric: query.metric, stepSeconds: step, points: points)
    }

    private static func step(for range: Int) -> Int {
        range <= 900 ? 1 : range <= 7200 ? 10 : 60
    }

    package func stats(
        by grouping: StatsGrouping,
        filter: String,
        by user: Operator
    ) async throws -> Page<StatsItem> {
        Page(items: try auditQueries.stats(grouping, filter: try AuditQueries.parse(filter)))
    }

    // MARK: Series

    /// History is kept in all, per upstream and per client key; other filters have none.
    private func scope(of filter: String) throws -> SeriesScope {
        switch try AuditQueries.parse(filter) {
        case .all: return .total
        case .condition(let condition):
            guard case .text(let name) = condition.value, [.contains, .equal].contains(condition.relation)
            else { break }
            if condition.field == .upstream {
                let found = try upstreamStore.all().upstreams.first { $0.slug == name }
                return .upstream(found?.id ?? -1)
            }
            if condition.field == .client {
                var query = ClientKeyQuery()
                query.search = name
                let found = try clientKeyStore.page(query).items.first { $0.name == name }
                return .clientKey(found?.id ?? -1)
            }
        case .text, .and, .or, .not: break
        }
        let message = "history is kept for upstream:SLUG and client:NAME only"
        throw OperationsError(.invalid, message, parameter: "filter")
    }

    private func cells(
        _ scope: SeriesScope,
        _ resolution: Resolution,
        from: Int,
        to: Int
    ) throws -> [Int: TrafficCell] {
        var result = try gateway.telemetry.store.cells(scope, resolution, from: from, to: to)
        for (start, cell) in gateway.telemetry.telemetry.waiting(scope, resolution)
        where start >= from && start < to {
            result[start, default: TrafficCell()].merge(cell)
        }
        return result
    }

    private func merged(
        _ scope: SeriesScope,
        _ resolution: Resolution,
        from: Int,
        to: Int
    ) throws -> TrafficCell {
        try cells(scope, resolution, from: from, to: to).values.reduce(into: TrafficCell()) { $0.merge($1) }
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
