import NIOHTTP1
package import Operations

extension AdminClient: ScriptOperations, HeaderOperations {
    package func testScript(_ test: ScriptTest, by user: Operator) async throws -> ScriptTestResult {
        try await call(.POST, "/scripts/test", test)
    }

    package func headerRules(ofUpstream id: Int?, by user: Operator) async throws -> Page<HeaderRule> {
        try await get("/headers" + (id.map { "?upstream_id=\($0)" } ?? ""))
    }

    package func headerRule(_ id: Int, by user: Operator) async throws -> HeaderRule {
        try await get("/headers/\(id)")
    }

    package func createHeaderRule(_ draft: HeaderRuleDraft, by user: Operator) async throws -> HeaderRule {
        try await call(.POST, "/headers", draft)
    }

    package func changeHeaderRule(
        _ id: Int,
        _ change: HeaderRuleChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> HeaderRule {
        try await call(.PATCH, "/headers/\(id)", change, ifVersion: ifVersion)
    }

    package func deleteHeaderRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/headers/\(id)", ifVersion: ifVersion)
    }

    package func reorderHeaderRules(_ ids: [Int], by user: Operator) async throws -> Page<HeaderRule> {
        try await call(.POST, "/headers/reorder", ["ids": ids])
    }
}
