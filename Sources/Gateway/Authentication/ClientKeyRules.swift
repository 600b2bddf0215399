import Operations

/// What a client key has to hold to be made or changed, whoever asks for it.
enum ClientKeyRules {
    /// The key that a draft asks for.
    ///
    /// - Throws: `OperationsError` naming the field that does not hold.
    static func key(
        _ draft: ClientKeyDraft,
        token: ClientKeyToken,
        at time: Timestamp
    ) throws(OperationsError) -> ClientKey {
        try GatewayOperations.requireText(draft.name, "name")
        let owner = draft.owner ?? ""
        if !owner.isEmpty { try GatewayOperations.requireText(owner, "owner") }
        if let expiry = draft.expiresAt { try requireFuture(expiry, after: time) }
        var key = ClientKey(
            id: 0,
            name: draft.name,
            owner: owner,
            prefix: token.prefix,
            last4: token.lastFour,
            createdAt: time
        )
        key.expiresAt = draft.expiresAt
        key.enabled = draft.enabled ?? true
        key.notes = try notes(draft.notes)
        key.permissions = try checked(draft.permissions ?? ClientKeyPermissions())
        key.limits = try draft.limits?.applied(to: RateLimits()) ?? RateLimits()
        key.quota = (try draft.quota?.applied(to: nil)).map { QuotaStanding($0) }
        return key
    }

    static func requireFuture(_ expiry: Timestamp, after time: Timestamp) throws(OperationsError) {
        guard expiry.microseconds > time.microseconds else {
            throw OperationsError(.invalid, "is in the past", parameter: "expires_at")
        }
    }

    static func notes(_ text: String?) throws(OperationsError) -> String {
        guard let text else { return "" }
        guard text.utf8.count <= 4000 else {
            throw OperationsError(.invalid, "has more than 4000 bytes", parameter: "notes")
        }
        return text
    }

    static func checked(_ permissions: ClientKeyPermissions) throws(OperationsError) -> ClientKeyPermissions {
        _ = try Permissions(permissions)
        for path in permissions.paths where !path.hasPrefix("/") {
            throw OperationsError(.invalid, "\(path) does not begin with /", parameter: "permissions.paths")
        }
        let count =
            permissions.upstreams.count + permissions.paths.count + permissions.models.count
            + permissions.cidrs.count
        guard count <= 1000 else {
            throw OperationsError(.invalid, "has more than 1000 entries", parameter: "permissions")
        }
        return permissions
    }
}
