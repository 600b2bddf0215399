import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What scripts can ask of the worker: digests, codings and randomness; pure functions of their arguments but for those.
enum HostFunctions {
    struct Refusal: Error {
        let message: String
    }

    /// Random bytes that one call may ask for.
    private static let randomLimit = 65_536

    static func call(_ name: String, _ arguments: [String]) throws(Refusal) -> String {
        func argument(_ index: Int) -> String { index < arguments.count ? arguments[index] : "" }
        switch name {
        case "uuid": return uuid()
        case "random":
            guard let count = Int(argument(0)), count <= randomLimit else {
                throw Refusal(message: "at most \(randomLimit) random bytes at once")
            }
            var random = SystemRandomNumberGenerator()
            return Coding.hex.text((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        case "hash":
            return try Coding(argument(1)).text(digest(argument(0), data(argument(2), argument(3))))
        case "hmac":
            let key = SymmetricKey(data: try data(argument(2), argument(3)))
            return try Coding(argument(1)).text(code(argument(0), key, data(argument(4), argument(5))))
        case "encode": return try Coding(argument(0)).text(Array(data(argument(1), argument(2))))
        case "decode": return String(decoding: try Coding(argument(1)).bytes(argument(0)), as: UTF8.self)
        case "recode":
            return try Coding(argument(2)).text(Coding(argument(1)).bytes(argument(0)))
        default: throw Refusal(message: "unknown function \(name)")
        }
    }

    /// A random one (RFC 9562, version 4), without what the library would open a file for.
    private static func uuid() -> String {
        var random = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array(Coding.hex.text(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// What a script has handed over: `text`, or bytes as `hex`.
    private static func data(_ kind: String, _ text: String) throws(Refusal) -> Data {
        kind == "hex" ? Data(try Coding.hex.bytes(text)) : Data(text.utf8)
    }

    private static func digest(_ algorithm: String, _ data: Data) throws(Refusal) -> [UInt8] {
        switch algorithm.lowercased() {
        case "md5": Array(Insecure.MD5.hash(data: data))
        case "sha1", "sha-1": Array(Insecure.SHA1.hash(data: data))
        case "sha256", "sha-256": Array(SHA256.hash(data: data))
        case "sha384", "sha-384": Array(SHA384.hash(data: data))
        case "sha512", "sha-512": Array(SHA512.hash(data: data))
        default: throw unknown(algorithm)
        }
    }

    private static func code(
        _ algorithm: String,
        _ key: SymmetricKey,
        _ data: Data
    ) throws(Refusal) -> [UInt8] {
        switch algorithm.lowercased() {
        case "md5": Array(HMAC<Insecure.MD5>.authenticationCode(for: data, using: key))
        case "sha1", "sha-1": Array(HMAC<Insecure.SHA1>.authenticationCode(for: data, using: key))
        case "sha256", "sha-256": Array(HMAC<SHA256>.authenticationCode(for: data, using: key))
        case "sha384", "sha-384": Array(HMAC<SHA384>.authenticationCode(for: data, using: key))
        case "sha512", "sha-512": Array(HMAC<SHA512>.authenticationCode(for: data, using: key))
        default: throw unknown(algorithm)
        }
    }

    private static func unknown(_ algorithm: String) -> Refusal {
        Refusal(message: "unknown algorithm \(algorithm): md5, sha1, sha256, sha384 or sha512")
    }

    /// How bytes are written as text.
    private enum Coding: String {
        case hex, base64, base64url

        init(_ name: String) throws(Refusal) {
            guard let coding = Coding(rawValue: name) else {
                throw Refusal(message: "unknown form \(name): hex, base64 or base64url")
            }
            self = coding
        }

        func text(_ bytes: [UInt8]) -> String {
            switch self {
            case .hex:
                let digits = Array("0123456789abcdef".utf8)
                return String(
                    decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
                    as: UTF8.self
                )
            case .base64: return Data(bytes).base64EncodedString()
            case .base64url:
                let text = Data(bytes).base64EncodedString().filter { $0 != "=" }
                return text.replacing("+", with: "-").replacing("/", with: "_")
            }
        }

        func bytes(_ text: String) throws(Refusal) -> [UInt8] {
            let bytes: [UInt8]?
            switch self {
            case .hex: bytes = Self.unhex(Array(text.utf8))
            case .base64, .base64url:
                var plain = text.replacing("-", with: "+").replacing("_", with: "/")
                plain += String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
                bytes = Data(base64Encoded: plain).map(Array.init)
            }
            guard let bytes else { throw Refusal(message: "this is not \(rawValue)") }
            return bytes
        }

        private static func unhex(_ digits: [UInt8]) -> [UInt8]? {
            guard digits.count % 2 == 0 else { return nil }
            var bytes: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
                guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else { return nil }
                bytes.append(byte)
            }
            return bytes
        }
    }
}
