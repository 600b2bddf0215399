/// How much something matters to whoever is told of it.
package enum NotificationSeverity: String, Codable, Sendable, CaseIterable, Comparable {
    case info
    case warning
    case critical

    private var rank: Int {
        switch self {
        case .info: 0
        case .warning: 1
        case .critical: 2
        }
    }

    package static func < (left: NotificationSeverity, right: NotificationSeverity) -> Bool {
        left.rank < right.rank
    }
}

/// What operators can be told of without looking.
package enum NotificationEvent: String, Codable, Sendable, CaseIterable {
    case keyDisabled = "key_disabled"
    case keyBanned = "key_banned"
    case keyRecovered = "key_recovered"
    case quotaExceeded = "quota_exceeded"
    case rateLimitExceeded = "rate_limit_exceeded"
    case upstreamDown = "upstream_down"
    case upstreamRecovered = "upstream_recovered"
    case poolExhausted = "pool_exhausted"
    case auditDegraded = "audit_degraded"
    case scriptFailing = "script_failing"
    /// A rule whose actions say `notify`.
    case ruleMatched = "rule_matched"
    /// An operator tries a channel.
    case test

    package var severity: NotificationSeverity {
        switch self {
        case .keyRecovered, .upstreamRecovered, .test: .info
        case .keyDisabled, .quotaExceeded, .rateLimitExceeded, .scriptFailing, .ruleMatched: .warning
        case .keyBanned, .upstreamDown, .poolExhausted, .auditDegraded: .critical
        }
    }

    /// Those that a channel can be set to.
    package static let choosable = allCases.filter { $0 != .test }

    /// The fields of its data, which a template may name; those of every event come with them.
    package var fields: [String] {
        switch self {
        case .keyDisabled, .keyBanned, .keyRecovered: Self.keyFields
        case .quotaExceeded:
            ["scope", "key_id", "key_name", "upstream_id", "upstream_name", "reason", "limit", "resets_at"]
        case .rateLimitExceeded:
            ["scope", "window", "key_id", "key_name", "upstream_name", "reason", "limit"]
        case .upstreamDown, .upstreamRecovered, .poolExhausted: ["upstream_id", "upstream_name", "reason"]
        case .auditDegraded: ["reason"]
        case .scriptFailing: ["header_id", "header_name", "upstream_id", "upstream_name", "reason"]
        case .ruleMatched: Self.keyFields + ["rule_id", "rule_name"]
        case .test: ["operator", "channel", "reason"]
        }
    }

    private static let keyFields = ["key_id", "key_name", "upstream_id", "upstream_name", "state", "reason"]

    /// What every event has besides its own.
    package static let commonFields = ["event", "title", "severity", "subject", "time", "count", "gateway"]

    /// Data that a preview and a test show.
    package var example: [String: String] {
        let all = [
            "scope": "client_key", "window": "minute", "key_id": "123", "key_name": "Key 1",
            "upstream_id": "1",
            "upstream_name": "OpenAI", "state": "disabled", "reason": "the quota is used up", "limit": "60",
            "resets_at": "2025-11-03 00:00:00", "header_id": "4", "header_name": "X-Signature",
            "rule_id": "7",
            "rule_name": "quota words", "operator": "alice", "channel": "ops",
        ]
        return all.filter { fields.contains($0.key) }
    }

    /// What it is about, of its data: `OpenAI/Key 1`.
    package func subject(_ data: [String: String]) -> String {
        let parts =
            switch self {
            case .auditDegraded: ["audit"]
            case .test: [data["channel"]]
            case .scriptFailing: [data["upstream_name"], data["header_name"]]
            case .upstreamDown, .upstreamRecovered, .poolExhausted: [data["upstream_name"]]
            case .keyDisabled, .keyBanned, .keyRecovered, .ruleMatched, .quotaExceeded, .rateLimitExceeded:
                [data["upstream_name"], data["key_name"]]
            }
        return parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "/")
    }
}

/// One try to hand a message over.
package struct NotificationTry: Codable, Sendable, Equatable {
    package var time: Timestamp
    package var succeeded: Bool
    /// What the other side has said, or why it could not be asked.
    package var detail: String
    package var durationMs: Int

    package init(time: Timestamp, succeeded: Bool, detail: String, durationMs: Int) {
        self.time = time
        self.succeeded = succeeded
        self.detail = detail
        self.durationMs = durationMs
    }
}

/// What has become of an event on one channel.
package struct NotificationRecord: Codable, Sendable, Equatable {
    package enum Status: String, Codable, Sendable, CaseIterable {
        /// Waits for its turn, for quiet hours to end, or to be tried again.
        case pending
        case sent
        /// Given up: a dead letter, which an operator can send again.
        case dead
        /// Left out because too many waited.
        case dropped
        /// No channel wanted it.
        case unrouted
    }

    package var id: Int
    /// When it happened first.
    package var time: Timestamp
    package var event: NotificationEvent
    package var severity: NotificationSeverity
    /// What it is about, as `miniai/key-3`.
    package var subject: String
    package var data: [String: String]
    @ShownNull package var channelId: Int?
    @ShownNull package var channel: String?
    package var status: Status
    /// Why it stands as it does: the last failure, or what it waits for.
    @ShownNull package var reason: String?
    /// How often it came: those that follow within the channel's `dedupe` are counted here and not sent.
    package var count: Int
    package var lastTime: Timestamp
    /// How many events the message told of that told of this one.
    package var digest: Int
    @ShownNull package var sentAt: Timestamp?
    /// When it is tried next.
    @ShownNull package var dueAt: Timestamp?
    /// The last ones, oldest first; those of a digest are those of each of its events.
    package var tries: [NotificationTry]
    /// All there were.
    package var triesCount: Int

    package static let shownTries = 20

    package init(id: Int, time: Timestamp, event: NotificationEvent, subject: String, data: [String: String])
    {
        self.id = id
        self.time = time
        self.event = event
        self.severity = event.severity
        self.subject = subject
        self.data = data
        status = .pending
        count = 1
        lastTime = time
        digest = 1
        tries = []
        triesCount = 0
        _channelId = ShownNull(wrappedValue: nil)
        _channel = ShownNull(wrappedValue: nil)
        _reason = ShownNull(wrappedValue: nil)
        _sentAt = ShownNull(wrappedValue: nil)
        _dueAt = ShownNull(wrappedValue: nil)
    }
}

/// Which part of the history is wanted.
package struct NotificationQuery: Sendable, Equatable {
    package var channel: Int?
    package var event: NotificationEvent?
    package var status: NotificationRecord.Status?
    package var limit = 100
    package var cursor: String?

    package init() {}
}
