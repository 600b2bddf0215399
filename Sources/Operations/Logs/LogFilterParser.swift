extension LogFilter {
    /// Longer filters are refused.
    package static let lengthLimit = 2000
    private static let depthLimit = 50

    /// An empty text filters nothing.
    package init(parsing text: String) throws(LogFilterError) {
        guard text.utf8.count <= Self.lengthLimit else {
            throw LogFilterError(column: 1, message: "the filter is longer than \(Self.lengthLimit) bytes")
        }
        let tokens = LogFilterLexer.joined(try LogFilterLexer.tokens(of: text))
        guard !tokens.isEmpty else {
            self = .all
            return
        }
        var parser = Parser(tokens: tokens, end: text.count + 1)
        self = try parser.alternatives(depth: 0)
        if let extra = parser.peek {
            throw LogFilterError(column: extra.column, message: "unexpected \(extra.text)")
        }
    }

    private struct Parser {
        let tokens: [LogFilterToken]
        let end: Int
        var position = 0

        var peek: LogFilterToken? { position < tokens.count ? tokens[position] : nil }

        mutating func alternatives(depth: Int) throws(LogFilterError) -> LogFilter {
            var result = try conjunction(depth: depth)
            while let token = peek, token.isWord("or") {
                position += 1
                result = .or(result, try conjunction(depth: depth))
            }
            return result
        }

        /// A space between two conditions means `and`.
        private mutating func conjunction(depth: Int) throws(LogFilterError) -> LogFilter {
            var result = try negation(depth: depth)
            while let token = peek, !token.isWord("or"), token.kind != .close {
                if token.isWord("and") { position += 1 }
                result = .and(result, try negation(depth: depth))
            }
            return result
        }

        private mutating func negation(depth: Int) throws(LogFilterError) -> LogFilter {
            guard depth < LogFilter.depthLimit else {
                throw LogFilterError(column: peek?.column ?? end, message: "the filter is nested too deeply")
            }
            guard let token = peek else {
                throw LogFilterError(column: end, message: "a condition is missing here")
            }
            if token.isWord("not") {
                position += 1
                return .not(try negation(depth: depth + 1))
            }
            if token.kind == .open {
                position += 1
                let inner = try alternatives(depth: depth + 1)
                guard peek?.kind == .close else {
                    throw LogFilterError(column: peek?.column ?? end, message: "a ) is missing here")
                }
                position += 1
                return inner
            }
            if token.isWord("or") || token.isWord("and") {
                throw LogFilterError(column: token.column, message: "a condition is missing here")
            }
            position += 1
            return try LogFilterCondition.parse(token)
        }
    }
}

/// A piece of a filter's text.
struct LogFilterToken {
    enum Kind {
        case open
        case close
        case word
    }

    let kind: Kind
    let text: String
    let column: Int
    /// Where a quote begins in `text`; what follows is taken as it stands.
    let quoteAt: Int?

    func isWord(_ word: String) -> Bool {
        kind == .word && quoteAt == nil && text.lowercased() == word
    }

    private static let relations = LogFilter.Relation.allCases.map(\.rawValue)

    /// Of a field, or of none that there is, which is then told.
    private var isName: Bool {
        kind == .word && quoteAt == nil && text.allSatisfy(\.isLetter)
            && !["and", "or", "not"].contains(text.lowercased())
    }

    private static let units: Set = ["ms", "s", "m", "h", "d", "b", "kb", "mb", "gb", "tb"]

    /// A unit behind a number that has none, of a field that wants one.
    fileprivate func isUnit(of condition: LogFilterToken) -> Bool {
        guard quoteAt == nil, condition.kind == .word, condition.quoteAt == nil,
            condition.text.last?.isNumber == true,
            Self.units.contains(text)
        else { return false }
        let field = LogFilter.Field(rawValue: condition.text.prefix { $0.isLetter }.lowercased())
        return field?.kind == .duration || field?.kind == .size
    }

    /// A field and a relation, of which the value comes next.
    fileprivate var awaitsMore: Bool {
        guard kind == .word, quoteAt == nil else { return false }
        let name = text.prefix { $0.isLetter }
        return !name.isEmpty && Self.relations.contains(String(text.dropFirst(name.count)))
    }

    /// A relation, with or without its value, behind a field.
    fileprivate func goesOn(from field: LogFilterToken) -> Bool {
        guard field.isName, quoteAt != 0 else { return false }
        return Self.relations.contains { text.hasPrefix($0) }
    }
}

/// Splits a filter into words, quotes and parentheses.
enum LogFilterLexer {
    static func tokens(of text: String) throws(LogFilterError) -> [LogFilterToken] {
        let characters = Array(text)
        var tokens: [LogFilterToken] = []
        var index = 0
        while index < characters.count {
            switch characters[index] {
            case " ", "\t", "\n": index += 1
            case "(":
                tokens.append(LogFilterToken(kind: .open, text: "(", column: index + 1, quoteAt: nil))
                index += 1
            case ")":
                tokens.append(LogFilterToken(kind: .close, text: ")", column: index + 1, quoteAt: nil))
                index += 1
            default: tokens.append(try word(characters, &index))
            }
        }
        return tokens
    }

    /// `status >= 400` in one piece, as it is without its spaces.
    static func joined(_ tokens: [LogFilterToken]) -> [LogFilterToken] {
        var result: [LogFilterToken] = []
        for token in tokens {
            guard token.kind == .word, let last = result.last,
                last.awaitsMore || token.goesOn(from: last) || token.isUnit(of: last)
            else {
                result.append(token)
                continue
            }
            result[result.count - 1] = LogFilterToken(
                kind: .word,
                text: last.text + token.text,
                column: last.column,
                quoteAt: token.quoteAt.map { $0 + last.text.count }
            )
        }
        return result
    }

