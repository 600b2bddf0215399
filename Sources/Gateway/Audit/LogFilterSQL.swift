import GRDB
import Operations

/// A filter as a condition of SQL with bound values; no text of the filter is ever part of the SQL.
struct LogFilterSQL {
    /// True for every row that the filter may accept.
    private(set) var sql = ""
    private(set) var arguments: [(any DatabaseValueConvertible)?] = []
    private let now: Int

    /// `now`: microseconds since 1970, what `time>-15m` is relative to.
    init(_ filter: LogFilter, now: Int) throws(OperationsError) {
        self.now = now
        sql = try condition(filter)
    }

    /// What the list shows: the columns a bare word is looked for in.
    private static let listColumns = [
        "request_id", "owner", "client_key", "upstream", "upstream_key", "client_address", "method", "path",
        "model",
        "error", "detail",
    ]

    private mutating func condition(_ filter: LogFilter) throws(OperationsError) -> String {
        switch filter {
        case .all: return "1"
        case .and(let left, let right): return "(\(try condition(left)) AND \(try condition(right)))"
        case .or(let left, let right): return "(\(try condition(left)) OR \(try condition(right)))"
        // NULL must not swallow a row that does not match.
        case .not(let inner): return "(NOT coalesce(\(try condition(inner)), 0))"
        case .text(let word): return text(word)
        case .condition(let condition): return try self.condition(condition)
        }
    }

    private mutating func text(_ word: String) -> String {
        let pattern = "%" + SQLPattern.escape(word) + "%"
        let parts = Self.listColumns.map { column -> String in
            arguments.append(pattern)
            return "coalesce(\(column), '') LIKE ? ESCAPE '\\'"
        }
        // A status is looked for whole: part of one is no status.
        let status = word.count == 3 ? Int(word).map { bound("status = ?", $0) } : nil
        return "(" + (parts + [status].compactMap { $0 }).joined(separator: " OR ") + ")"
    }

    private mutating func condition(_ condition: LogFilter.Condition) throws(OperationsError) -> String {
        let column = Self.column(condition.field)
        if condition.field == .body {
            return try body(condition)
        }
        switch condition.value {
        case .text(let text) where condition.relation == .matches:
            // A pattern that does not hold is the filter's fault, not each row's.
            _ = try LogPattern.compiled(text)
            return bound("matches(?, CAST(\(column) AS TEXT))", text)
        case .text(let text):
            let found = self.text(text, column, condition.relation)
            // Lists and logs name a record by its own number, callers by the other one.
            guard condition.field == .id, let number = Int(text) else { return found }
            switch condition.relation {
            case .contains, .equal: return "(\(found) OR \(bound("id = ?", number)))"
            case .unequal: return "(\(found) AND \(bound("id <> ?", number)))"
            case .less, .lessOrEqual, .greater, .greaterOrEqual, .matches: return found
            }
        case .statusClass(let digit):
            let isInside = "(\(column) >= ? AND \(column) < ?)"
            arguments += [digit * 100, digit * 100 + 100]
            return condition.relation == .unequal ? "(NOT coalesce(\(isInside), 0))" : isInside
        case .number(let number), .microseconds(let number), .bytes(let number), .moment(let number):
            return bound("\(column) \(Self.comparison(condition.relation)) ?", number)
        case .fromNow(let offset):
            return bound("\(column) \(Self.comparison(condition.relation)) ?", now + offset)
        case .flag(let flag):
            let isWanted = condition.relation == .unequal ? !flag : flag
            return bound("\(column) = ?", isWanted ? 1 : 0)
        }
    }

    private mutating func text(_ text: String, _ column: String, _ relation: LogFilter.Relation) -> String {
        switch relation {
        case .contains: bound("\(column) LIKE ? ESCAPE '\\'", "%" + SQLPattern.escape(text) + "%")
        case .equal, .matches: bound("\(column) = ?", text)
        case .unequal: bound("coalesce(\(column), '') <> ?", text)
        case .less, .lessOrEqual, .greater, .greaterOrEqual: bound("\(column) \(relation.rawValue) ?", text)
        }
    }

    /// Bodies are in other files; see `BodySearch`.
    private mutating func body(_ condition: LogFilter.Condition) throws(OperationsError) -> String {
        guard case .text(let text) = condition.value else { return "0" }
        switch condition.relation {
        case .contains: return bound("body_contains(id, ?)", text)
        case .matches:
            _ = try LogPattern.compiled(text)
            return bound("body_matches(id, ?)", text)
        case .equal, .unequal, .less, .lessOrEqual, .greater, .greaterOrEqual:
            throw OperationsError(.invalid, "a body can be searched with : and ~ only", parameter: "filter")
        }
    }

    private mutating func bound(_ sql: String, _ value: some DatabaseValueConvertible) -> String {
        arguments.append(value)
        return sql
    }

    private static func comparison(_ relation: LogFilter.Relation) -> String {
        switch relation {
        case .contains, .equal, .matches: "="
        case .unequal: "IS NOT"
        case .less, .lessOrEqual, .greater, .greaterOrEqual: relation.rawValue
        }
    }

    private static func column(_ field: LogFilter.Field) -> String {
        switch field {
        case .status: "status"
        case .method: "method"
        case .path: "path"
        case .query: "query"
        case .upstream: "upstream"
        case .ukey: "upstream_key"
        case .client: "client_key"
        case .owner: "owner"
        case .model: "model"
        case .error: "error"
        case .stream: "is_stream"
        case .attempts: "attempts"
        case .latency: "latency"
        case .ttft: "ttft"
        case .bytes: "bytes_out"
        case .tokens: "coalesce(prompt_tokens + completion_tokens, prompt_tokens, completion_tokens)"
        case .time: "time"
        case .id: "request_id"
        case .body: "body"
        }
    }
}
