import Crypto

/// A client key as its caller holds it: `fg_{8 base32}_{43 base64url}`.
///
/// The first part is public and finds the key; the second holds 256 random bits.
struct ClientKeyToken {
    static let length = 55
    static let prefixLength = 11

    let text: String

    var prefix: String { String(text.prefix(Self.prefixLength)) }
    var lastFour: String { String(text.suffix(4)) }
    var digest: KeyDigest { KeyDigest(hashing: Array(text.utf8)) }

    /// A new one from the system's random source.
    static func generate() -> ClientKeyToken {
        // As few calls as there are words: a file may ask for 100,000 keys.
        var generator = SystemRandomNumberGenerator()
        let words: [UInt64] = (0..<5).map { _ in generator.next() }
        let bytes = words.withUnsafeBytes { Array($0) }
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        let id = String(decoding: bytes[..<8].map { alphabet[Int($0 & 31)] }, as: UTF8.self)
        let secret = bytes[8...].withUnsafeBytes { Base64URL.encode($0) }
        return ClientKeyToken(text: "fg_\(id)_\(secret)")
    }

    /// The public part as a number that the index is keyed by; nil when the text is no client key.
    @inline(__always)
    static func lookupID(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count == length, bytes[0] == UInt8(ascii: "f"), bytes[1] == UInt8(ascii: "g"),
            bytes[2] == UInt8(ascii: "_"), bytes[11] == UInt8(ascii: "_")
        else { return nil }
        return bytes.loadUnaligned(fromByteOffset: 3, as: UInt64.self)
    }
}

/// The SHA-256 of a client key; all that is stored of it.
struct KeyDigest: Sendable, Equatable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(hashing bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { KeyDigest(hashing: $0) }
    }

    init(hashing bytes: UnsafeRawBufferPointer) {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        words = hash.finalize().withUnsafeBytes {
            $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
        }
    }

    init?(stored bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        words = Array(bytes).withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// Takes the same time wherever the two differ.
    static func == (left: KeyDigest, right: KeyDigest) -> Bool {
        let difference =
            (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2)
            | (left.words.3 ^ right.words.3)
        return difference == 0
    }
}

enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )

    /// Without padding (RFC 4648 §5).
    static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = []
        var pending: UInt32 = 0
        var bits = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(pending >> UInt32(bits) & 63)])
            }
        }
        if bits > 0 { text.append(alphabet[Int(pending << UInt32(6 - bits) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }
}
