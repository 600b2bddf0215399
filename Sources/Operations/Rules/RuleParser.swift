/// Reads the text form of a rule; `RuleText` says how it looks.
struct RuleParser {
    private struct Token {
        enum Kind: Equatable {
            case word(String)
            case quoted(String)
            case comma
            case equals
            case tilde
            case greater
            case end
        }

        let kind: Kind
        let line: Int
        let column: Int
    }

    static let keywords: Set<String> = ["and", "then", "contains", "always", "fixed"]

    static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.properties.isWhitespace && !",=~>\"".unicodeScalars.contains(scalar)
    }

    private var tokens: [Token]
    private var position = 0
    private let fault: RuleTextError?

    init(_ text: String) {
        (tokens, fault) = Self.tokens(of: text)
    }

    // MARK: Words

    private static func tokens(of text: String) -> ([Token], RuleTextError?) {
        var tokens: [Token] = []
        var (line, column) = (1, 1)
        let characters = Array(text)
        var index = 0
        func next() {
            if characters[index] == "\n" { (line, column) = (line + 1, 1) } else { column += 1 }
            index += 1
        }
        while index < characters.count {
            let (startLine, startColumn) = (line, column)
            func add(_ kind: Token.Kind) {
                tokens.append(Token(kind: kind, line: startLine, column: startColumn))
            }
            let character = characters[index]
            switch character {
            case _ where character.isWhitespace: next()
            case ",", "=", "~", ">":
                add(
                    character == ","
                        ? .comma : character == "=" ? .equals : character == "~" ? .tilde : .greater
                )
                next()
            case "\"":
                next()
                var value = ""
                while index < characters.count, characters[index] != "\"" {
                    if characters[index] == "\\", index + 1 < characters.count {
                        next()
                        value.append(Self.unescaped(characters[index]))
                    } else {
                        value.append(characters[index])
                    }
                    next()
                }
                guard index < characters.count else {
                    let fault = RuleTextError(
                        line: startLine,
                        column: startColumn,
                        message: "the text that begins here has no closing quote"
                    )
                    return (tokens, fault)
                }
                next()
                add(.quoted(value))
            default:
                // At least one: a sign with a mark upon it is none of those above, and no part of a word.
                var word = ""
                repeat {
                    word.append(characters[index])
                    next()
                } while index < characters.count
                    && characters[index].unicodeScalars.allSatisfy(Self.isWordPart)
                add(.word(word))
            }
        }
        tokens.append(Token(kind: .end, line: line, column: column))
        return (tokens, nil)
    }

    /// `\d` of an expression is no escape of ours, so a backslash before other characters stays.
    private static func unescaped(_ character: Character) -> String {
        switch character {
        case "n": "\n"
        case "t": "\t"
        case "\"", "\\": String(character)
        default: "\\" + String(character)
        }
    }

    private var current: Token { tokens[position] }

    private mutating func advance() {
        if position < tokens.count - 1 { position += 1 }
    }

    private func fail(_ message: String, at token: Token? = nil) -> RuleTextError {
        let token = token ?? current
        return RuleTextError(line: token.line, column: token.column, message: message)
    }

    private mutating func take(_ word: String) -> Bool {
        guard case .word(let here) = current.kind, here.lowercased() == word else { return false }
        advance()
        return true
    }

    private mutating func take(_ kind: Token.Kind) -> Bool {
        guard current.kind == kind else { return false }
        advance()
        return true
    }

    /// A word or a text in quotes.
    private mutating func value(_ what: String) throws(RuleTextError) -> String {
        switch current.kind {
        case .quoted(let text):
            advance()
            return text
        case .word(let word) where !Self.keywords.contains(word.lowercased()):
            advance()
            return word
        default: throw fail("expected \(what)")
        }
    }

    private mutating func list<Value>(
        _ what: String,
        _ read: (String) -> Value?
    ) throws(RuleTextError) -> [Value] {
        var values: [Value] = []
        repeat {
            let token = current
            guard let value = read(try value(what)) else { throw fail("expected \(what)", at: token) }
            values.append(value)
        } while take(.comma)
        return values
    }

    private mutating func duration(_ what: String) throws(RuleTextError) -> Duration {
        let token = current
        guard let duration = Duration(text: try value(what)) else {
            throw fail("expected \(what)", at: token)
        }
        return duration
    }

    private mutating func seconds(_ what: String) throws(RuleTextError) -> Int {
        let token = current
        let milliseconds = try duration(what).milliseconds
        guard milliseconds % 1000 == 0 else { throw fail("expected \(what)", at: token) }
        return milliseconds / 1000
    }

    // MARK: Rule

    mutating func rule() throws(RuleTextError) -> RuleText {
        if let fault { throw fault }
        _ = take("when")
        var rule = RuleText(when: RuleCondition(), threshold: nil, then: [])
        let isAlways = take("always")
        if !isAlways {
            repeat { try condition(&rule) } while take("and")
        }
        if case .word(let word) = current.kind, word.lowercased() == "or" {
            throw fail("there is no “or” between conditions: make a rule of each")
        }
        if isAlways, case .word(let word) = current.kind, word.lowercased() != "then" {
            throw fail("“always” stands alone: “then” and actions follow it")
        }
        guard take("then") else {
            throw fail("expected “and” with another condition, or “then” with actions")
        }
        repeat { rule.then.append(try action()) } while take(.comma)
        guard current.kind == .end else { throw fail("expected a comma with another action, or the end") }
        return rule
    }

    private mutating func condition(_ rule: inout RuleText) throws(RuleTextError) {
        let token = current
        func once(_ isSet: Bool, _ what: String) throws(RuleTextError) {
            if isSet {
                throw fail("there is a condition on \(what) already; a rule has one of each", at: token)
            }
        }
        guard case .word(let word) = token.kind else {
            throw fail(
                "expected a condition: status, error, header, body, json, latency, “3 times in 60s”, or always"
            )
        }
        switch word.lowercased() {
        case "status":
            advance()
            try once(rule.when.status != nil, "the status")
            rule.when.status = try list("a status such as 429, 500-503 or 5xx") { StatusRange(text: $0) }
        case "error":
            advance()
            try once(rule.when.error != nil, "the error")
            let names = RuleError.allCases.map(\.rawValue).joined(separator: ", ")
            rule.when.error = try list("one of \(names)") { RuleError(rawValue: $0) }
        case "header":
            advance()
            var match = HeaderMatch(name: try value("the name of a header"))
            if take(.equals) {
                match.equals = try value("the header's value")
            } else if take("contains") {
                match.contains = try value("a part of the header's value")
            }
            rule.when.header = (rule.when.header ?? []) + [match]
        case "body":
            advance()
            if take(.tilde) {
                try once(rule.when.bodyRegex != nil, "an expression in the body")
                rule.when.bodyRegex = try value("a regular expression")
            } else if take("contains") {
                try once(rule.when.bodyContains != nil, "texts in the body")
                rule.when.bodyContains = try list("a text") { $0 }
            } else {
                throw fail("expected “contains” and texts, or ~ and a regular expression")
            }
        case "json":
            advance()
            try once(rule.when.bodyJson != nil, "a value in the body")
            let path = try value("a path such as error.code")
            guard take(.equals) else { throw fail("expected = and a value") }
            rule.when.bodyJson = JSONMatch(path: path, equals: try value("a value"))
        case "latency":
            advance()
            try once(rule.when.latencyOverMs != nil, "the latency")
            guard take(.greater) else { throw fail("expected > and a duration such as 5s") }
            rule.when.latencyOverMs = try duration("a duration such as 5s").milliseconds
        default:
            guard let count = Int(word) else {
                throw fail(
                    "there is no condition “\(word)”; there are status, error, header, body, json, latency, "
                        + "“3 times in 60s”, and always"
                )
            }
            advance()
            try once(rule.threshold != nil, "how often")
            rule.threshold = try threshold(count)
        }
    }

    private mutating func threshold(_ count: Int) throws(RuleTextError) -> RuleThreshold {
        guard take("times") || take("time") else {
            throw fail("expected “times in” and a duration such as 60s")
        }
        guard take("in") else { throw fail("expected “in” and a duration such as 60s") }
        let length = try seconds("a duration in whole seconds such as 60s")
        return RuleThreshold(count: count, seconds: length)
    }

    private mutating func action() throws(RuleTextError) -> RuleAction {
        let token = current
        let names = RuleAction.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        guard case .word(let word) = token.kind else { throw fail("expected an action: \(names)") }
        guard let kind = RuleAction.Kind(rawValue: word) else {
            throw fail("there is no action “\(word)”; there are \(names)", at: token)
        }
        advance()
        var action = RuleAction(kind)
        switch kind {
        case .cooldownKey, .cooldownModel, .cooldownUpstream, .exhaustKey:
            if case .word(let word) = current.kind, word.lowercased() != "fixed" {
                action.seconds = try seconds("a length in whole seconds such as 60s or 5m")
            }
            if take("fixed") { action.fromAnswer = false }
        case .respond:
            let place = current
            guard let status = Int(try value("a status, as in respond 503 \"busy\"")) else {
                throw fail("expected a status, as in respond 503 \"busy\"", at: place)
            }
            action.status = status
            if case .quoted(let body) = current.kind {
                advance()
                action.body = body
            }
        case .disableKey, .banKey, .retryNextKey, .retrySameKey, .notify: break
        }
        return action
    }
}
