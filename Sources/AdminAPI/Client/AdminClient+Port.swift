import NIOHTTP1
package import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension AdminClient: ClientKeyOperations {
    package func clientKeys(_ query: ClientKeyQuery, by user: Operator) async throws -> Page<ClientKey> {
        let parameters: [(String, String?)] = [
            ("search", query.search), ("owner", query.owner), ("limit", "\(query.limit)"),
            ("cursor", query.cursor),
        ]
        return try await get("/client-keys", parameters)
    }

    package func clientKey(_ id: Int, by user: Operator) async throws -> ClientKey {
        try await get("/client-keys/\(id)")
    }

    package func createClientKey(_ draft: ClientKeyDraft, by user: Operator) async throws -> ClientKey {
        try await call(.POST, "/client-keys", draft)
    }

    package func changeClientKey(
        _ id: Int,
        _ change: ClientKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> ClientKey {
        try await call(.PATCH, "/client-keys/\(id)", change, ifVersion: ifVersion)
    }

    package func revokeClientKey(_ id: Int, by user: Operator) async throws -> ClientKey {
        try await call(.POST, "/client-keys/\(id)/revoke")
    }

    package func rotateClientKey(_ id: Int, overlap: Duration, by user: Operator) async throws -> ClientKey {
        try await call(.POST, "/client-keys/\(id)/rotate", ["overlap_seconds": overlap.milliseconds / 1000])
    }

    package func deleteClientKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/client-keys/\(id)", ifVersion: ifVersion)
    }
}

extension AdminClient: UpstreamOperations {
    package func upstreams(by user: Operator) async throws -> Page<Upstream> {
        try await get("/upstreams")
    }

    package func upstream(_ id: Int, by user: Operator) async throws -> Upstream {
        try await get("/upstreams/\(id)")
    }

    package func createUpstream(_ draft: UpstreamDraft, by user: Operator) async throws -> Upstream {
        try await call(.POST, "/upstreams", draft)
    }

