package import Operations

extension GatewayOperations {
    /// More windows than anybody reads; one object's are asked for by its id.
    private static let standingLimit = 10_000

    package func rateLimits(
        scope: LimitScope?,
        id: Int?,
        by user: Operator
    ) async throws -> Page<RateLimitStanding> {
        let isWanted: (LimitKey) -> Bool = { key in
            (scope == nil || scope == key.scope) && (id == nil || id == key.id)
        }
        var found = gateway.limiter.standings(where: isWanted)
        var names: [LimitKey: String] = [:]
        for upstream in gateway.snapshots.upstreams {
            names[LimitKey(scope: .upstream, id: upstream.id)] = upstream.slug
            for (entry, standings) in upstream.pool.standings() {
                let key = LimitKey(scope: .upstreamKey, id: entry.id)
                guard isWanted(key) else { continue }
                names[key] = "\(upstream.slug)/\(entry.definition.name)"
                found.append((key, standings))
            }
        }
        found.sort { ($0.key.rank, $0.key.id) < ($1.key.rank, $1.key.id) }
        found = Array(found.prefix(Self.standingLimit))
        let clientKeys = found.filter { $0.key.scope == .clientKey }.map(\.key.id)
        for (id, row) in try clientKeyStore.find(clientKeys) {
            names[LimitKey(scope: .clientKey, id: id)] = row.key.name
        }
        let now = Timestamp(microseconds: WallClock.now().microseconds)
        return Page(
            items: found.flatMap { key, standings in
                standings.map { standing in
                    RateLimitStanding(
                        scope: key.scope,
                        id: key.scope == .global ? nil : key.id,
                        name: names[key],
                        window: standing.window,
                        current: standing.current,
                        limit: standing.limit,
                        resetAt: now.advanced(by: .microseconds(standing.wait))
                    )
                }
            }
        )
    }
}

extension LimitKey {
    fileprivate var rank: Int { LimitScope.allCases.firstIndex(of: scope) ?? 0 }
}
