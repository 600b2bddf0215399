/// A filter of log records, parsed; console, CLI and API share its grammar.
///
///     status>=500 and upstream:miniai and (client:team-a or owner:app) and latency>2s and not path:/v1/models
package indirect enum LogFilter: Equatable, Sendable {
    /// Everything.
    case all
    case condition(Condition)
    /// A bare word: in any column of the list, or in the error.
    case text(String)
    case and(LogFilter, LogFilter)
    case or(LogFilter, LogFilter)
    case not(LogFilter)

    package struct Condition: Equatable, Sendable {
        package let field: Field
        package let relation: Relation
        package let value: Value

        package init(field: Field, relation: Relation, value: Value) {
            self.field = field
            self.relation = relation
            self.value = value
        }
    }

    package enum Field: String, CaseIterable, Sendable {
        case status, method, path, query, upstream, ukey, client, owner, model, error, stream, attempts,
            latency
        case ttft, bytes, tokens, time, id, body

        package var kind: Kind {
            switch self {
            case .status, .attempts, .tokens: .number
            case .latency, .ttft: .duration
            case .bytes: .size
            case .time: .time
            case .stream: .flag
            case .method, .path, .query, .upstream, .ukey, .client, .owner, .model, .error, .id, .body: .text
            }
        }
    }

    package enum Kind: Sendable {
        case number, duration, size, time, flag, text
    }

    package enum Relation: String, Sendable, CaseIterable {
        case contains = ":"
        case equal = "="
        case unequal = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case matches = "~"
    }

    package enum Value: Equatable, Sendable {
        case text(String)
        case number(Int)
        /// `5xx`: the hundreds digit.
        case statusClass(Int)
        case microseconds(Int)
        case bytes(Int)
        /// Microseconds since 1970.
        case moment(Int)
        /// Microseconds from now, usually negative.
        case fromNow(Int)
        case flag(Bool)
    }
}

/// What is wrong with a filter, and at which character, from 1.
package struct LogFilterError: Error, Equatable, Sendable, CustomStringConvertible {
    package let column: Int
    package let message: String

    package var description: String { "column \(column): \(message)" }
}
