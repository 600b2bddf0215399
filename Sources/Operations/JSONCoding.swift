#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Values as JSON text, in the one form that the API and the database share.
package enum JSONForm {
    package static func text(_ value: some Encodable) throws -> String {
        String(decoding: try data(value), as: UTF8.self)
    }

    package static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    package static func value<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }
}

extension CodingUserInfoKey {
    /// Set by a decoder that has no data and asks types what they look like.
    package static var describesTypes: CodingUserInfoKey {
        guard let key = CodingUserInfoKey(rawValue: "fastgate.describes-types") else {
            preconditionFailure("a constant name")
        }
        return key
    }
}
