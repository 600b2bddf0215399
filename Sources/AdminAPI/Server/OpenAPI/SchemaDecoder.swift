import Operations

/// A decoder without data: it writes down what it is asked for.
struct SchemaDecoder: Decoder {
    let recorder: SchemaRecorder
    let direction: TypeSchema.Direction
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [.describesTypes: true]

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        recorder.beginObject()
        return KeyedDecodingContainer(SchemaKeyedContainer<Key>(recorder: recorder, direction: direction))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        SchemaListContainer(recorder: recorder, direction: direction)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        SchemaValueContainer(recorder: recorder, direction: direction)
    }
}

private struct SchemaKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let recorder: SchemaRecorder
    let direction: TypeSchema.Direction
    let codingPath: [any CodingKey] = []

    /// What a dictionary goes through.
    var allKeys: [Key] { Key(stringValue: SchemaRecorder.anyKey).map { [$0] } ?? [] }

    func contains(_ key: Key) -> Bool { true }

    func decodeNil(forKey key: Key) -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        let (schema, value) = try TypeSchema.probe(type, direction)
        recorder.set(key.stringValue, schema, isRequired: true, direction)
        return value
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        let schema = try TypeSchema.probe(type, direction).schema
        let isShown = type is any AlwaysShown.Type
        // An answer leaves out what there is not; a request may say null of it.
        recorder.set(
            key.stringValue,
            direction == .request && !isShown ? TypeSchema.nullable(schema) : schema,
            isRequired: isShown && direction == .response,
            direction
        )
        return nil
    }

    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try optional(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try optional(type, key) }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try optional(type, key) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try optional(type, key) }

    private func optional<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
        let schema = try TypeSchema.probe(type, direction).schema
        recorder.set(
            key.stringValue,
            direction == .request ? TypeSchema.nullable(schema) : schema,
            isRequired: false,
            direction
        )
        return nil
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) -> KeyedDecodingContainer<Nested> {
        KeyedDecodingContainer(SchemaKeyedContainer<Nested>(recorder: SchemaRecorder(), direction: direction))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedDecodingContainer {
        SchemaListContainer(recorder: SchemaRecorder(), direction: direction)
    }

    func superDecoder() -> any Decoder { SchemaDecoder(recorder: SchemaRecorder(), direction: direction) }

    /// Of a change to one field, which may be left out.
    func superDecoder(forKey key: Key) -> any Decoder {
        FieldDecoder(parent: recorder, name: key.stringValue, direction: direction)
    }
}

/// Decodes one field of another's object, and tells it then.
private struct FieldDecoder: Decoder {
    let parent: SchemaRecorder
    let name: String
    let direction: TypeSchema.Direction
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [.describesTypes: true]

    private var inner: SchemaDecoder { SchemaDecoder(recorder: SchemaRecorder(), direction: direction) }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        inner.container(keyedBy: type)
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { inner.unkeyedContainer() }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        SchemaValueContainer(recorder: SchemaRecorder(), direction: direction) { schema in
            parent.set(name, schema, isRequired: false, direction)
        }
    }
}

private struct SchemaListContainer: UnkeyedDecodingContainer {
    let recorder: SchemaRecorder
    let direction: TypeSchema.Direction
    let codingPath: [any CodingKey] = []
    let count: Int? = 1
    private(set) var currentIndex = 0

    init(recorder: SchemaRecorder, direction: TypeSchema.Direction) {
        self.recorder = recorder
        self.direction = direction
        recorder.set(list: .object([:]))
    }

    var isAtEnd: Bool { currentIndex > 0 }

    mutating func decodeNil() -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, value) = try TypeSchema.probe(type, direction)
        recorder.set(list: schema)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) -> KeyedDecodingContainer<Nested> {
        currentIndex += 1
        return KeyedDecodingContainer(
            SchemaKeyedContainer<Nested>(recorder: SchemaRecorder(), direction: direction)
        )
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedDecodingContainer {
        currentIndex += 1
        return SchemaListContainer(recorder: SchemaRecorder(), direction: direction)
    }

    mutating func superDecoder() -> any Decoder {
        currentIndex += 1
        return SchemaDecoder(recorder: SchemaRecorder(), direction: direction)
    }
}

private struct SchemaValueContainer: SingleValueDecodingContainer {
    let recorder: SchemaRecorder
    let direction: TypeSchema.Direction
    let codingPath: [any CodingKey] = []
    /// Told of the schema each time that it is known better.
    var told: (JSONValue) -> Void = { _ in }

    /// Whoever asks takes null, too.
    func decodeNil() -> Bool {
        recorder.isNullable = true
        return false
    }

    func decode(_ type: Bool.Type) throws -> Bool { take(TypeSchema.scalar("boolean"), true) }
    func decode(_ type: String.Type) throws -> String { take(TypeSchema.scalar("string"), "") }
    func decode(_ type: Double.Type) throws -> Double { take(TypeSchema.scalar("number"), 0) }
    func decode(_ type: Float.Type) throws -> Float { take(TypeSchema.scalar("number"), 0) }
    func decode(_ type: Int.Type) throws -> Int { take(TypeSchema.scalar("integer", "int64"), 0) }
    func decode(_ type: Int8.Type) throws -> Int8 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: Int16.Type) throws -> Int16 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: Int32.Type) throws -> Int32 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: Int64.Type) throws -> Int64 { take(TypeSchema.scalar("integer", "int64"), 0) }
    func decode(_ type: UInt.Type) throws -> UInt { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { take(TypeSchema.scalar("integer"), 0) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { take(TypeSchema.scalar("integer"), 0) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, value) = try TypeSchema.probe(type, direction)
        return take(schema, value)
    }

    private func take<Value>(_ schema: JSONValue, _ value: Value) -> Value {
        recorder.set(scalar: schema)
        told(recorder.schema(direction))
        return value
    }
}
