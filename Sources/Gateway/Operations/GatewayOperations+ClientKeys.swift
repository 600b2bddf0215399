package import Operations

extension GatewayOperations {
    package func clientKeys(_ query: ClientKeyQuery, by user: Operator) async throws -> Page<ClientKey> {
        var page = try clientKeyStore.page(query)
        page.items = page.items.map(withUsage)
        return page
    }

    package func clientKey(_ id: Int, by user: Operator) async throws -> ClientKey {
        withUsage(try clientKeyStore.find(id).key)
    }

    /// The key with what is used of its quota.
    private func withUsage(_ key: ClientKey) -> ClientKey {
        guard key.quota != nil else { return key }
        var key = key
        key.quota = gateway.limiter.standing(ofQuota: key.countsAs ?? key.id) ?? key.quota
        return key
    }

    package func createClientKey(_ draft: ClientKeyDraft, by user: Operator) async throws -> ClientKey {
        try user.require(.operator)
        let token = ClientKeyToken.generate()
        let key = try ClientKeyRules.key(draft, token: token, at: Self.now())
        var created = try clientKeyStore.insert(ClientKeyRow(key: key, digest: token.digest), by: user)
        try await gateway.snapshots.publishClientKeys([created.id])
        if let used = draft.quota?.used { gateway.limiter.setUsed(used, ofClientKey: created.id) }
        created.key = token.text
        return withUsage(created)
    }

    package func changeClientKey(
        _ id: Int,
        _ change: ClientKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> ClientKey {
        try user.require(.operator)
        let key = try clientKeyStore.update(id, ifVersion: ifVersion, by: user, action: "change") { row in
            if let name = change.name.applied(to: row.key.name), !change.name.isKept {
                try Self.requireText(name, "name")
                row.key.name = name
            }
            row.key.owner = change.owner.applied(to: row.key.owner) ?? ""
            row.key.expiresAt = change.expiresAt.applied(to: row.key.expiresAt)
            row.key.permissions = try ClientKeyRules.checked(
                change.permissions.applied(to: row.key.permissions)
            )
            row.key.limits = try change.limits.applied(to: row.key.limits)
            row.key.quota = try change.quota.applied(to: row.key.quota?.quota).map { QuotaStanding($0) }
            row.key.notes = try ClientKeyRules.notes(change.notes.applied(to: row.key.notes))
            let enabled = change.enabled.applied(to: row.key.enabled) ?? true
            if enabled, row.key.revokedAt != nil, !change.enabled.isKept {
                throw OperationsError(
                    .conflict,
                    "a revoked key cannot be enabled again; rotate or create one"
                )
            }
            row.key.enabled = enabled
        }
        try await gateway.snapshots.publishClientKeys([id])
        if let used = change.quota.used { gateway.limiter.setUsed(used, ofClientKey: key.countsAs ?? id) }
        return withUsage(key)
    }

    package func revokeClientKey(_ id: Int, by user: Operator) async throws -> ClientKey {
        try user.require(.operator)
        let key = try clientKeyStore.update(id, ifVersion: nil, by: user, action: "revoke") { row in
            row.key.enabled = false
            row.key.revokedAt = row.key.revokedAt ?? Timestamp(microseconds: WallClock.now().microseconds)
        }
        try await gateway.snapshots.publishClientKeys([id])
        return withUsage(key)
    }

    package func rotateClientKey(_ id: Int, overlap: Duration, by user: Operator) async throws -> ClientKey {
        try user.require(.operator)
        guard overlap >= .zero, overlap <= .seconds(90 * 86_400) else {
            throw OperationsError(.invalid, "must be between 0 and 90 days", parameter: "overlap_seconds")
        }
        let token = ClientKeyToken.generate()
        var made = try clientKeyStore.rotate(id, to: token, overlap: overlap, by: user)
        try await gateway.snapshots.publishClientKeys([id, made.id])
        made.key = token.text
        return withUsage(made)
    }

    package func deleteClientKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        try clientKeyStore.delete(id, ifVersion: ifVersion, by: user)
        try await gateway.snapshots.publishClientKeys([id])
    }
}
