import HTTPTypes
import Hummingbird
import Operations

/// `/tasks`: what the gateway does by itself.
enum TaskRoutes {
    static let all: [AdminRoute] = [
        .list("/tasks", "tasks", "List tasks with their last and next run") { request in
            try await request.port.tasks(by: request.user)
        },
        .change(
            .patch,
            "/tasks/{name}",
            "tasks",
            "Change how often a task runs; null restores the default",
            body: ScheduledTaskChange.fields
        ) { request in
            let change = try await request.change(
                ScheduledTaskChange.self,
                fields: ScheduledTaskChange.fields
            )
            let name = try request.parameter("name")
            return try request.json(try await request.port.changeTask(name, change, by: request.user))
        },
        .change(.post, "/tasks/{name}/run", "tasks", "Run a task now; answers once it is done") { request in
            let name = try request.parameter("name")
            return try request.json(try await request.port.runTask(name, by: request.user))
        },
    ]
}

/// `/upstreams/{id}/test` and `/keys/{id}/test`: questions that cost nothing.
enum TestRoutes {
    private struct Question: Decodable {
        var path: String?
    }

    static let all: [AdminRoute] = [
        .change(
            .post,
            "/upstreams/{id}/test",
            "upstreams",
            "Ask an upstream its probe's path, or the one given, with one of its keys",
            body: ["path"]
        ) { request in
            let path = try await path(request)
            return try request.json(
                try await request.port.testUpstream(try request.id(), path: path, by: request.user)
            )
        },
        .change(
            .post,
            "/keys/{id}/test",
            "upstream keys",
            "Ask the upstream its probe's path, or the one given, with this key",
            body: ["path"]
        ) { request in
            let path = try await path(request)
            return try request.json(
                try await request.port.testUpstreamKey(try request.id(), path: path, by: request.user)
            )
        },
    ]

    /// The body may be left out.
    private static func path(_ request: AdminRequest) async throws -> String? {
        try await StrictBody.readIfAny(Question.self, fields: ["path"], from: request.request)?.path
    }
}
