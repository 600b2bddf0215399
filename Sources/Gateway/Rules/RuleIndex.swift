import Operations

/// Finds the rules that an outcome may fit without looking at each of them.
///
/// A rule stands under the rarest thing that it cannot do without: a text in the body, a value in its JSON, a header.
/// Only those that ask for nothing of the kind are looked at each time, and they by status and error.
struct RuleIndex: Sendable {
    /// By status from 100.
    private var byStatus: [[Int]] = Array(repeating: [], count: 500)
    private var byError: [RuleError: [Int]] = [:]
    /// By the number of a text or an expression.
    private var byPattern: [[Int]]
    private var byHeader: [String: [Int]] = [:]
    private var byValue = JSONValueTree()

    /// Statuses whose answers any rule is about, and those of which one reads the body, or looks for patterns in it.
    private(set) var concerned = StatusSet()
    private(set) var bodyWanted = StatusSet()
    private(set) var patternsWanted = StatusSet()

    init(_ entries: [CompiledRules.Entry], patternCount: Int) {
        byPattern = Array(repeating: [], count: patternCount)
        for (index, entry) in entries.enumerated() {
            place(index, entry)
            let condition = entry.rule.when
            for status in StatusSet.all where Self.concerns(condition, status: status) {
                concerned.insert(status)
                if condition.readsBody { bodyWanted.insert(status) }
                if !entry.texts.isEmpty || entry.expression != nil { patternsWanted.insert(status) }
            }
        }
    }

    private mutating func place(_ index: Int, _ entry: CompiledRules.Entry) {
        let condition = entry.rule.when
        if !entry.texts.isEmpty {
            for text in entry.texts { byPattern[text].append(index) }
        } else if let expression = entry.expression {
            byPattern[expression].append(index)
        } else if let value = condition.bodyJson {
            byValue.add(value, rule: index)
        } else if let header = entry.headers.first {
            byHeader[header.name, default: []].append(index)
        } else {
            for status in StatusSet.all where Self.concerns(condition, status: status) {
                byStatus[status - 100].append(index)
            }
            for error in RuleError.allCases
            where condition.error?.contains(error) ?? (condition.status == nil) {
                byError[error, default: []].append(index)
            }
        }
    }

    private static func concerns(_ condition: RuleCondition, status: Int) -> Bool {
        guard let ranges = condition.status else { return condition.error == nil }
        return ranges.contains { $0.range.contains(status) }
    }

    /// Rules that may fit, in their order; all others do not.
    func candidates(_ outcome: AttemptOutcome, _ hits: PatternSet.Hits) -> [Int] {
        var found = outcome.status.map { StatusSet.all.contains($0) ? byStatus[$0 - 100] : [] } ?? []
        let first = found.count
        if let error = outcome.error { found += byError[error] ?? [] }
        for pattern in hits.numbers { found += byPattern[pattern] }
        if !byHeader.isEmpty {
            for header in outcome.headers { found += byHeader[header.name] ?? [] }
        }
        if !byValue.isEmpty { outcome.body.withUnsafeBytes { byValue.find(in: $0, &found) } }
        guard found.count > first, found.count > 1 else { return found }
        found.sort()
        var last = -1
        found.removeAll { index in
            defer { last = index }
            return index == last
        }
        return found
    }
}

/// A set of statuses of answers.
struct StatusSet: Sendable {
    static let all = 100..<600

    private var members = [Bool](repeating: false, count: all.count)

    mutating func insert(_ status: Int) {
        members[status - Self.all.lowerBound] = true
    }

    func contains(_ status: Int) -> Bool {
        Self.all.contains(status) && members[status - Self.all.lowerBound]
    }
}

/// Values deep in a JSON body that rules ask for, all found in one walk.
struct JSONValueTree: Sendable {
    private struct Node {
        var children: [String: Int] = [:]
        /// Rules by the value that they ask for here.
        var rules: [String: [Int]] = [:]
    }

    private var nodes = [Node()]
    private var longest = 0

    var isEmpty: Bool { nodes.count == 1 && nodes[0].rules.isEmpty }

    mutating func add(_ match: JSONMatch, rule: Int) {
        var place = 0
        for name in match.path.split(separator: ".") {
            if let child = nodes[place].children[String(name)] {
                place = child
            } else {
                nodes.append(Node())
                nodes[place].children[String(name)] = nodes.count - 1
                place = nodes.count - 1
            }
        }
        nodes[place].rules[match.equals, default: []].append(rule)
        longest = max(longest, match.equals.utf8.count)
    }

    /// Adds the rules whose value is there, and may add some whose value stands behind another of its name.
    func find(in body: UnsafeRawBufferPointer, _ found: inout [Int]) {
        walk(0, body, &found)
    }

    private func walk(_ place: Int, _ bytes: UnsafeRawBufferPointer, _ found: inout [Int]) {
        let node = nodes[place]
        if !node.rules.isEmpty, bytes.count <= longest + 2 {
            found += node.rules[JSONPath.plainText(bytes)] ?? []
        }
        guard !node.children.isEmpty else { return }
        var walker = JSONWalker(bytes)
        while let member = walker.next() {
            guard let child = node.children[String(decoding: bytes[member.key], as: UTF8.self)] else {
                continue
            }
            walk(child, UnsafeRawBufferPointer(rebasing: bytes[member.value]), &found)
        }
    }
}