    private static func word(
        _ characters: [Character],
        _ index: inout Int
    ) throws(LogFilterError) -> LogFilterToken {
        let start = index
        var text = ""
        var quoteAt: Int?
        while index < characters.count, !" \t\n()".contains(characters[index]) {
            if characters[index] == "\"" {
                if quoteAt == nil { quoteAt = text.count }
                try quoted(characters, &index, into: &text)
            } else {
                text.append(characters[index])
                index += 1
            }
        }
        return LogFilterToken(kind: .word, text: text, column: start + 1, quoteAt: quoteAt)
    }

    private static func quoted(
        _ characters: [Character],
        _ index: inout Int,
        into text: inout String
    ) throws(LogFilterError) {
        let start = index
        index += 1
        while index < characters.count, characters[index] != "\"" {
            if characters[index] == "\\", index + 1 < characters.count { index += 1 }
            text.append(characters[index])
            index += 1
        }
        guard index < characters.count else {
            throw LogFilterError(column: start + 1, message: "the quote is not closed")
        }
        index += 1
    }
}

/// Reads one word as a condition or as a bare text.
enum LogFilterCondition {
    static func parse(_ token: LogFilterToken) throws(LogFilterError) -> LogFilter {
        let plain = token.quoteAt.map { String(token.text.prefix($0)) } ?? token.text
        guard let (name, relation) = split(plain) else { return .text(token.text) }
        guard let field = LogFilter.Field(rawValue: name.lowercased()) else {
            let known = LogFilter.Field.allCases.map(\.rawValue).joined(separator: ", ")
            throw LogFilterError(
                column: token.column,
                message: "there is no field \(name); fields are \(known)"
            )
        }
        let text = String(token.text.dropFirst(name.count + relation.rawValue.count))
        let column = token.column + name.count + relation.rawValue.count
        guard !text.isEmpty else { throw LogFilterError(column: column, message: "a value is missing here") }
        let value = try value(text, field, relation, column)
        return .condition(LogFilter.Condition(field: field, relation: relation, value: value))
    }

    /// A name of letters, then a relation; anything else is a bare word (a URL, a time).
    private static func split(_ text: String) -> (name: String, relation: LogFilter.Relation)? {
        let name = String(text.prefix { $0.isLetter })
        guard !name.isEmpty else { return nil }
        let rest = text.dropFirst(name.count)
        for relation in [LogFilter.Relation.lessOrEqual, .greaterOrEqual, .unequal]
            + LogFilter.Relation.allCases
        where rest.hasPrefix(relation.rawValue) {
            // `http://…` is a word, not a field that is called http.
            if relation == .contains, rest.hasPrefix("://") { return nil }
            return (name, relation)
        }
        return nil
    }

    private static func value(
        _ text: String,
        _ field: LogFilter.Field,
        _ relation: LogFilter.Relation,
        _ column: Int
    ) throws(LogFilterError) -> LogFilter.Value {
        if relation == .matches { return .text(text) }
        switch field.kind {
        case .text: return .text(text)
        case .number:
            if field == .status, text.count == 3, text.lowercased().hasSuffix("xx"),
                let digit = text.first?.wholeNumberValue
            {
                return .statusClass(digit)
            }
            return .number(try require(Int(text), column, "a whole number"))
        case .duration:
            // Nothing that is logged lasted for longer than a hundred years, and a filter's sums must not overflow.
            if let milliseconds = Double(text), abs(milliseconds) < 4e12 {
                return .microseconds(Int(milliseconds * 1000))
            }
            return .microseconds(try require(length(text), column, "a duration such as 500ms, 1.5s or 5m"))
        case .size: return .bytes(try require(ByteCount(text: text), column, "a size such as 64kb").bytes)
        case .flag:
            let flags = ["true": true, "yes": true, "1": true, "false": false, "no": false, "0": false]
            return .flag(try require(flags[text.lowercased()], column, "true or false"))
        case .time: return try moment(text, column)
        }
    }

    /// Microseconds; `1.5s` too.
    private static func length(_ text: String) -> Int? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let sizes = ["ms": 1000.0, "s": 1e6, "m": 6e7, "h": 3.6e9, "d": 8.64e10]
        guard let count = Double(number), let size = sizes[String(text.dropFirst(number.count))],
            count * size < 4e15
        else { return nil }
        return Int(count * size)
    }

    private static func moment(_ text: String, _ column: Int) throws(LogFilterError) -> LogFilter.Value {
        if text == "now" { return .fromNow(0) }
        if let sign = text.first, sign == "-" || sign == "+" {
            let duration = try require(
                Duration(text: String(text.dropFirst())),
                column,
                "a duration such as -15m"
            )
            return .fromNow((sign == "-" ? -1 : 1) * duration.milliseconds * 1000)
        }
        let time =
            Timestamp(text: text) ?? Timestamp(text: text + "T00:00:00Z") ?? Timestamp(text: text + "Z")
        return .moment(try require(time, column, "a time such as 2026-11-21T09:30:00Z or -15m").microseconds)
    }

    private static func require<Value>(
        _ value: Value?,
        _ column: Int,
        _ expected: String
    ) throws(LogFilterError) -> Value {
        guard let value else { throw LogFilterError(column: column, message: "\(expected) is expected here") }
        return value
    }
}
