import HTTPTypes
import Operations

/// What each route takes and answers, for the document; a test says that none is missing.
enum RouteTypes {
    /// A fact in small JSON that has no type of its own.
    struct Started: Codable, Sendable { var jobId: Int }
    struct Reloaded: Codable, Sendable { var reloaded: Bool }
    struct Health: Codable, Sendable { var status: String }
    struct Reason: Codable, Sendable { var reason: String? }
    struct Path: Codable, Sendable { var path: String? }
    struct Overlap: Codable, Sendable { var overlapSeconds: Int? }
    struct Order: Codable, Sendable { var ids: [Int] }
    struct Keys: Codable, Sendable { var keyIds: [Int] }
    struct KeyStatus: Codable, Sendable {
        var keyIds: [Int]
        var status: KeyState
        var reason: String?
    }
    struct ClientKeyStatus: Codable, Sendable {
        enum Value: String, Codable, CaseIterable {
            case enabled
            case disabled
        }

        var keyIds: [Int]
        var status: Value
    }

    private typealias Types = [String: any (Decodable & Sendable).Type]

    static func answer(_ route: AdminRoute) -> (any Decodable.Type)? { answers[route.name] }

    static func body(_ route: AdminRoute) -> (any Decodable.Type)? { bodies[route.name] }

    /// Bodies that may be left out.
    static let optionalBodies: Set<String> = [
        "POST /keys/{id}/enable", "POST /keys/{id}/disable", "POST /keys/{id}/ban", "POST /keys/{id}/unban",
        "POST /keys/{id}/reset", "POST /keys/{id}/test", "POST /upstreams/{id}/test",
        "POST /master-key/rotate",
    ]

    private static let answers: Types = [
        "GET /upstreams": Page<Upstream>.self, "POST /upstreams": Upstream.self,
        "GET /upstreams/{id}": Upstream.self,
        "PATCH /upstreams/{id}": Upstream.self, "POST /upstreams/{id}/enable": Upstream.self,
        "POST /upstreams/{id}/disable": Upstream.self, "POST /upstreams/{id}/test": ProbeResult.self,
        "GET /keys": Page<UpstreamKey>.self, "POST /keys": UpstreamKey.self,
        "GET /keys/{id}": UpstreamKey.self,
        "PATCH /keys/{id}": UpstreamKey.self, "POST /keys/{id}/enable": UpstreamKey.self,
        "POST /keys/{id}/disable": UpstreamKey.self, "POST /keys/{id}/ban": UpstreamKey.self,
        "POST /keys/{id}/unban": UpstreamKey.self, "POST /keys/{id}/reset": UpstreamKey.self,
        "POST /keys/{id}/test": ProbeResult.self, "GET /client-keys": Page<ClientKey>.self,
        "POST /client-keys": ClientKey.self, "GET /client-keys/{id}": ClientKey.self,
        "PATCH /client-keys/{id}": ClientKey.self, "POST /client-keys/{id}/enable": ClientKey.self,
        "POST /client-keys/{id}/disable": ClientKey.self, "POST /client-keys/{id}/revoke": ClientKey.self,
        "POST /client-keys/{id}/rotate": ClientKey.self, "GET /headers": Page<HeaderRule>.self,
        "POST /headers": HeaderRule.self, "GET /headers/{id}": HeaderRule.self,
        "PATCH /headers/{id}": HeaderRule.self,
        "POST /headers/reorder": Page<HeaderRule>.self, "GET /rules": Page<Rule>.self,
        "POST /rules": Rule.self,
        "GET /rules/{id}": Rule.self, "PATCH /rules/{id}": Rule.self, "POST /rules/reorder": Page<Rule>.self,
        "POST /rules/test": RuleTestResult.self, "POST /rules/reset-defaults": Page<Rule>.self,
        "GET /logs": Page<LogRecord>.self, "GET /logs/{id}": LogDetail.self,
        "GET /exchanges": Page<LiveExchange>.self, "GET /dashboard": Dashboard.self,
        "GET /dashboard/series": Series.self, "GET /dashboard/charts": Charts.self,
        "GET /stats": Page<StatsItem>.self,
        "POST /scripts/test": ScriptTestResult.self, "GET /scripts/examples": Page<ScriptExample>.self,
        "GET /rate-limits": Page<RateLimitStanding>.self,
        "GET /notifications/channels": Page<NotificationChannel>.self,
        "POST /notifications/channels": NotificationChannel.self,
        "GET /notifications/channels/{id}": NotificationChannel.self,
        "PATCH /notifications/channels/{id}": NotificationChannel.self,
        "POST /notifications/channels/{id}/test": NotificationRecord.self,
        "GET /notifications/history": Page<NotificationRecord>.self,
        "POST /notifications/history/{id}/resend": NotificationRecord.self,
        "GET /notifications/templates/{event}": NotificationTemplate.self,
        "PUT /notifications/templates/{event}": NotificationTemplate.self,
        "POST /batch/keys/import-csv": BatchResult.self, "POST /batch/keys/import-json": BatchResult.self,
        "GET /batch/jobs": Page<BatchJob>.self, "GET /batch/jobs/{id}": BatchJob.self,
        "POST /batch/keys/batch-update-status": BatchResult.self,
        "DELETE /batch/keys/batch-delete": BatchResult.self,
        "POST /batch/client-keys/import-csv": ClientKeyImportResult.self,
        "POST /batch/client-keys/import-json": ClientKeyImportResult.self,
        "POST /batch/client-keys/batch-update-status": BatchResult.self,
        "DELETE /batch/client-keys/batch-delete": BatchResult.self, "GET /tasks": Page<ScheduledTask>.self,
        "POST /tasks/{name}/run": ScheduledTask.self, "PATCH /tasks/{name}": ScheduledTask.self,
        "GET /health": Health.self, "GET /status": Status.self, "POST /reload": Reloaded.self,
        "GET /operators": Page<OperatorPresence>.self, "GET /operators/me": Operator.self,
        "GET /operators/me/settings": [String: AnyValue].self,
        "PUT /operators/me/settings": [String: AnyValue].self,
        "GET /operators/audit": Page<OperatorChange>.self,
        "POST /undo/{change_id}": OperatorChange.self, "POST /master-key/rotate": MasterKeyChange.self,
        "POST /logs/purge": PurgeResult.self,
    ]

