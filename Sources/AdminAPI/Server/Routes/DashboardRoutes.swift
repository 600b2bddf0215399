import HTTPTypes
import Hummingbird
import Operations

/// `/dashboard`, `/stats`, `/live` and `/exchanges`: figures, and what happens now.
enum DashboardRoutes {
    private static let filter = AdminRoute.Parameter(
        name: "filter",
        type: "string",
        summary: "Any filter of the log"
    )

    static let all: [AdminRoute] = [
        .get("/dashboard", "dashboard", "The figures of now", query: [filter]) { request in
            let filter = request.text("filter") ?? ""
            return try request.json(try await request.port.dashboard(filter: filter, by: request.user))
        },
        .get(
            "/dashboard/series",
            "dashboard",
            "A metric over time",
            query: [
                .init(
                    name: "metric",
                    type: "string",
                    summary: "requests when it is absent",
                    choices: Metric.allCases.map(\.rawValue)
                ),
                filter,
                .init(name: "from", type: "string", summary: "Default five minutes before to"),
                .init(name: "to", type: "string", summary: "Default now"),
                .init(name: "step", type: "string", summary: "Seconds, or 1s, 10s, 1m; default by the range"),
            ]
        ) { request in
            var query = SeriesQuery()
            query.metric = try request.choice("metric", default: Metric.requests)
            query.filter = request.text("filter") ?? ""
            query.from = try request.time("from")
            query.to = try request.time("to")
            query.step = try step(request)
            return try request.json(try await request.port.series(query, by: request.user))
        },
        .get(
            "/dashboard/charts",
            "dashboard",
            "Requests, success and latency over time, all at once",
            query: [
                filter,
                .init(name: "from", type: "string", summary: "Default five minutes before to"),
                .init(name: "to", type: "string", summary: "Default now"),
                .init(name: "step", type: "string", summary: "Seconds, or 1s, 10s, 1m; default by the range"),
            ]
        ) { request in
            var query = SeriesQuery()
            query.filter = request.text("filter") ?? ""
            query.from = try request.time("from")
            query.to = try request.time("to")
            query.step = try step(request)
            return try request.json(try await request.port.charts(query, by: request.user))
        },
        .list(
            "/stats",
            "dashboard",
            "Exchanges counted by a column",
            query: [
                .init(
                    name: "by",
                    type: "string",
                    summary: "client_key when it is absent",
                    choices: StatsGrouping.allCases.map(\.rawValue)
                ),
                filter,
                .init(name: "from", type: "string", summary: "Only exchanges that began then or later"),
            ]
        ) { request in
            let grouping = try request.choice("by", default: StatsGrouping.clientKey)
            let filter = request.text("filter") ?? ""
            return try await request.port.stats(
                by: grouping,
                filter: filter,
                from: try request.time("from"),
                by: request.user
            )
        },
        .list("/exchanges", "live", "Exchanges that run now") { request in
            try await request.port.exchanges(by: request.user)
        },
        .get(
            "/exchanges/{id}/stream",
            "live",
            "Watch an answer while it is generated (server-sent events)",
            contentType: "text/event-stream"
        ) { request in
            let pieces = try await request.port.watch(exchange: try request.id(), by: request.user)
            return EventStream.response(pieces, while: request.context.isStillAllowed) {
                EventStream.events([try JSONForm.text($0)])
            }
        },
        .change(.delete, "/exchanges/{id}", "live", "Cut a running exchange off", status: .noContent) {
            request in
            try await request.port.cutExchange(try request.id(), by: request.user)
            return request.noContent
        },
        .get(
            "/live",
            "live",
            "A snapshot a second (server-sent events)",
            query: [filter],
            contentType: "text/event-stream"
        ) { request in
            let filter = request.text("filter") ?? ""
            let snapshots = try await request.port.live(filter: filter, by: request.user)
            let shared = request.snapshotEvents
            return EventStream.response(snapshots, while: request.context.isStillAllowed) {
                try shared.event($0, filter: filter)
            }
        },
    ]

    private static func step(_ request: AdminRequest) throws -> Int? {
        guard let text = request.text("step") else { return nil }
        let seconds = Int(text) ?? Duration(text: text).map { Int($0.components.seconds) }
        guard let seconds, seconds > 0 else {
            throw OperationsError(.invalid, "must be seconds, or a duration such as 10s", parameter: "step")
        }
        return seconds
    }
}
