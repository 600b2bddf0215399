import Operations

/// A set of rules, ready to be asked: what could be worked out beforehand is.
final class CompiledRules: Sendable {
    struct Entry: Sendable {
        let rule: Rule
        /// Numbers of its patterns in the set: any of the texts, and the expression.
        let texts: [Int]
        let expression: Int?
        /// With names, and what is looked for, in lower case.
        let headers: [HeaderMatch]
    }

    static let empty = CompiledRules()

    let entries: [Entry]
    private let patterns: PatternSet
    private let index: RuleIndex

    private init() {
        entries = []
        patterns = PatternSet()
        index = RuleIndex([], patternCount: 0)
    }

    /// `rules` stand in the order in which they are tried; those that are off are left out.
    ///
    /// - Throws: `OperationsError` that names the field of the first fault.
    init(_ rules: [Rule]) throws(OperationsError) {
        let patterns = PatternSet()
        var entries: [Entry] = []
        for rule in rules where rule.enabled {
            try RuleChecks.check(rule)
            var texts: [Int] = []
            for text in rule.when.bodyContains ?? [] {
                texts.append(try patterns.add(text, isLiteral: true, parameter: "when.body_contains"))
            }
            var expression: Int?
            if let regex = rule.when.bodyRegex {
                expression = try patterns.add(regex, isLiteral: false, parameter: "when.body_regex")
            }
            let headers = (rule.when.header ?? []).map {
                HeaderMatch(
                    name: $0.name.lowercased(),
                    equals: $0.equals,
                    contains: $0.contains?.lowercased()
                )
            }
            entries.append(Entry(rule: rule, texts: texts, expression: expression, headers: headers))
        }
        try patterns.compile()
        self.patterns = patterns
        self.entries = entries
        index = RuleIndex(entries, patternCount: patterns.count)
    }

    // MARK: Asking

    /// Whether any rule may apply to an answer of this status.
    func concern(status: Int) -> Bool { index.concerned.contains(status) }

    /// Whether a rule wants to see the beginning of the body of such an answer.
    func wantBody(status: Int) -> Bool { index.bodyWanted.contains(status) }

    /// The first rule that applies.
    ///
    /// `reached`: told of a rule that applies and has a threshold; says whether this time makes it full.
    func first(_ outcome: AttemptOutcome, reached: (Rule) -> Bool) -> Rule? {
        // Rules on errors may look into what has come before one.
        let isWanted = outcome.error != nil || outcome.status.map(index.patternsWanted.contains) ?? true
        let hits = isWanted ? patterns.occurring(in: outcome.body) : .none
        for place in index.candidates(outcome, hits) where mismatch(place, outcome, hits) == nil {
            let rule = entries[place].rule
            if rule.threshold == nil || reached(rule) { return rule }
        }
        return nil
    }

    /// For each rule why it does not apply, nil where it does; thresholds are not asked.
    func explain(_ outcome: AttemptOutcome) -> [(rule: Rule, mismatch: String?)] {
        let hits = patterns.occurring(in: outcome.body)
        return entries.indices.map { place in
            let rule = entries[place].rule
            return (rule, mismatch(place, outcome, hits)?.words(rule.when, outcome))
        }
    }

    private func mismatch(
        _ place: Int,
        _ outcome: AttemptOutcome,
        _ hits: PatternSet.Hits
    ) -> RuleMismatch? {
        let entry = entries[place]
        let condition = entry.rule.when
        if let ranges = condition.status {
            guard let status = outcome.status else { return .noAnswer }
            guard ranges.contains(where: { $0.range.contains(status) }) else { return .status(status) }
        }
        if let errors = condition.error {
            guard let error = outcome.error, errors.contains(error) else { return .error }
        }
        if let least = condition.latencyOverMs, outcome.latencyMilliseconds <= least { return .latency }
        for header in entry.headers {
            guard let value = outcome.header(header.name) else { return .headerMissing(header) }
            let isEqual = header.equals.map { $0 == value } ?? true
            let isInside = header.contains.map { value.lowercased().contains($0) } ?? true
            if !isEqual || !isInside { return .header(header, value) }
        }
        if !entry.texts.isEmpty, !entry.texts.contains(where: hits.contains) { return .texts }
        if let expression = entry.expression, !hits.contains(expression) { return .expression }
        if let wanted = condition.bodyJson {
            let value = outcome.body.withUnsafeBytes { JSONPath.text(wanted.path, in: $0) }
            if value.map({ $0.utf8.elementsEqual(wanted.equals.utf8) }) != true { return .value(value) }
        }
        return nil
    }
}

/// Why a rule does not apply to an outcome; put into words only for those who read them.
enum RuleMismatch {
    case noAnswer
    case status(Int)
    case error
    case latency
    case headerMissing(HeaderMatch)
    case header(HeaderMatch, String)
    case texts
    case expression
    /// What stands where another value is asked for, nil for nothing.
    case value(String?)

