/// What words and signs of a language are, line by line, as far as colours need to know.
struct Syntax: Equatable, Sendable {
    /// What a line begins in, because one before it did not end it.
    enum Start: Equatable, Sendable {
        case code
        case comment
        /// Text that goes on until this sign, so many times.
        case string(Unicode.Scalar, count: Int)
    }

    struct Piece: Equatable, Sendable {
        let range: Range<Int>
        let role: StyleRole
    }

    let keywords: Set<String>
    /// Names that the language, or what it runs in, brings along.
    let names: Set<String>
    let lineComment: [Unicode.Scalar]
    /// `/* … */`.
    let hasBlockComments: Bool
    /// Whether three quotes make text of several lines.
    let hasTripleQuotes: Bool
    /// Whether `/…/` is a pattern where a value may stand.
    let hasPatterns: Bool

    /// The pieces of a line that have a colour of their own, and what the next line begins in.
    func pieces(of line: EditorText.Line, _ start: Start) -> (pieces: [Piece], next: Start) {
        var scan = Scan(syntax: self, line: line)
        return (scan.pieces(from: start), scan.state)
    }
}

/// One line being looked through.
private struct Scan {
    let syntax: Syntax
    let line: EditorText.Line
    var place = 0
    var state = Syntax.Start.code
    var pieces: [Syntax.Piece] = []
    /// Whether a value may stand next, so that a slash begins a pattern.
    var isValueNext = true

    init(syntax: Syntax, line: EditorText.Line) {
        self.syntax = syntax
        self.line = line
    }

    mutating func pieces(from start: Syntax.Start) -> [Syntax.Piece] {
        state = start
        while place < line.count {
            switch state {
            case .comment: takeComment(from: place)
            case .string(let quote, let count): takeString(from: place, quote, count)
            case .code: takeCode()
            }
        }
        // Text in simple quotes ends with its line, whether it was closed or not.
        if case .string(let quote, let count) = state, count == 1, quote != "`" { state = .code }
        return pieces
    }

    private mutating func add(_ start: Int, _ role: StyleRole) {
        if start < place { pieces.append(Syntax.Piece(range: start..<place, role: role)) }
    }

    private func isAt(_ text: [Unicode.Scalar]) -> Bool { line[place...].starts(with: text) }

    private mutating func takeCode() {
        let scalar = line[place]
        let start = place
        if isAt(syntax.lineComment) {
            place = line.count
            add(start, .comment)
        } else if syntax.hasBlockComments, isAt(["/", "*"]) {
            place += 2
            takeComment(from: start)
        } else if scalar == "\"" || scalar == "'" || syntax.hasPatterns && scalar == "`" {
            let isTriple = syntax.hasTripleQuotes && isAt([scalar, scalar, scalar])
            place += isTriple ? 3 : 1
            takeString(from: start, scalar, isTriple ? 3 : 1)
            isValueNext = false
        } else if Self.isDigit(scalar) {
            while place < line.count, Self.isWord(line[place]) || line[place] == "." { place += 1 }
            add(start, .number)
            isValueNext = false
        } else if Self.isWord(scalar) {
            takeWord()
        } else if scalar == "/", syntax.hasPatterns, isValueNext {
            takePattern()
        } else {
            place += 1
            if scalar != " ", scalar != "\t" {
                isValueNext = scalar != ")" && scalar != "]" && scalar != "}"
                add(start, .punctuation)
            }
        }
    }

    private mutating func takeWord() {
        let start = place
        while place < line.count, Self.isWord(line[place]) { place += 1 }
        let word = String(String.UnicodeScalarView(line[start..<place]))
        let isMember = start > 0 && line[start - 1] == "."
        if !isMember, syntax.keywords.contains(word) {
            add(start, .keyword)
            isValueNext = true
        } else {
            if !isMember, syntax.names.contains(word) { add(start, .name) }
            isValueNext = false
        }
    }

    private mutating func takeComment(from start: Int) {
        state = .comment
        while place < line.count {
            if isAt(["*", "/"]) {
                place += 2
                state = .code
                break
            }
            place += 1
        }
        add(start, .comment)
    }

    private mutating func takeString(from start: Int, _ quote: Unicode.Scalar, _ count: Int) {
        let end = Array(repeating: quote, count: count)
        state = .string(quote, count: count)
        while place < line.count {
            if line[place] == "\\" {
                place = min(place + 2, line.count)
            } else if isAt(end) {
                place += count
                state = .code
                break
            } else {
                place += 1
            }
        }
        add(start, .string)
    }

    /// Longer ones are left without a colour: a line full of slashes must not be looked through again and again.
    private static let patternLimit = 200

    /// A pattern ends on its line; a slash without an end is a division.
    private mutating func takePattern() {
        let start = place
        var isInClass = false
        var end = place + 1
        let last = min(line.count, place + Self.patternLimit)
        while end < last, isInClass || line[end] != "/" {
            if line[end] == "\\" { end += 1 } else if line[end] == "[" { isInClass = true }
            if end < last, line[end] == "]" { isInClass = false }
            end += 1
        }
        guard end < last else {
            place += 1
            isValueNext = false
            return
        }
        place = end + 1
        while place < line.count, Self.isWord(line[place]) { place += 1 }
        add(start, .string)
        isValueNext = false
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar == "$" || isDigit(scalar) || ("a"..."z").contains(scalar)
            || ("A"..."Z").contains(scalar) || scalar.value > 0x7F && scalar.properties.isAlphabetic
    }
}

extension Syntax {
    static let javascript = Syntax(
        keywords: [
            "async", "await", "break", "case", "catch", "class", "const", "continue", "default", "delete",
            "do", "else", "export", "extends", "false", "finally", "for", "function", "if", "import", "in",
            "instanceof", "let", "new", "null", "of", "return", "static", "super", "switch", "this", "throw",
            "true", "try", "typeof", "undefined", "var", "void", "while", "with", "yield",
        ],
        names: [
            "Array", "BigInt", "Boolean", "Date", "Error", "Intl", "JSON", "Map", "Math", "Number", "Object",
            "Promise", "RegExp", "Set", "String", "Symbol", "Uint8Array", "atob", "base64", "base64url",
            "btoa", "console", "context", "crypto", "hex", "hmac", "md5", "sha1", "sha256", "sha512",
        ],
        lineComment: ["/", "/"],
        hasBlockComments: true,
        hasTripleQuotes: false,
        hasPatterns: true
    )

    static let python = Syntax(
        keywords: [
            "False", "None", "True", "and", "as", "assert", "break", "class", "continue", "def", "del",
            "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
            "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
        ],
        names: [
            "base64", "bool", "bytes", "context", "datetime", "dict", "enumerate", "float", "hashlib", "hmac",
            "int", "json", "len", "list", "math", "max", "min", "print", "random", "range", "re", "result",
            "round", "secrets", "set", "sorted", "str", "string", "sum", "time", "tuple", "uuid", "zip",
        ],
        lineComment: ["#"],
        hasBlockComments: false,
        hasTripleQuotes: true,
        hasPatterns: false
    )
}