    package func changeUpstream(
        _ id: Int,
        _ change: UpstreamChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> Upstream {
        try await call(.PATCH, "/upstreams/\(id)", change, ifVersion: ifVersion)
    }

    package func deleteUpstream(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/upstreams/\(id)", ifVersion: ifVersion)
    }

    package func testUpstream(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult {
        try await call(.POST, "/upstreams/\(id)/test", path.map { ["path": $0] })
    }
}

extension AdminClient: UpstreamKeyOperations {
    package func upstreamKeys(_ query: UpstreamKeyQuery, by user: Operator) async throws -> Page<UpstreamKey>
    {
        let parameters: [(String, String?)] = [
            ("upstream_id", query.upstream.map(String.init)), ("name", query.name),
            ("limit", "\(query.limit)"),
            ("cursor", query.cursor),
        ]
        return try await get("/keys", parameters)
    }

    package func upstreamKey(_ id: Int, by user: Operator) async throws -> UpstreamKey {
        try await get("/keys/\(id)")
    }

    package func createUpstreamKey(_ draft: UpstreamKeyDraft, by user: Operator) async throws -> UpstreamKey {
        try await call(.POST, "/keys", draft)
    }

    package func changeUpstreamKey(
        _ id: Int,
        _ change: UpstreamKeyChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> UpstreamKey {
        try await call(.PATCH, "/keys/\(id)", change, ifVersion: ifVersion)
    }

    package func setUpstreamKeyState(
        _ id: Int,
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> UpstreamKey {
        let verb = state == .active ? "enable" : state == .banned ? "ban" : "disable"
        return try await call(.POST, "/keys/\(id)/\(verb)", reason.map { ["reason": $0] })
    }

    package func deleteUpstreamKey(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/keys/\(id)", ifVersion: ifVersion)
    }

    package func testUpstreamKey(_ id: Int, path: String?, by user: Operator) async throws -> ProbeResult {
        try await call(.POST, "/keys/\(id)/test", path.map { ["path": $0] })
    }
}

extension AdminClient: RuleOperations {
    package func rules(by user: Operator) async throws -> Page<Rule> {
        try await get("/rules")
    }

    package func rule(_ id: Int, by user: Operator) async throws -> Rule {
        try await get("/rules/\(id)")
    }

    package func createRule(_ draft: RuleDraft, by user: Operator) async throws -> Rule {
        try await call(.POST, "/rules", draft)
    }

    package func changeRule(
        _ id: Int,
        _ change: RuleChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> Rule {
        try await call(.PATCH, "/rules/\(id)", change, ifVersion: ifVersion)
    }

    package func deleteRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/rules/\(id)", ifVersion: ifVersion)
    }

    package func reorderRules(_ ids: [Int], by user: Operator) async throws -> Page<Rule> {
        try await call(.POST, "/rules/reorder", ["ids": ids])
    }

    package func testRules(_ test: RuleTest, by user: Operator) async throws -> RuleTestResult {
        try await call(.POST, "/rules/test", test)
    }

    package func resetRules(by user: Operator) async throws -> Page<Rule> {
        try await call(.POST, "/rules/reset-defaults")
    }
}

extension AdminClient: LogOperations {
    package func logs(_ query: LogQuery, by user: Operator) async throws -> Page<LogRecord> {
        let parameters: [(String, String?)] = [
            ("filter", query.filter), ("from", query.from?.description), ("to", query.to?.description),
            ("limit", "\(query.limit)"), ("cursor", query.cursor), ("order", query.order.rawValue),
        ]
        return try await get("/logs", parameters)
    }

    package func log(_ id: Int, by user: Operator) async throws -> LogDetail {
        try await get("/logs/\(id)")
    }

    package func followLogs(
        filter: String,
        maxPerSecond: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<LogBatch, any Error> {
        try await events("/logs/stream", [("filter", filter), ("max_per_second", "\(maxPerSecond)")]) {
            events in
            // A record has many fields before one of this name could come.
            let (counts, records) = events.reduce(into: ([Data](), [Data]())) { parts, event in
                if event.starts(with: "{\"skipped\"".utf8) {
                    parts.0.append(event)
                } else {
                    parts.1.append(event)
                }
            }
            let batch = LogBatch(
                records: try records.map { try JSONForm.value(LogRecord.self, from: $0) },
                skipped: try counts.reduce(0) {
                    $0 + (try JSONForm.value(SkippedRecords.self, from: $1)).skipped
                }
            )
            return [batch]
        }
    }
}

/// The event that says how many records were passed over.
private struct SkippedRecords: Decodable {
    let skipped: Int
}

extension AdminClient: DashboardOperations {
    package func dashboard(filter: String, by user: Operator) async throws -> Dashboard {
        try await get("/dashboard", [("filter", filter)])
    }

    package func series(_ query: SeriesQuery, by user: Operator) async throws -> Series {
        let parameters: [(String, String?)] = [
            ("metric", query.metric.rawValue), ("filter", query.filter), ("from", query.from?.description),
            ("to", query.to?.description), ("step", query.step.map(String.init)),
        ]
        return try await get("/dashboard/series", parameters)
    }

    package func charts(_ query: SeriesQuery, by user: Operator) async throws -> Charts {
        let parameters: [(String, String?)] = [
            ("filter", query.filter), ("from", query.from?.description), ("to", query.to?.description),
            ("step", query.step.map(String.init)),
        ]
        return try await get("/dashboard/charts", parameters)
    }

    package func stats(
        by grouping: StatsGrouping,
        filter: String,
        from: Timestamp?,
        by user: Operator
    ) async throws -> Page<StatsItem> {
        let parameters: [(String, String?)] = [
            ("by", grouping.rawValue), ("filter", filter), ("from", from?.description),
        ]
        return try await get("/stats", parameters)
    }
}

extension AdminClient: LiveOperations {
    package func exchanges(by user: Operator) async throws -> Page<LiveExchange> {
        try await get("/exchanges")
    }

    package func cutExchange(_ id: Int, by user: Operator) async throws {
        try await callNothing(.DELETE, "/exchanges/\(id)")
    }

    package func watch(
        exchange id: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<WatchedPiece, any Error> {
        try await events("/exchanges/\(id)/stream", []) { events in
            try events.map { try JSONForm.value(WatchedPiece.self, from: $0) }
        }
    }

    package func live(
        filter: String,
        by user: Operator
    ) async throws -> AsyncThrowingStream<LiveSnapshot, any Error> {
        try await events("/live", [("filter", filter)]) { events in
            // Of snapshots that come together only the newest is news.
            try events.suffix(1).map { try JSONForm.value(LiveSnapshot.self, from: $0) }
        }
    }
}

extension AdminClient: SystemOperations {
    package func status(by user: Operator) async throws -> Status {
        try await get("/status")
    }

    package func reload(by user: Operator) async throws {
        try await callNothing(.POST, "/reload")
    }

    package func operatorChanges(
        limit: Int,
        cursor: String?,
        by user: Operator
    ) async throws -> Page<OperatorChange> {
        try await get("/operators/audit", [("limit", "\(limit)"), ("cursor", cursor)])
    }

    package func undo(change id: Int, by user: Operator) async throws -> OperatorChange {
        try await call(.POST, "/undo/\(id)")
    }

    package func operators(by user: Operator) async throws -> Page<OperatorPresence> {
        try await get("/operators")
    }

    package func me(by user: Operator) async throws -> Operator {
        try await get("/operators/me")
    }

    package func settings(by user: Operator) async throws -> String {
        try await text("/operators/me/settings")
    }

    package func saveSettings(_ json: String, by user: Operator) async throws {
        try await putText("/operators/me/settings", json)
    }

    package func metricsPage(by user: Operator) async throws -> String {
        throw OperationsError(.badRequest, "scrape /metrics of the operators' port instead")
    }

    /// The server remembers answers by the `Idempotency-Key` header; a client has nothing to look up.
    package func rememberedAnswer(_ key: String, request: String, by user: Operator) async throws -> String? {
        nil
    }

    package func remember(_ answer: String, for key: String, request: String, by user: Operator) async throws
    {
        throw OperationsError(.badRequest, "answers are remembered by the gateway")
    }
}
