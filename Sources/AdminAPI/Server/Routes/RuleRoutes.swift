import HTTPTypes
import Hummingbird
import Operations

/// `/rules`: what answers mean.
enum RuleRoutes {
    private struct Order: Decodable {
        var ids: [Int]
    }

    static let all: [AdminRoute] = [
        .list("/rules", "rules", "List rules in the order in which they are tried") { request in
            try await request.port.rules(by: request.user)
        },
        .change(
            .post,
            "/rules",
            "rules",
            "Make a rule",
            body: RuleDraft.fields,
            required: ["name", "when", "then"],
            status: .created
        ) { request in
            try await request.create(RuleDraft.self, fields: RuleDraft.fields) { draft in
                try await request.port.createRule(draft, by: request.user)
            }
        },
        .get("/rules/{id}", "rules", "One rule") { request in
            let rule = try await request.port.rule(try request.id(), by: request.user)
            return try request.json(rule, version: rule.version)
        },
        .change(.patch, "/rules/{id}", "rules", "Change a rule", body: RuleChange.fields) { request in
            let change = try await request.change(RuleChange.self, fields: RuleChange.fields)
            let rule = try await request.port.changeRule(
                try request.id(),
                change,
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return try request.json(rule, version: rule.version)
        },
        .change(.delete, "/rules/{id}", "rules", "Delete a rule", status: .noContent) { request in
            try await request.port.deleteRule(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        .change(
            .post,
            "/rules/reorder",
            "rules",
            "Say in which order rules are tried",
            body: ["ids"],
            required: ["ids"]
        ) { request in
            let order = try await request.change(Order.self, fields: ["ids"])
            return try request.json(try await request.port.reorderRules(order.ids, by: request.user))
        },
        .change(
            .post,
            "/rules/test",
            "rules",
            "What the rules would make of an answer; nothing is done",
            body: RuleTest.fields,
            role: .viewer
        ) { request in
            let test = try await request.change(RuleTest.self, fields: RuleTest.fields)
            return try request.json(try await request.port.testRules(test, by: request.user))
        },
        .change(.post, "/rules/reset-defaults", "rules", "Bring the default rules back") { request in
            try request.json(try await request.port.resetRules(by: request.user))
        },
    ]
}
