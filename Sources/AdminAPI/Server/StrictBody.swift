import Hummingbird
import NIOCore
import NIOFoundationCompat
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads a request's JSON body and refuses fields that nobody knows.
enum StrictBody {
    static let limit = 1 << 20

    static func read<Value: Decodable>(
        _ type: Value.Type,
        fields: [String],
        from request: Request
    ) async throws -> (value: Value, bytes: Data) {
        let data = Data(try await collect(request).readableBytesView)
        return (try value(type, fields: fields, from: data), data)
    }

    /// nil without a body.
    static func readIfAny<Value: Decodable>(
        _ type: Value.Type,
        fields: [String],
        from request: Request
    ) async throws -> Value? {
        let data = Data(try await collect(request).readableBytesView)
        return data.isEmpty ? nil : try value(type, fields: fields, from: data)
    }

    private static func value<Value: Decodable>(
        _ type: Value.Type,
        fields: [String],
        from data: Data
    ) throws -> Value {
        let names: [String: JSONShape]
        do {
            names = try JSONDecoder().decode([String: JSONShape].self, from: data)
        } catch {
            throw OperationsError(.badRequest, "the body is not a JSON object")
        }
        for name in names.keys.sorted() where !fields.contains(name) {
            throw OperationsError(
                .invalid,
                "unknown field; fields are \(fields.joined(separator: ", "))",
                parameter: name
            )
        }
        try check(.object(names), TypeSchema.of(type, .request), "")
        return try JSONForm.value(type, from: data)
    }

    /// A field inside a field that nobody knows would be left out in silence, and a permission with it.
    ///
    /// A sample `context` of a script may tell more than scripts are told.
    private static func check(_ value: JSONShape, _ schema: JSONValue, _ path: String) throws {
        guard case .object(let rules) = schema else { return }
        if case .array(let choices)? = rules["anyOf"], let choice = choices.first {
            return try check(value, choice, path)
        }
        switch value {
        case .array(let items):
            guard let schema = rules["items"] else { return }
            for item in items { try check(item, schema, path) }
        case .object(let members):
            // One entry may stand without its list.
            if let schema = rules["items"] { return try check(value, schema, path) }
            guard case .object(let known)? = rules["properties"] else { return }
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                let place = path.isEmpty ? name : "\(path).\(name)"
                if let schema = known[name] {
                    if place != "context" { try check(member, schema, place) }
                } else if !path.isEmpty {
                    let names = known.keys.sorted().joined(separator: ", ")
                    throw OperationsError(.invalid, "unknown field; fields are \(names)", parameter: place)
                }
            }
        case .other: break
        }
    }

    /// Any JSON object, as it was sent.
    static func object(from request: Request) async throws -> String {
        let buffer = try await collect(request)
        let data = Data(buffer.readableBytesView)
        do {
            _ = try JSONDecoder().decode([String: JSONShape].self, from: data)
        } catch {
            throw OperationsError(.badRequest, "the body is not a JSON object")
        }
        return String(decoding: data, as: UTF8.self)
    }

    static func collect(_ request: Request) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw OperationsError(.invalid, "the body is larger than \(limit) bytes")
        }
    }

    /// Names the field that does not hold, in the form in which the caller wrote it.
    static func explain(_ error: DecodingError) -> OperationsError {
        switch error {
        case .keyNotFound(let key, let context):
            let path = (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
            return OperationsError(.invalid, "is required", parameter: snakeCase(path))
        case .typeMismatch(let type, let context):
            return OperationsError(.invalid, "must be \(name(of: type))", parameter: path(context))
        case .valueNotFound(_, let context):
            return OperationsError(.invalid, "must not be null", parameter: path(context))
        // The decoder's own words for a text that is none of a choice name types of ours.
        case .dataCorrupted(let context) where context.debugDescription.hasPrefix("Cannot initialize"):
            return OperationsError(.invalid, "is none of the values that there are", parameter: path(context))
        case .dataCorrupted(let context):
            return OperationsError(.invalid, context.debugDescription, parameter: path(context))
        @unknown default:
            return OperationsError(.invalid, "the body does not hold")
        }
    }

    private static func path(_ context: DecodingError.Context) -> String? {
        // Places in a list do not name a field.
        let path = context.codingPath.filter { $0.intValue == nil }.map(\.stringValue).filter {
            $0 != "super"
        }
        return path.isEmpty ? nil : snakeCase(path.joined(separator: "."))
    }

    private static func snakeCase(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if character.isUppercase {
                result += "_" + character.lowercased()
            } else {
                result.append(character)
            }
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Int.Type: "a whole number"
        case is Double.Type: "a number"
        case is Bool.Type: "true or false"
        case is [String].Type, is [Any].Type: "a list"
        default: "of another type"
        }
    }
}

/// Any JSON value, of which only the names of members matter.
private indirect enum JSONShape: Decodable {
    case object([String: JSONShape])
    case array([JSONShape])
    case other

    init(from decoder: any Decoder) throws {
        // What is no object may be a list, and what is neither has no names.
        if let members = try? [String: JSONShape](from: decoder) {
            self = .object(members)
        } else if let items = try? [JSONShape](from: decoder) {
            self = .array(items)
        } else {
            self = .other
        }
    }
}
