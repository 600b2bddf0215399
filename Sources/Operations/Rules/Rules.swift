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

/// What has to be so; every part that is given must hold: of `header` all entries, of the other lists one.
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

    package init(from decoder: any Decoder) throws {
        try KnownFields.check(decoder, CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        status = try container.decodeList(StatusRange.self, forKey: .status)
        error = try container.decodeList(RuleError.self, forKey: .error)
        header = try container.decodeList(HeaderMatch.self, forKey: .header)
        bodyContains = try container.decodeList(String.self, forKey: .bodyContains)
        bodyRegex = try container.decodeIfPresent(String.self, forKey: .bodyRegex)
        bodyJson = try container.decodeIfPresent(JSONMatch.self, forKey: .bodyJson)
        latencyOverMs = try container.decodeIfPresent(Int.self, forKey: .latencyOverMs)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case status, error, header, bodyContains, bodyRegex, bodyJson, latencyOverMs
    }
}

extension KeyedDecodingContainer {
    /// A list, or its only entry written without brackets.
    fileprivate func decodeList<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> [Value]? {
        do {
            return try decodeIfPresent([Value].self, forKey: key)
        } catch DecodingError.typeMismatch(_, let context)
            where context.codingPath.last?.stringValue == key.stringValue
        {
            return [try decode(Value.self, forKey: key)]
        }
    }
}

/// Refuses members of a JSON object that nobody knows: a mistyped condition would hold for everything.
enum KnownFields {
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
    }

    static func check<Key: CodingKey & CaseIterable>(_ decoder: any Decoder, _ known: Key.Type) throws {
        // Who only wants to know what there is brings nothing unknown.
        guard decoder.userInfo[.describesTypes] == nil else { return }
        let container = try decoder.container(keyedBy: AnyKey.self)
        for key in container.allKeys
        where !known.allCases.contains(where: { $0.stringValue == key.stringValue }) {
            throw DecodingError.dataCorruptedError(
                forKey: key,
                in: container,
                debugDescription: "is not known here"
            )
        }
    }
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

    package init(from decoder: any Decoder) throws {
        try KnownFields.check(decoder, CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        action = try container.decode(Kind.self, forKey: .action)
        seconds = try container.decodeIfPresent(Int.self, forKey: .seconds)
        fromAnswer = try container.decodeIfPresent(Bool.self, forKey: .fromAnswer)
        status = try container.decodeIfPresent(Int.self, forKey: .status)
        body = try container.decodeIfPresent(String.self, forKey: .body)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case action, seconds, fromAnswer, status, body
    }
}

/// What it takes to make a rule.
package struct RuleDraft: Codable, Sendable, Equatable {
    package var upstreamId: Int?
    package var name: String
    package var enabled: Bool?
    /// Where it stands among the others; behind them all when absent.
    package var position: Int?
    package var when: RuleCondition
    package var threshold: RuleThreshold?
    package var then: [RuleAction]

    package init(name: String, when: RuleCondition, then: [RuleAction]) {
        self.name = name
        self.when = when
        self.then = then
    }

    package static let fields = ["upstream_id", "name", "enabled", "position", "when", "threshold", "then"]
}

/// What may change of a rule.
package struct RuleChange: Codable, Sendable, Equatable {
    package var upstreamId: Change<Int> = .keep
    package var name: Change<String> = .keep
    package var enabled: Change<Bool> = .keep
    /// Where it stands among the others from now on.
    package var position: Change<Int> = .keep
    package var when: Change<RuleCondition> = .keep
    package var threshold: Change<RuleThreshold> = .keep
    package var then: Change<[RuleAction]> = .keep

    package init() {}

    package static let fields = RuleDraft.fields
}

/// An answer, real or made up, that rules are tried on.
package struct RuleTest: Codable, Sendable, Equatable {
    /// A logged exchange whose answer is taken; the rest then need not be given.
    package var logId: Int?
    package var upstreamId: Int?
    package var status: Int?
    package var error: RuleError?
    package var headers: [String: String]?
    package var body: String?
    package var latencyMs: Int?
    package var model: String?

    package init() {}

    package static let fields = [
        "log_id", "upstream_id", "status", "error", "headers", "body", "latency_ms", "model",
    ]
}

/// What the rules make of an answer; nothing is done.
package struct RuleTestResult: Codable, Sendable {
    package struct Step: Codable, Sendable {
        package var ruleId: Int
        package var name: String
        package var fits: Bool
        /// Whether this is the one that acts.
        package var acts: Bool
        /// Why it does not fit, or what it waits for.
        @ShownNull package var why: String?

        package init(ruleId: Int, name: String, fits: Bool, acts: Bool, why: String?) {
            self.ruleId = ruleId
            self.name = name
            self.fits = fits
            self.acts = acts
            _why = ShownNull(wrappedValue: why)
        }
    }

    /// The rule that acts, nil when none does.
    @ShownNull package var ruleId: Int?
    package var actions: [RuleAction]
    /// `the key rests for 7 s, the request goes to the next key`.
    package var effect: String
    package var rules: [Step]

    package init(ruleId: Int?, actions: [RuleAction], effect: String, rules: [Step]) {
        self.actions = actions
        self.effect = effect
        self.rules = rules
        _ruleId = ShownNull(wrappedValue: ruleId)
    }
}

/// Rules on what answers mean.
package protocol RuleOperations: Sendable {
    func rules(by user: Operator) async throws -> Page<Rule>
    func rule(_ id: Int, by user: Operator) async throws -> Rule
    func createRule(_ draft: RuleDraft, by user: Operator) async throws -> Rule
    func changeRule(_ id: Int, _ change: RuleChange, ifVersion: Int?, by user: Operator) async throws -> Rule
    func deleteRule(_ id: Int, ifVersion: Int?, by user: Operator) async throws
    /// All of them, in the order in which they are to be tried.
    func reorderRules(_ ids: [Int], by user: Operator) async throws -> Page<Rule>
    func testRules(_ test: RuleTest, by user: Operator) async throws -> RuleTestResult
    /// Brings the default rules back and removes all others that speak of every upstream.
    func resetRules(by user: Operator) async throws -> Page<Rule>
}

/// How the next key of a pool is found.
package enum KeyStrategy: String, Codable, Sendable, CaseIterable {
    case roundRobin = "round_robin"
    case weighted
    case leastUsed = "least_used"
    case random
    case priority
}
