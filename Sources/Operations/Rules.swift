/// A rule on what came of an attempt: when it applies, and what it then does.
package struct Rule: Codable, Sendable, Equatable {
    package var id: Int
    /// nil for all upstreams.
    @ShownNull package var upstreamId: Int?
    package var name: String
    /// From 1; of rules that apply the first one acts.
    package var position: Int
    package var enabled: Bool
    package var when: RuleCondition
    @ShownNull package var threshold: RuleThreshold?
    package var then: [RuleAction]
    package var hits: Int
    @ShownNull package var lastHitAt: Timestamp?
    package var version: Int

    package init(id: Int, name: String, when: RuleCondition, then: [RuleAction]) {
        self.id = id
        self.name = name
        self.when = when
        self.then = then
        position = id
        enabled = true
        hits = 0
        version = 1
    }
}

/// What has to be so; every part that is given must hold, and of each list one entry.
package struct RuleCondition: Codable, Sendable, Equatable {
    package var status: [StatusRange]?
    package var error: [RuleError]?
    package var header: [HeaderMatch]?
    /// Any of these texts, whatever their case.
    package var bodyContains: [String]?
    /// RE2.
    package var bodyRegex: String?
    package var bodyJson: JSONMatch?
    /// From the attempt's begin to its first byte, or its failure.
    package var latencyOverMs: Int?

    package init() {}

    package static let fields = [
        "status", "error", "header", "body_contains", "body_regex", "body_json", "latency_over_ms",
    ]
}

/// How an attempt failed that brought no whole answer.
package enum RuleError: String, Codable, Sendable, CaseIterable {
    /// No connection was made; nothing was sent.
    case connect
    case tls
    /// No first byte, or none any more.
    case timeout
    case reset
    case truncated
    /// The answer was not valid HTTP.
    case invalid = "protocol"
}

/// A status `429`, a range `500-503` or a class `5xx`.
package struct StatusRange: Sendable, Equatable {
    package let range: ClosedRange<Int>

    package init(_ range: ClosedRange<Int>) {
        self.range = range
    }

    package init?(text: String) {
        let known = 100...599
        if text.count == 3, text.lowercased().hasSuffix("xx"), let digit = text.first?.wholeNumberValue,
            (1...5).contains(digit)
        {
            range = digit * 100...digit * 100 + 99
            return
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard let lower = ends.first ?? nil, let upper = ends.last ?? nil, ends.count <= 2, lower <= upper,
            known.contains(lower), known.contains(upper)
        else { return nil }
        range = lower...upper
    }

    package var text: String {
        if range.count == 1 { return "\(range.lowerBound)" }
        if range.count == 100, range.lowerBound % 100 == 0 { return "\(range.lowerBound / 100)xx" }
        return "\(range.lowerBound)-\(range.upperBound)"
    }
}

extension StatusRange: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // A lone status may be written as a number.
        let text = try (try? container.decode(Int.self)).map(String.init) ?? container.decode(String.self)
        guard let range = StatusRange(text: text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "must be a status such as 429, a range 500-503 or a class 5xx"
            )
        }
        self = range
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if range.count == 1 {
            try container.encode(range.lowerBound)
        } else {
            try container.encode(text)
        }
    }
}

/// A header of the answer that is there, or whose value is so.
package struct HeaderMatch: Codable, Sendable, Equatable {
    package var name: String
    package var equals: String?
    package var contains: String?

    package init(name: String, equals: String? = nil, contains: String? = nil) {
        self.name = name
        self.equals = equals
        self.contains = contains
    }
}

/// A value in a JSON body: `error.code` equals `insufficient_quota`.
package struct JSONMatch: Codable, Sendable, Equatable {
    /// Names of members, from the outside in.
    package var path: String
    package var equals: String

    package init(path: String, equals: String) {
        self.path = path
        self.equals = equals
    }
}

/// So many times within so long, counted for each key.
package struct RuleThreshold: Codable, Sendable, Equatable {
    package var count: Int
    package var seconds: Int

    package init(count: Int, seconds: Int) {
        self.count = count
        self.seconds = seconds
    }
}

/// One thing that a rule does.
package struct RuleAction: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case cooldownKey = "cooldown_key"
        case cooldownModel = "cooldown_model"
        case cooldownUpstream = "cooldown_upstream"
        case disableKey = "disable_key"
        case banKey = "ban_key"
        case exhaustKey = "exhaust_key"
        case retryNextKey = "retry_next_key"
        case retrySameKey = "retry_same_key"
        case respond
        case notify
    }

    package var action: Kind
    /// Of cooldowns: how long, where the answer does not say.
    package var seconds: Int?
    /// Of cooldowns and `exhaust_key`: whether a time that the answer tells goes before; true when absent.
    package var fromAnswer: Bool?
    /// Of `respond`.
    package var status: Int?
    package var body: String?

    package init(_ action: Kind, seconds: Int? = nil) {
        self.action = action
        self.seconds = seconds
    }
}

/// How the next key of a pool is found.
package enum KeyStrategy: String, Codable, Sendable, CaseIterable {
    case roundRobin = "round_robin"
    case weighted
    case leastUsed = "least_used"
    case random
    case priority
}
