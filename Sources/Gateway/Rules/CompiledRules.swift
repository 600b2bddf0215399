import Operations

/// A set of rules, ready to be asked: what could be worked out beforehand is.
///
/// A rule is found by the status or the error first, so that rules on other answers cost nothing.
final class CompiledRules: Sendable {
    /// Why a rule does not apply to an outcome, in words.
    struct Mismatch: Error, Equatable {
        let reason: String
    }

    struct Entry: Sendable {
        let rule: Rule
        /// Numbers of its patterns in the set: any of the texts, and the expression.
        let texts: [Int]
        let expression: Int?
    }

    static let empty = CompiledRules()

    let entries: [Entry]
    private let patterns: PatternSet
    /// Rules by status from 100, and those that name an error.
    private let byStatus: [[Int]]
    private let byError: [RuleError: [Int]]

    private init() {
        entries = []
        patterns = PatternSet()
        byStatus = []
        byError = [:]
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
            entries.append(Entry(rule: rule, texts: texts, expression: expression))
        }
        try patterns.compile()
        self.patterns = patterns
        self.entries = entries
        byStatus = (100..<600).map { status in
            entries.indices.filter { Self.concerns(entries[$0].rule.when, status: status) }
        }
        byError = Dictionary(
            uniqueKeysWithValues: RuleError.allCases.map { error in
                (error, entries.indices.filter { Self.concerns(entries[$0].rule.when, error: error) })
            }
        )
    }

    private static func concerns(_ condition: RuleCondition, status: Int) -> Bool {
        if let ranges = condition.status { return ranges.contains { $0.range.contains(status) } }
        return condition.error == nil
    }

    private static func concerns(_ condition: RuleCondition, error: RuleError) -> Bool {
        if let errors = condition.error { return errors.contains(error) }
        // What asks about an answer has nothing to say where there is none.
        return condition.status == nil && condition.header == nil && condition.bodyContains == nil
            && condition.bodyRegex == nil && condition.bodyJson == nil
    }

    // MARK: Asking

    /// Whether any rule may apply to an answer of this status.
    func concern(status: Int) -> Bool {
        byStatus.indices.contains(status - 100) && !byStatus[status - 100].isEmpty
    }

    /// Whether a rule wants to see the beginning of the body of such an answer.
    func wantBody(status: Int) -> Bool {
        guard byStatus.indices.contains(status - 100) else { return false }
        return byStatus[status - 100].contains { entries[$0].rule.when.readsBody }
    }

    /// The first rule that applies.
    ///
    /// `reached`: told of a rule that applies and has a threshold; says whether this time makes it full.
    func first(_ outcome: AttemptOutcome, reached: (Rule) -> Bool) -> Rule? {
        // An answer that broke off has both.
        var candidates = outcome.error.flatMap { byError[$0] } ?? []
        if let status = outcome.status, byStatus.indices.contains(status - 100) {
            let byStatus = byStatus[status - 100]
            candidates = candidates.isEmpty ? byStatus : Set(candidates + byStatus).sorted()
        }
        var found: Set<Int>?
        for index in candidates {
            let entry = entries[index]
            if entry.rule.when.readsBody, found == nil { found = patterns.occurring(in: outcome.body) }
            guard Self.mismatch(entry, outcome, found ?? []) == nil else { continue }
            if entry.rule.threshold == nil || reached(entry.rule) { return entry.rule }
        }
        return nil
    }

    /// For each rule why it does not apply, nil where it does; thresholds are not asked.
    func explain(_ outcome: AttemptOutcome) -> [(rule: Rule, mismatch: Mismatch?)] {
        let found = patterns.occurring(in: outcome.body)
        return entries.map { ($0.rule, Self.mismatch($0, outcome, found)) }
    }

    private static func mismatch(_ entry: Entry, _ outcome: AttemptOutcome, _ found: Set<Int>) -> Mismatch? {
        let condition = entry.rule.when
        if let ranges = condition.status {
            guard let status = outcome.status else { return Mismatch(reason: "there is no answer") }
            guard ranges.contains(where: { $0.range.contains(status) }) else {
                let wanted = ranges.map(\.text).joined(separator: ", ")
                return Mismatch(reason: "status \(status) is not \(wanted)")
            }
        }
        if let errors = condition.error {
            guard let error = outcome.error, errors.contains(error) else {
                let wanted = errors.map(\.rawValue).joined(separator: ", ")
                return Mismatch(reason: "the error is \(outcome.error?.rawValue ?? "none"), not \(wanted)")
            }
        }
        if let least = condition.latencyOverMs, outcome.latencyMilliseconds <= least {
            return Mismatch(reason: "\(outcome.latencyMilliseconds) ms are not over \(least)")
        }
        for header in condition.header ?? [] {
            if let mismatch = mismatch(header, outcome) { return mismatch }
        }
        if !entry.texts.isEmpty, !entry.texts.contains(where: found.contains) {
            return Mismatch(reason: "the body contains none of its texts")
        }
        if let expression = entry.expression, !found.contains(expression) {
            return Mismatch(reason: "the body does not match \(condition.bodyRegex ?? "")")
        }
        if let wanted = condition.bodyJson {
            let value = outcome.body.withUnsafeBytes { JSONPath.text(wanted.path, in: $0) }
            guard value == wanted.equals else {
                return Mismatch(reason: "\(wanted.path) is \(value ?? "not there"), not \(wanted.equals)")
            }
        }
        return nil
    }

    private static func mismatch(_ match: HeaderMatch, _ outcome: AttemptOutcome) -> Mismatch? {
        guard let value = outcome.header(match.name.lowercased()) else {
            return Mismatch(reason: "there is no header \(match.name)")
        }
        if let wanted = match.equals, value != wanted {
            return Mismatch(reason: "\(match.name) is \(value), not \(wanted)")
        }
        if let wanted = match.contains, !value.lowercased().contains(wanted.lowercased()) {
            return Mismatch(reason: "\(match.name) is \(value), without \(wanted)")
        }
        return nil
    }
}

extension RuleCondition {
    var readsBody: Bool { bodyContains != nil || bodyRegex != nil || bodyJson != nil }
}

/// What a rule must be, beyond its types.
enum RuleChecks {
    static let countLimit = 1000
    private static let textLimit = 4096

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