    private static let bodies: Types = [
        "POST /master-key/rotate": SafekeepingRoutes.NextKey.self,
        "POST /logs/purge": SafekeepingRoutes.Purge.self,
        "POST /upstreams": UpstreamDraft.self, "PATCH /upstreams/{id}": UpstreamChange.self,
        "POST /upstreams/{id}/test": Path.self, "POST /keys": UpstreamKeyDraft.self,
        "PATCH /keys/{id}": UpstreamKeyChange.self, "POST /keys/{id}/enable": Reason.self,
        "POST /keys/{id}/disable": Reason.self, "POST /keys/{id}/ban": Reason.self,
        "POST /keys/{id}/unban": Reason.self, "POST /keys/{id}/reset": Reason.self,
        "POST /keys/{id}/test": Path.self,
        "POST /client-keys": ClientKeyDraft.self, "PATCH /client-keys/{id}": ClientKeyChange.self,
        "POST /client-keys/{id}/rotate": Overlap.self, "POST /headers": HeaderRuleDraft.self,
        "PATCH /headers/{id}": HeaderRuleChange.self, "POST /headers/reorder": Order.self,
        "POST /rules": RuleDraft.self, "PATCH /rules/{id}": RuleChange.self,
        "POST /rules/reorder": Order.self,
        "POST /rules/test": RuleTest.self, "POST /scripts/test": ScriptTest.self,
        "POST /notifications/channels": NotificationChannelDraft.self,
        "PATCH /notifications/channels/{id}": NotificationChannelChange.self,
        "PUT /notifications/templates/{event}": NotificationTemplateChange.self,
        "POST /batch/keys/batch-update-status": KeyStatus.self, "DELETE /batch/keys/batch-delete": Keys.self,
        "POST /batch/client-keys/batch-update-status": ClientKeyStatus.self,
        "DELETE /batch/client-keys/batch-delete": Keys.self, "PATCH /tasks/{name}": ScheduledTaskChange.self,
        "PUT /operators/me/settings": [String: AnyValue].self,
    ]
}

extension AdminRoute {
    /// `GET /keys/{id}`.
    var name: String { "\(method.rawValue) \(path)" }
}

/// Any JSON.
struct AnyValue: Codable, Sendable, SchemaDescribing {
    static let schema: JSONValue = .object([:])
    static let example = AnyValue()

    init() {}
    init(from decoder: any Decoder) throws {}
    func encode(to encoder: any Encoder) throws {}
}

extension StatusRange: SchemaDescribing {
    static var schema: JSONValue {
        .object([
            "anyOf": .array([
                .object(["type": "integer", "minimum": .number(100), "maximum": .number(599)]),
                .object(["type": "string", "pattern": "^([1-5][xX]{2}|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$"]),
            ])
        ])
    }

    static var example: StatusRange { StatusRange(200...200) }
}
