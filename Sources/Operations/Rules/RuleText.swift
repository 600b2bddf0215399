/// A rule as a person writes it, for CLI and console.
///
///     status 429 and body contains "insufficient_quota", "billing" then exhaust_key, retry_next_key
///
/// Conditions are joined by `and`; a threshold is one of them: `3 times in 60s`. A text with a space, a comma or a
/// quote stands in quotes. `always` is the condition that always holds.
package struct RuleText: Sendable, Equatable {
    package var when = RuleCondition()
    package var threshold: RuleThreshold?
    package var then: [RuleAction] = []

    package init(when: RuleCondition, threshold: RuleThreshold?, then: [RuleAction]) {
        self.when = when
        self.threshold = threshold
        self.then = then
    }

    package init(_ rule: Rule) {
        self.init(when: rule.when, threshold: rule.threshold, then: rule.then)
    }

    /// - Throws: `RuleTextError` with the place of the first fault.
    package init(parsing text: String) throws(RuleTextError) {
        var parser = RuleParser(text)
        self = try parser.rule()
    }

    package var text: String { conditionText + " then " + actionText }

    package var conditionText: String {
        var parts: [String] = []
        if let ranges = when.status { parts.append("status " + ranges.map(\.text).joined(separator: ", ")) }
        if let errors = when.error { parts.append("error " + errors.map(\.rawValue).joined(separator: ", ")) }
        for header in when.header ?? [] {
            let value = header.equals.map { " = \(Self.quoted($0))" } ?? ""
            let part = header.contains.map { " contains \(Self.quoted($0))" } ?? ""
            // A match may ask for both; they are two conditions then.
            if !value.isEmpty || part.isEmpty { parts.append("header \(Self.quoted(header.name))\(value)") }
            if !part.isEmpty { parts.append("header \(Self.quoted(header.name))\(part)") }
        }
        if let texts = when.bodyContains {
            parts.append("body contains " + texts.map { Self.quoted($0) }.joined(separator: ", "))
        }
        if let regex = when.bodyRegex { parts.append("body ~ \(Self.quoted(regex))") }
        if let json = when.bodyJson {
            parts.append("json \(Self.quoted(json.path)) = \(Self.quoted(json.equals))")
        }
        if let latency = when.latencyOverMs {
            parts.append("latency > \(Duration.milliseconds(latency).text)")
        }
        if let threshold {
            parts.append("\(threshold.count) times in \(Duration.seconds(threshold.seconds).text)")
        }
        return parts.isEmpty ? "always" : parts.joined(separator: " and ")
    }

    package var actionText: String {
        then.map { action in
            var text = action.action.rawValue
            if let seconds = action.seconds { text += " \(Duration.seconds(seconds).text)" }
            if action.fromAnswer == false { text += " fixed" }
            if let status = action.status { text += " \(status)" }
            if let body = action.body { text += " \(Self.quoted(body, always: true))" }
            return text
        }.joined(separator: ", ")
    }

    private static func quoted(_ text: String, always: Bool = false) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy(RuleParser.isWordPart)
        if isPlain, !always, !RuleParser.keywords.contains(text.lowercased()) { return text }
        let escaped = text.reduce(into: "") { result, character in
            switch character {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default: result.append(character)
            }
        }
        return "\"\(escaped)\""
    }
}

/// What does not hold in a rule that was typed, and where.
package struct RuleTextError: Error, Equatable, CustomStringConvertible {
    /// Both from 1; columns in characters.
    package let line: Int
    package let column: Int
    package let message: String

    package var description: String {
        (line > 1 ? "line \(line), column \(column): " : "column \(column): ") + message
    }
}
