import Operations

/// `/rate-limits`: how many requests the windows have counted.
enum RateLimitRoutes {
    static let all: [AdminRoute] = [
        .list(
            "/rate-limits",
            "limits",
            "How every window that has a limit stands",
            query: [
                .init(
                    name: "scope",
                    type: "string",
                    summary: "Of one kind",
                    choices: LimitScope.allCases.map(\.rawValue)
                ),
                .init(name: "id", type: "integer", summary: "Of the upstream or key", range: 0...Int.max),
            ]
        ) { request in
            let scope: LimitScope? =
                request.text("scope") == nil ? nil : try request.choice("scope", default: LimitScope.global)
            let id = request.text("id") == nil ? nil : try request.number("id", default: 0, in: 0...Int.max)
            return try await request.port.rateLimits(scope: scope, id: id, by: request.user)
        }
    ]
}
