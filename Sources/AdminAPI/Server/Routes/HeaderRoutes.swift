import Hummingbird
import Operations

/// `/headers`: what is added to the attempts against an upstream.
enum HeaderRoutes {
    private struct Order: Decodable {
        var ids: [Int]
    }

    static let all: [AdminRoute] = [
        .list(
            "/headers",
            "headers",
            "List header rules in order",
            query: [
                .init(
                    name: "upstream_id",
                    type: "integer",
                    summary: "Of this upstream only",
                    range: 0...Int.max
                )
            ]
        ) { request in
            let isOne = request.text("upstream_id") != nil
            let upstream = isOne ? try request.number("upstream_id", default: 0, in: 0...Int.max) : nil
            return try await request.port.headerRules(ofUpstream: upstream, by: request.user)
        },
        .change(
            .post,
            "/headers",
            "headers",
            "Make a header rule",
            body: HeaderRuleDraft.fields,
            required: ["upstream_id", "name", "kind"],
            status: .created
        ) { request in
            try await request.create(HeaderRuleDraft.self, fields: HeaderRuleDraft.fields) { draft in
                try await request.port.createHeaderRule(draft, by: request.user)
            }
        },
        .get("/headers/{id}", "headers", "One header rule") { request in
            let rule = try await request.port.headerRule(try request.id(), by: request.user)
            return try request.json(rule, version: rule.version)
        },
        .change(.patch, "/headers/{id}", "headers", "Change a header rule", body: HeaderRuleChange.fields) {
            request in
            let change = try await request.change(HeaderRuleChange.self, fields: HeaderRuleChange.fields)
            let rule = try await request.port.changeHeaderRule(
                try request.id(),
                change,
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return try request.json(rule, version: rule.version)
        },
        .change(.delete, "/headers/{id}", "headers", "Delete a header rule", status: .noContent) { request in
            try await request.port.deleteHeaderRule(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        .change(
            .post,
            "/headers/reorder",
            "headers",
            "Say in which order the headers of one upstream are added",
            body: ["ids"],
            required: ["ids"]
        ) { request in
            let order = try await request.change(Order.self, fields: ["ids"])
            return try request.json(
                try await request.port.reorderHeaderRules(order.ids, by: request.user)
            )
        },
    ]
}
