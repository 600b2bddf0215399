import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// `/status`, `/reload`, `/operators`: the gateway itself.
enum SystemRoutes {
    /// Of one's own, so that a viewer may too.
    private static let settingsRoute = AdminRoute(
        method: .put,
        path: "/operators/me/settings",
        tag: "operators",
        summary: "Keep what you have chosen for your console: any JSON object",
        role: .viewer,
        bodyFields: [],
        handler: { request in
            let json = try await StrictBody.object(from: request.request)
            try await request.port.saveSettings(json, by: request.user)
            return request.json(text: json)
        }
    )

    static let all: [AdminRoute] = [
        .get("/health", "system", "Whether the operators' port answers") { request in
            request.json(text: "{\"status\":\"ok\"}")
        },
        .get("/status", "system", "The gateway's condition") { request in
            try request.json(try await request.port.status(by: request.user))
        },
        .change(.post, "/reload", "system", "Read the configuration file again") { request in
            try await request.port.reload(by: request.user)
            return request.json(text: "{\"reloaded\":true}")
        },
        .get("/operators/me", "operators", "Who you are here") { request in
            try request.json(request.user)
        },
        .list("/operators", "operators", "Who is watching now") { request in
            try await request.port.operators(by: request.user)
        },
        .get("/operators/me/settings", "operators", "What you have chosen for your console") { request in
            request.json(text: try await request.port.settings(by: request.user))
        },
        settingsRoute,
        .get(
            "/operators/audit",
            "operators",
            "Who changed what, newest first",
            query: [
                .limit,
                .cursor,
            ]
        ) { request in
            let limit = try request.number("limit", default: 100, in: 1...1000)
            let page = try await request.port.operatorChanges(
                limit: limit,
                cursor: request.text("cursor"),
                by: request.user
            )
            return try request.json(page)
        },
        .change(
            .post,
            "/undo/{change_id}",
            "operators",
            "Take a change back, together with those that were made in one go with it"
        ) { request in
            try request.json(try await request.port.undo(change: request.id("change_id"), by: request.user))
        },
    ]
}
