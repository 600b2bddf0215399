import HTTPTypes
import Hummingbird
import Operations

/// `/client-keys`: what callers send.
enum ClientKeyRoutes {
    private struct Rotation: Decodable {
        var overlapSeconds: Int?
    }

    static let all: [AdminRoute] = [
        .get(
            "/client-keys",
            "client keys",
            "List client keys, newest first",
            query: [
                .init(name: "search", type: "string", summary: "Part of a name, owner or prefix"),
                .init(name: "owner", type: "string", summary: "Exactly this owner"),
                .limit,
                .cursor,
            ]
        ) { request in
            var query = ClientKeyQuery()
            query.search = request.text("search")
            query.owner = request.text("owner")
            query.limit = try request.number("limit", default: 100, in: 1...1000)
            query.cursor = request.text("cursor")
            return try request.json(try await request.port.clientKeys(query, by: request.user))
        },
        .change(
            .post,
            "/client-keys",
            "client keys",
            "Create a client key; the answer holds it, once",
            body: ClientKeyDraft.fields,
            required: ["name"],
            status: .created
        ) { request in
            try await request.create(ClientKeyDraft.self, fields: ClientKeyDraft.fields) { draft in
                try await request.port.createClientKey(draft, by: request.user)
            }
        },
        .get("/client-keys/{id}", "client keys", "One client key") { request in
            let key = try await request.port.clientKey(try request.id(), by: request.user)
            return try request.json(key, version: key.version)
        },
        .change(
            .patch,
            "/client-keys/{id}",
            "client keys",
            "Change a client key; null clears a field",
            body: ClientKeyChange.fields
        ) { request in
            let change = try await request.change(ClientKeyChange.self, fields: ClientKeyChange.fields)
            return try await answer(request, change)
        },
        .change(.delete, "/client-keys/{id}", "client keys", "Delete a client key", status: .noContent) {
            request in
            try await request.port.deleteClientKey(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        .change(.post, "/client-keys/{id}/enable", "client keys", "Enable a client key") { request in
            var change = ClientKeyChange()
            change.enabled = .set(true)
            return try await answer(request, change)
        },
        .change(.post, "/client-keys/{id}/disable", "client keys", "Disable a client key") { request in
            var change = ClientKeyChange()
            change.enabled = .set(false)
            return try await answer(request, change)
        },
        .change(.post, "/client-keys/{id}/revoke", "client keys", "Revoke a client key for good") { request in
            try request.json(try await request.port.revokeClientKey(try request.id(), by: request.user))
        },
        .change(
            .post,
            "/client-keys/{id}/rotate",
            "client keys",
            "Make a successor; the old key works for the overlap",
            body: ["overlap_seconds"],
            status: .created
        ) { request in
            let id = try request.id()
            // The body may be left out.
            let wanted = try await StrictBody.readIfAny(
                Rotation.self,
                fields: ["overlap_seconds"],
                from: request.request
            )
            let seconds = wanted?.overlapSeconds ?? 86_400
            return try await request.once("rotate \(id) \(seconds)", status: .created) {
                try await request.port.rotateClientKey(id, overlap: .seconds(seconds), by: request.user)
            }
        },
    ]

    private static func answer(
        _ request: AdminRequest,
        _ change: ClientKeyChange
    ) async throws -> Response {
        let key = try await request.port.changeClientKey(
            try request.id(),
            change,
            ifVersion: try request.ifMatch(),
            by: request.user
        )
        return try request.json(key, version: key.version)
    }
}