    func words(_ condition: RuleCondition, _ outcome: AttemptOutcome) -> String {
        switch self {
        case .noAnswer: return "there is no answer"
        case .status(let status):
            return "status \(status) is not \((condition.status ?? []).map(\.text).joined(separator: ", "))"
        case .error:
            let wanted = (condition.error ?? []).map(\.rawValue).joined(separator: ", ")
            return "the error is \(outcome.error?.rawValue ?? "none"), not \(wanted)"
        case .latency:
            return "\(outcome.latencyMilliseconds) ms are not over \(condition.latencyOverMs ?? 0) ms"
        case .headerMissing(let wanted): return "there is no header \(wanted.name)"
        case .header(let wanted, let value):
            let difference = wanted.equals.map { ", not \($0)" } ?? ", without \(wanted.contains ?? "")"
            return "\(wanted.name) is \(value)" + difference
        case .texts: return "the body contains none of its texts"
        case .expression: return "the body does not match \(condition.bodyRegex ?? "")"
        case .value(let value):
            let wanted = condition.bodyJson
            return "\(wanted?.path ?? "") is \(value ?? "not there"), not \(wanted?.equals ?? "")"
        }
    }
}

extension RuleCondition {
    var readsBody: Bool { bodyContains != nil || bodyRegex != nil || bodyJson != nil }
}

/// What a rule must be, beyond its types.
enum RuleChecks {
    static let countLimit = 1000
    private static let textLimit = 4096

    /// What one that is made or changed must be besides; those that are there already are served as they are.
    static func checkNew(_ rule: Rule) throws(OperationsError) {
        try check(rule)
        func refuse(_ message: String, _ field: String) throws(OperationsError) {
            throw OperationsError(.invalid, message, parameter: field)
        }
        let kinds = rule.then.map(\.action)
        if let twice = kinds.first(where: { kind in kinds.count { $0 == kind } > 1 }) {
            return try refuse("names \(twice.rawValue) twice", "then")
        }
        let onKey = kinds.filter(\.isOnKey)
        if onKey.count > 1 {
            let names = onKey.map(\.rawValue).joined(separator: " and ")
            return try refuse("\(names): only one of them can become of the key", "then")
        }
        for action in rule.then {
            let isCooling = action.action.isOnKey && action.action != .disableKey && action.action != .banKey
            if !isCooling, action.seconds != nil || action.fromAnswer != nil {
                return try refuse("\(action.action.rawValue) has no length", "then")
            }
            if action.action != .respond, action.status != nil || action.body != nil {
                return try refuse("\(action.action.rawValue) has no status and no body", "then")
            }
        }
        let lists = [rule.when.status?.isEmpty, rule.when.error?.isEmpty, rule.when.header?.isEmpty]
        if lists.contains(true) || rule.when.bodyContains?.isEmpty == true {
            return try refuse("has an empty list, which nothing fits; leave it out", "when")
        }
        if let latency = rule.when.latencyOverMs, !(0...86_400_000).contains(latency) {
            return try refuse("must be from 0 to 86400000", "when.latency_over_ms")
        }
        if let path = rule.when.bodyJson?.path,
            path.isEmpty || "\(path).".contains("..") || path.hasPrefix(".")
        {
            return try refuse("\(path) is no path such as error.code", "when.body_json")
        }
    }

    static func check(_ rule: Rule) throws(OperationsError) {
        func refuse(_ message: String, _ field: String) throws(OperationsError) {
            throw OperationsError(.invalid, message, parameter: field)
        }
        guard !rule.name.isEmpty, rule.name.utf8.count <= 200 else {
            return try refuse("must have 1 to 200 bytes", "name")
        }
        guard !rule.then.isEmpty else { return try refuse("names no action", "then") }
        let patterns = (rule.when.bodyContains ?? []) + [rule.when.bodyRegex].compactMap { $0 }
        guard patterns.allSatisfy({ !$0.isEmpty && $0.utf8.count <= textLimit }) else {
            return try refuse("texts and patterns must have 1 to \(textLimit) bytes", "when")
        }
        if let threshold = rule.threshold {
            guard (1...countLimit).contains(threshold.count), (1...86_400).contains(threshold.seconds) else {
                return try refuse("must be 1 to \(countLimit) times within 1 to 86400 seconds", "threshold")
            }
        }
        for action in rule.then {
            if let seconds = action.seconds, !(1...2_592_000).contains(seconds) {
                return try refuse("seconds must be between 1 and 2592000", "then")
            }
            if action.action == .respond {
                guard let status = action.status, (200...599).contains(status) else {
                    return try refuse("respond needs a status between 200 and 599", "then")
                }
                guard action.body?.utf8.count ?? 0 <= 65_536 else {
                    return try refuse("the body of respond has more than 65536 bytes", "then")
                }
            }
        }
        let kinds = rule.then.map(\.action)
        if kinds.contains(.retryNextKey), kinds.contains(.retrySameKey) {
            return try refuse(
                "a request is repeated with the next key or with the same one, not both",
                "then"
            )
        }
        if kinds.contains(.respond), kinds.contains(where: { $0 == .retryNextKey || $0 == .retrySameKey }) {
            return try refuse("a request is answered or repeated, not both", "then")
        }
    }
}

extension RuleAction.Kind {
    /// Whether it says what becomes of the key, or of the upstream with it.
    fileprivate var isOnKey: Bool {
        switch self {
        case .cooldownKey, .cooldownModel, .cooldownUpstream, .disableKey, .banKey, .exhaustKey: true
        case .retryNextKey, .retrySameKey, .respond, .notify: false
        }
    }
}
