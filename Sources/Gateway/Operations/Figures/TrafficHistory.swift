import Operations

/// Traffic over time for any filter: from the kept series where there is one, else counted from the audit.
struct TrafficHistory: Sendable {
    /// All, one upstream and one client key have series of their own.
    enum Source: Sendable {
        case series(SeriesScope)
        case audit(LogFilter)
    }

    let source: Source
    private let telemetry: TelemetryService
    private let audit: AuditQueries

    /// Off once nobody waits for the counting any more.
    var wanted: QueryBound.Switch { audit.wanted }

    init(_ filter: String, _ operations: GatewayOperations) throws {
        source = try Self.source(of: filter, operations)
        telemetry = operations.gateway.telemetry
        audit = operations.auditQueries
    }

    private static func source(of text: String, _ operations: GatewayOperations) throws -> Source {
        let filter = try AuditQueries.parse(text)
        switch filter {
        case .all: return .series(.total)
        case .condition(let condition):
            // `:` means "contains", which only equals when nothing else contains it; `=` is exact.
            guard case .text(let name) = condition.value, [.contains, .equal].contains(condition.relation)
            else { return .audit(filter) }
            if condition.field == .upstream {
                let slugs = try operations.upstreamStore.all().upstreams
                let fitting = slugs.filter {
                    $0.slug == name
                        || condition.relation == .contains && $0.slug.lowercased().contains(name.lowercased())
                }
                guard fitting.count == 1, let found = fitting.first else { return .audit(filter) }
                return .series(.upstream(found.id))
            }
            if condition.field == .client {
                var query = ClientKeyQuery()
                query.search = name
                let fitting = try operations.clientKeyStore.page(query).items.filter {
                    $0.name == name
                        || condition.relation == .contains && $0.name.lowercased().contains(name.lowercased())
                }
                guard fitting.count == 1, let found = fitting.first else { return .audit(filter) }
                return .series(.clientKey(found.id))
            }
            return .audit(filter)
        case .text, .and, .or, .not: return .audit(filter)
        }
    }

    /// The cells from one second on, up to and without another, by the second in which each begins.
    func cells(step: Int, from: Int, to: Int) throws -> [Int: TrafficCell] {
        let resolution: Resolution = step >= 60 ? .minute : step >= 10 ? .tenSeconds : .second
        var sums: [Int: TrafficCell] = [:]
        for (start, cell) in try fine(resolution, from: from, to: to) {
            sums[start - start % step, default: TrafficCell()].merge(cell)
        }
        return sums
    }

    private func fine(_ resolution: Resolution, from: Int, to: Int) throws -> [Int: TrafficCell] {
        switch source {
        case .audit(let filter):
            return try audit.traffic(matching: filter, resolution, from: from, to: to)
        case .series(let scope):
            var result = try telemetry.store.cells(scope, resolution, from: from, to: to)
            for (start, cell) in telemetry.telemetry.waiting(scope, resolution)
            where start >= from && start < to {
                result[start, default: TrafficCell()].merge(cell)
            }
            return result
        }
    }

    func sum(_ resolution: Resolution, from: Int, to: Int) throws -> TrafficCell {
        try cells(step: resolution.rawValue, from: from, to: to).values.reduce(into: TrafficCell()) {
            $0.merge($1)
        }
    }
}
