import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// `/status`, `/reload`, `/operators`: the gateway itself.
enum SystemRoutes {
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
        .get(
            "/operators/audit",
            "operators",
            "Who changed what, newest first",
            query: [
                .init(name: "limit", type: "integer", summary: "1 to 1000, default 100"),
                .init(name: "cursor", type: "string", summary: "next_cursor of the page before"),
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
    ]
}
