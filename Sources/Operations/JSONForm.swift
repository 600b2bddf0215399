/// A value that JSON always shows, as `null` when there is none.
///
/// Synthesized coding leaves absent optionals out; callers of an API should see every field that exists.
@propertyWrapper
package struct ShownNull<Value: Codable & Sendable>: Codable, Sendable {
    package var wrappedValue: Value?

    package init(wrappedValue: Value?) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

extension ShownNull: Equatable where Value: Equatable {}

/// A change to one field: leave it, clear it (`null`) or set it.
package enum Change<Value: Codable & Sendable>: Codable, Sendable {
    case keep
    case clear
    case set(Value)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = container.decodeNil() ? .clear : .set(try container.decode(Value.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .keep, .clear: try container.encodeNil()
        case .set(let value): try container.encode(value)
        }
    }

    /// The field after the change.
    package func applied(to old: Value?) -> Value? {
        switch self {
        case .keep: old
        case .clear: nil
        case .set(let value): value
        }
    }

    package var isKept: Bool {
        if case .keep = self { true } else { false }
    }
}

extension KeyedDecodingContainer {
    package func decode<Value>(_ type: ShownNull<Value>.Type, forKey key: Key) throws -> ShownNull<Value> {
        try decodeIfPresent(type, forKey: key) ?? ShownNull(wrappedValue: nil)
    }

    package func decode<Value>(_ type: Change<Value>.Type, forKey key: Key) throws -> Change<Value> {
        guard contains(key) else { return .keep }
        return try Change(from: superDecoder(forKey: key))
    }
}

extension KeyedEncodingContainer {
    package mutating func encode<Value>(_ value: Change<Value>, forKey key: Key) throws {
        if value.isKept { return }
        try value.encode(to: superEncoder(forKey: key))
    }
}

/// A page of a list; `nextCursor` is nil on the last one.
package struct Page<Item: Codable & Sendable>: Codable, Sendable {
    package var items: [Item]
    @ShownNull package var nextCursor: String?

    package init(items: [Item], nextCursor: String? = nil) {
        self.items = items
        self.nextCursor = nextCursor
    }
}

extension Change: Equatable where Value: Equatable {}
