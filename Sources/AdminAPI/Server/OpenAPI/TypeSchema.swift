import Operations

/// The JSON Schema of a type, found out by decoding it: what the program reads and writes is what the document says.
///
/// A decoder that has no data writes down what it is asked for, and gives any value back.
enum TypeSchema {
    /// Whether a value comes in, where what may be left out may also be null, or goes out.
    enum Direction {
        case request
        case response
    }

    /// `{}` for a type that does not let itself be asked.
    static func of(_ type: any Decodable.Type, _ direction: Direction) -> JSONValue {
        // What cannot be found out is anything.
        (try? probe(type, direction).schema) ?? .object([:])
    }

    /// A type's schema, and a value of it.
    static func probe<Value: Decodable>(
        _ type: Value.Type,
        _ direction: Direction
    ) throws -> (schema: JSONValue, value: Value) {
        if let described = type as? any SchemaDescribing.Type, let value = described.example as? Value {
            return (described.schema, value)
        }
        if let enumeration = type as? any CaseIterable.Type {
            let cases = SchemaCases.all(of: enumeration)
            if let value = cases.first?.value as? Value {
                return (.object(["type": "string", "enum": .array(cases.map { .string($0.text) })]), value)
            }
        }
        let recorder = SchemaRecorder()
        let value = try Value(from: SchemaDecoder(recorder: recorder, direction: direction))
        return (recorder.schema(direction), value)
    }

    static func scalar(_ type: String, _ format: String? = nil) -> JSONValue {
        var fields: [String: JSONValue] = ["type": .string(type)]
        if let format { fields["format"] = .string(format) }
        return .object(fields)
    }

    /// The same, or null.
    static func nullable(_ schema: JSONValue) -> JSONValue {
        guard case .object(var fields) = schema, !fields.isEmpty else { return schema }
        guard case .string(let type)? = fields["type"] else {
            return .object(["anyOf": .array([schema, scalar("null")])])
        }
        fields["type"] = .array([.string(type), "null"])
        if case .array(let values)? = fields["enum"] { fields["enum"] = .array(values + [.null]) }
        return .object(fields)
    }
}

/// A type that says itself what it looks like in JSON.
protocol SchemaDescribing: Decodable {
    static var schema: JSONValue { get }
    static var example: Self { get }
}

extension Timestamp: SchemaDescribing {
    static var schema: JSONValue { TypeSchema.scalar("string", "date-time") }
    static var example: Timestamp { Timestamp(seconds: 0) }
}

/// A value that is always there, and may be null.
protocol AlwaysShown {}

extension ShownNull: AlwaysShown {}

/// The cases of a choice with their texts.
enum SchemaCases {
    static func all(of type: any CaseIterable.Type) -> [(text: String, value: Any)] {
        func open<Choice: CaseIterable>(_ type: Choice.Type) -> [(text: String, value: Any)] {
            type.allCases.compactMap { choice in
                ((choice as? any RawRepresentable)?.rawValue as? String).map { ($0, choice as Any) }
            }
        }
        return open(type)
    }
}

/// What a type has asked for.
final class SchemaRecorder {
    private enum Shape {
        case unknown
        case scalar(JSONValue)
        case list(JSONValue)
        case object
    }

    private var shape = Shape.unknown
    private var properties: [String: JSONValue] = [:]
    private var required: [String] = []
    private var values: JSONValue?
    var isNullable = false

    /// The name under which a dictionary's only key is asked for.
    static let anyKey = "*"

    func set(scalar schema: JSONValue) { shape = .scalar(schema) }
    func set(list schema: JSONValue) { shape = .list(schema) }
    func beginObject() { shape = .object }

    func set(_ name: String, _ schema: JSONValue, isRequired: Bool, _ direction: TypeSchema.Direction) {
        if name == Self.anyKey {
            values = schema
            return
        }
        properties[Self.snakeCase(name)] = FieldRules.narrowed(schema, Self.snakeCase(name), direction)
        if isRequired { required.append(Self.snakeCase(name)) }
    }

    func schema(_ direction: TypeSchema.Direction) -> JSONValue {
        let schema: JSONValue
        switch shape {
        case .unknown: return .object([:])
        case .scalar(let scalar): schema = scalar
        case .list(let items): schema = .object(["type": "array", "items": items])
        case .object:
            var fields: [String: JSONValue] = ["type": "object"]
            if let values {
                fields["additionalProperties"] = values
            } else {
                fields["properties"] = .object(properties)
                fields["additionalProperties"] = .bool(direction == .response)
            }
            if !required.isEmpty { fields["required"] = .array(required.sorted().map(JSONValue.string)) }
            schema = .object(fields)
        }
        return isNullable ? TypeSchema.nullable(schema) : schema
    }

    /// As `JSONForm` writes names.
    private static func snakeCase(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if character.isUppercase {
                result += "_" + character.lowercased()
            } else {
                result.append(character)
            }
        }
    }
}
