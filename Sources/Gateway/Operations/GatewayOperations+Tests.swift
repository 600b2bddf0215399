package import Operations

/// Questions to backends that an operator asks.
extension GatewayOperations {
    package func testUpstream(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult {
        try user.require(.operator)
        let view = try await upstream(id, by: user)
        let entry = try entry(id, view.slug)
        let key = entry.keys.first { entry.pool.standing($0.id)?.mayBeUsed ?? true } ?? entry.keys.first
        return try await ask(entry, path, with: key)
    }

    package func testUpstreamKey(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult {
        try user.require(.operator)
        let view = try await upstreamKey(id, by: user)
        let entry = try entry(view.upstreamId, view.upstream)
        guard let key = entry.keys.first(where: { $0.id == id }) else {
            throw OperationsError(.conflict, "the key is not in use yet; try again in a moment")
        }
        return try await ask(entry, path, with: key)
    }

    /// Only the path that was chosen for it says something of a key.
    private func ask(
        _ upstream: UpstreamEntry,
        _ path: String?,
        with key: UpstreamKeyEntry?
    ) async throws -> ProbeResult {
        if let path, !DefinitionRules.isProbePath(path) {
            throw OperationsError(.invalid, DefinitionRules.probePathRule, parameter: "path")
        }
        let known = upstream.definition.probe?.path
        return await gateway.probes.ask(
            upstream,
            path ?? known ?? "",
            with: key,
            counts: known != nil && (path ?? known) == known
        )
    }

    private func entry(_ id: Int, _ slug: String) throws(OperationsError) -> UpstreamEntry {
        guard let entry = gateway.snapshots.upstreams.first(where: { $0.id == id }) else {
            throw OperationsError(.conflict, "the upstream \(slug) is not in use yet; try again in a moment")
        }
        return entry
    }
}
