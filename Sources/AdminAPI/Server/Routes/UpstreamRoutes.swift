import HTTPTypes
import Hummingbird
import Operations

/// `/upstreams`: backends.
enum UpstreamRoutes {
    static let all: [AdminRoute] = [
        .list("/upstreams", "upstreams", "List upstreams") { request in
            try await request.port.upstreams(by: request.user)
        },
        .change(
            .post,
            "/upstreams",
            "upstreams",
            "Create an upstream",
            body: UpstreamDraft.fields,
            required: ["slug", "base_url"],
            status: .created
        ) { request in
            try await request.create(UpstreamDraft.self, fields: UpstreamDraft.fields) { draft in
                try await request.port.createUpstream(draft, by: request.user)
            }
        },
        .get("/upstreams/{id}", "upstreams", "One upstream") { request in
            let upstream = try await request.port.upstream(try request.id(), by: request.user)
            return try request.json(upstream, version: upstream.version)
        },
        .change(
            .patch,
            "/upstreams/{id}",
            "upstreams",
            "Change an upstream; null restores a default",
            body: UpstreamChange.fields
        ) { request in
            try await answer(
                request,
                try await request.change(UpstreamChange.self, fields: UpstreamChange.fields)
            )
        },
        .change(.delete, "/upstreams/{id}", "upstreams", "Delete an upstream", status: .noContent) {
            request in
            try await request.port.deleteUpstream(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        .change(.post, "/upstreams/{id}/enable", "upstreams", "Enable an upstream") { request in
            var change = UpstreamChange()
            change.enabled = .set(true)
            return try await answer(request, change)
        },
        .change(.post, "/upstreams/{id}/disable", "upstreams", "Disable an upstream") { request in
            var change = UpstreamChange()
            change.enabled = .set(false)
            return try await answer(request, change)
        },
    ]

    private static func answer(_ request: AdminRequest, _ change: UpstreamChange) async throws -> Response {
        let upstream = try await request.port.changeUpstream(
            try request.id(),
            change,
            ifVersion: try request.ifMatch(),
            by: request.user
        )
        return try request.json(upstream, version: upstream.version)
    }
}

/// `/keys`: the pool of provider keys.
enum UpstreamKeyRoutes {
    static let all: [AdminRoute] = [
        .get(
            "/keys",
            "upstream keys",
            "List upstream keys; values are masked",
            query: [
                .init(
                    name: "upstream_id",
                    type: "integer",
                    summary: "Keys of this upstream",
                    range: 0...Int.max
                ),
                .init(name: "name", type: "string", summary: "Exactly this name"),
                .limit,
                .cursor,
            ]
        ) { request in
            var query = UpstreamKeyQuery()
            (query.upstream, query.name) = (try request.optionalNumber("upstream_id"), request.text("name"))
            query.limit = try request.number("limit", default: 100, in: 1...1000)
            query.cursor = request.text("cursor")
            return try request.json(try await request.port.upstreamKeys(query, by: request.user))
        },
        .change(
            .post,
            "/keys",
            "upstream keys",
            "Add an upstream key",
            body: UpstreamKeyDraft.fields,
            required: ["upstream_id", "name", "key_value"],
            status: .created
        ) { request in
            try await request.create(UpstreamKeyDraft.self, fields: UpstreamKeyDraft.fields) { draft in
                try await request.port.createUpstreamKey(draft, by: request.user)
            }
        },
        .get("/keys/{id}", "upstream keys", "One upstream key") { request in
            let key = try await request.port.upstreamKey(try request.id(), by: request.user)
            return try request.json(key, version: key.version)
        },
        .change(
            .patch,
            "/keys/{id}",
            "upstream keys",
            "Change an upstream key",
            body: UpstreamKeyChange.fields
        ) { request in
            let change = try await request.change(UpstreamKeyChange.self, fields: UpstreamKeyChange.fields)
            let key = try await request.port.changeUpstreamKey(
                try request.id(),
                change,
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return try request.json(key, version: key.version)
        },
        .change(.delete, "/keys/{id}", "upstream keys", "Delete an upstream key", status: .noContent) {
            request in
            try await request.port.deleteUpstreamKey(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        state("enable", .active, "Enable an upstream key"),
        state("disable", .disabled, "Disable an upstream key"),
        state("ban", .banned, "Ban an upstream key"),
        state("unban", .active, "Lift the ban of an upstream key"),
        state("reset", .active, "Forget what an upstream key has shown, and use it again"),
    ]

    private struct Reason: Decodable {
        var reason: String?
    }

    /// The body, with a reason, may be left out.
    private static func state(_ verb: String, _ state: KeyState, _ summary: String) -> AdminRoute {
        .change(.post, "/keys/{id}/\(verb)", "upstream keys", summary, body: ["reason"]) { request in
            let reason = try await StrictBody.readIfAny(
                Reason.self,
                fields: ["reason"],
                from: request.request
            )?.reason
            let key = try await request.port.setUpstreamKeyState(
                try request.id(),
                state,
                reason: reason,
                by: request.user
            )
            return try request.json(key, version: key.version)
        }
    }
}
