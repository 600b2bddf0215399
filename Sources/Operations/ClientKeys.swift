/// What a caller may reach; an empty list allows everything.
package struct ClientKeyPermissions: Codable, Sendable, Equatable {
    package var upstreams: [String]
    package var paths: [String]
    package var models: [String]
    package var cidrs: [String]

    package init(upstreams: [String] = [], paths: [String] = [], models: [String] = [], cidrs: [String] = [])
    {
        self.upstreams = upstreams
        self.paths = paths
        self.models = models
        self.cidrs = cidrs
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        upstreams = try container.decodeIfPresent([String].self, forKey: .upstreams) ?? []
        paths = try container.decodeIfPresent([String].self, forKey: .paths) ?? []
        models = try container.decodeIfPresent([String].self, forKey: .models) ?? []
        cidrs = try container.decodeIfPresent([String].self, forKey: .cidrs) ?? []
    }
}

/// What may change of them; what is left out stays, and null allows everything.
package struct PermissionsChange: Codable, Sendable, Equatable {
    package var upstreams: Change<[String]> = .keep
    package var paths: Change<[String]> = .keep
    package var models: Change<[String]> = .keep
    package var cidrs: Change<[String]> = .keep

    package init() {}

    /// What makes them these.
    package init(_ permissions: ClientKeyPermissions) {
        (upstreams, paths) = (.set(permissions.upstreams), .set(permissions.paths))
        (models, cidrs) = (.set(permissions.models), .set(permissions.cidrs))
    }

    package func applied(to old: ClientKeyPermissions) -> ClientKeyPermissions {
        ClientKeyPermissions(
            upstreams: upstreams.applied(to: old.upstreams) ?? [],
            paths: paths.applied(to: old.paths) ?? [],
            models: models.applied(to: old.models) ?? [],
            cidrs: cidrs.applied(to: old.cidrs) ?? []
        )
    }
}

extension Change where Value == PermissionsChange {
    package func applied(to old: ClientKeyPermissions) -> ClientKeyPermissions {
        switch self {
        case .keep: old
        case .clear: ClientKeyPermissions()
        case .set(let change): change.applied(to: old)
        }
    }
}

/// A client key as operators see it.
package struct ClientKey: Codable, Sendable, Equatable {
    package var id: Int
    package var name: String
    package var owner: String
    package var prefix: String
    package var last4: String
    package var enabled: Bool
    @ShownNull package var revokedAt: Timestamp?
    @ShownNull package var expiresAt: Timestamp?
    package var permissions: ClientKeyPermissions
    package var limits: RateLimits
    @ShownNull package var quota: QuotaStanding?
    /// The key whose limits and quota go on in this one, which was rotated from it; nil for its own.
    @ShownNull package var countsAs: Int?
    package var notes: String
    package var createdAt: Timestamp
    @ShownNull package var lastUsedAt: Timestamp?
    package var source: Source
    /// Rises with every change; the `ETag` of the object.
    package var version: Int
    /// The whole key, only in the answer that creates or rotates it.
    package var key: String?

    package init(
        id: Int,
        name: String,
        owner: String,
        prefix: String,
        last4: String,
        createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.prefix = prefix
        self.last4 = last4
        self.createdAt = createdAt
        enabled = true
        permissions = ClientKeyPermissions()
        limits = RateLimits()
        notes = ""
        source = .database
        version = 1
    }
}

/// What it takes to create a client key.
package struct ClientKeyDraft: Codable, Sendable {
    package var name: String
    package var owner: String?
    package var expiresAt: Timestamp?
    package var permissions: ClientKeyPermissions?
    package var limits: RateLimitsChange?
    package var quota: QuotaChange?
    package var notes: String?
    package var enabled: Bool?

    package init(name: String, owner: String? = nil) {
        self.name = name
        self.owner = owner
    }

    package static let fields = [
        "name", "owner", "expires_at", "permissions", "limits", "quota", "notes", "enabled",
    ]
}

/// What may change of a client key.
package struct ClientKeyChange: Codable, Sendable {
    package var name: Change<String> = .keep
    package var owner: Change<String> = .keep
    package var expiresAt: Change<Timestamp> = .keep
    package var permissions: Change<PermissionsChange> = .keep
    package var limits: Change<RateLimitsChange> = .keep
    package var quota: Change<QuotaChange> = .keep
    package var notes: Change<String> = .keep
    package var enabled: Change<Bool> = .keep

    package init() {}

    package static let fields = ClientKeyDraft.fields
}

/// What narrows a list of client keys.
package struct ClientKeyQuery: Sendable {
    package var search: String?
    package var owner: String?
    package var limit = 100
    package var cursor: String?

    package init() {}
}

/// Client keys: what callers send.
package protocol ClientKeyOperations: Sendable {
    func clientKeys(_ query: ClientKeyQuery, by user: Operator) async throws -> Page<ClientKey>
    func clientKey(_ id: Int, by user: Operator) async throws -> ClientKey
    /// The answer holds the whole key, which cannot be shown again.
    func createClientKey(_ draft: ClientKeyDraft, by user: Operator) async throws -> ClientKey
    func changeClientKey(
        _ id: Int,
        _ change: ClientKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> ClientKey
    func revokeClientKey(_ id: Int, by user: Operator) async throws -> ClientKey
    /// A new key takes over; the old one still works for the overlap.
    func rotateClientKey(_ id: Int, overlap: Duration, by user: Operator) async throws -> ClientKey
    func deleteClientKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws
}
