package import Operations

extension AdminClient: RateLimitOperations {
    package func rateLimits(
        scope: LimitScope?,
        id: Int?,
        by user: Operator
    ) async throws -> Page<RateLimitStanding> {
        try await get("/rate-limits", [("scope", scope?.rawValue), ("id", id.map(String.init))])
    }
}
