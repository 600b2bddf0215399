import NIOCore

/// Covers secrets with asterisks, in place and without changing a length.
///
/// It works on copies that are about to be stored; what callers and upstreams see is never touched.
enum Redaction {
    private static let asterisk = UInt8(ascii: "*")

    /// Names, lower-case, whose values are secrets wherever they stand.
    private static let secretNames: [StaticString] = [
        "key", "api_key", "apikey", "api-key", "x-api-key", "access_token", "refresh_token", "id_token",
        "token",
        "secret", "client_secret", "password", "passwd", "authorization", "credential", "credentials",
        "signature",
        "sig", "secret_key", "access_key", "private_key", "auth_token", "webhook_secret",
    ]

    private static let longestName = 16

    /// By a name's length, one bit for each letter that a secret's name of that length begins with.
    private static let firstLetters: [UInt32] = secretNames.reduce(
        into: Array(repeating: 0, count: longestName + 1)
    ) {
        $0[$1.utf8CodeUnitCount] |= 1 << UInt32($1.utf8Start[0] & 31)
    }

    /// Covers values of headers that carry credentials; `lines` are `name: value` with line ends.
    static func coverHeaders(_ lines: UnsafeMutableRawBufferPointer, _ fields: [HeaderField], offset: Int) {
        for field in fields where isSecret(field, lines, offset: offset) {
            cover(lines, (Int(field.valueStart) - offset)..<(Int(field.valueEnd) - offset))
        }
    }

    private static let secretHeaders: HeaderNameSet = [
        .authorization, .xAPIKey, .apiKey, .xGoogAPIKey, .cookie, .setCookie, .proxyAuthorization,
    ]

    private static func isSecret(
        _ field: HeaderField,
        _ lines: UnsafeMutableRawBufferPointer,
        offset: Int
    ) -> Bool {
        if field.name != .other { return secretHeaders.contains(field.name) }
        let name = UnsafeRawBufferPointer(
            rebasing: lines[(Int(field.nameStart) - offset)..<(Int(field.nameEnd) - offset)]
        )
        for word in ["key", "token", "secret", "passw", "auth", "signature"] as [StaticString]
        where containsFolded(name, word) {
            return true
        }
        return false
    }

    private static func containsFolded(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        for start in 0...(bytes.count - count) where bytes[start] | 0x20 == word.utf8Start[0] {
            if ASCII.equalFolded(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]), word) {
                return true
            }
        }
        return false
    }

    /// Covers the values of `name=value` pairs whose name speaks of a secret.
    static func coverQuery(_ query: UnsafeMutableRawBufferPointer) {
        var start = 0
        for end in query.indices where query[end] == UInt8(ascii: "&") || end == query.count - 1 {
            let pairEnd = query[end] == UInt8(ascii: "&") ? end : end + 1
            if let equals = query[start..<pairEnd].firstIndex(of: UInt8(ascii: "=")) {
                let name = PercentEncoding.decode(query[start..<equals])
                if name.withUnsafeBytes(isSecretName) { cover(query, (equals + 1)..<pairEnd) }
            }
            start = end + 1
        }
    }

    /// Covers JSON texts whose key speaks of a secret, and whole client keys anywhere.
    static func coverBody(_ body: UnsafeMutableRawBufferPointer) {
        let bytes = UnsafeRawBufferPointer(body)
        var search = 0
        while let colon = ASCII.firstIndex(of: UInt8(ascii: ":"), in: bytes, from: search) {
            search = colon + 1
            if let value = secretValue(after: colon, bytes) { cover(body, value) }
        }
        coverClientKeys(body)
    }

    /// The text after a colon, when the key before the colon is a secret's name.
    private static func secretValue(after colon: Int, _ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        var end = colon
        while end > 0, isBlank(bytes[end - 1]) {
            end -= 1
        }
        guard end > 1, bytes[end - 1] == UInt8(ascii: "\"") else { return nil }
        end -= 1
        var start = end
        while start > 0, bytes[start - 1] != UInt8(ascii: "\""), end - start <= longestName {
            start -= 1
        }
        guard isSecretName(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else { return nil }
        var valueStart = colon + 1
        while valueStart < bytes.count, isBlank(bytes[valueStart]) {
            valueStart += 1
        }
        guard valueStart < bytes.count, bytes[valueStart] == UInt8(ascii: "\"") else { return nil }
        valueStart += 1
        var valueEnd = valueStart
        while valueEnd < bytes.count, bytes[valueEnd] != UInt8(ascii: "\"") {
            valueEnd += bytes[valueEnd] == UInt8(ascii: "\\") ? 2 : 1
        }
        return valueStart..<min(valueEnd, bytes.count)
    }

    /// What JSON allows between a name, the colon and the text (RFC 8259 §2).
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == ASCII.space || byte == UInt8(ascii: "\t") || byte == ASCII.cr || byte == ASCII.lf
    }

    /// Called for every member of every body, so it allocates nothing.
    private static func isSecretName(_ name: UnsafeRawBufferPointer) -> Bool {
        guard name.count >= 3, name.count <= longestName,
            firstLetters[name.count] & 1 << UInt32(name[0] & 31) != 0
        else { return false }
        return secretNames.contains { secret in
            secret.utf8CodeUnitCount == name.count
                && ASCII.equalIgnoringCase(
                    name,
                    UnsafeBufferPointer(start: secret.utf8Start, count: name.count)
                )
        }
    }

    /// A client key pasted into a path, a prompt or an answer.
    static func coverClientKeys(_ body: UnsafeMutableRawBufferPointer) {
        let bytes = UnsafeRawBufferPointer(body)
        var search = 0
        while let start = ByteSearch.firstIndex(of: "fg_", in: bytes, from: search) {
            search = start + 3
            let secret = start + ClientKeyToken.prefixLength + 1
            let end = start + ClientKeyToken.length
            // A copy may end inside the key.
            guard secret < bytes.count, bytes[secret - 1] == UInt8(ascii: "_") else { continue }
            cover(body, secret..<min(end, bytes.count))
        }
    }

    /// The same for what is kept as a text of its own.
    static func textWithoutClientKeys(_ bytes: UnsafeRawBufferPointer) -> String {
        guard ByteSearch.firstIndex(of: "fg_", in: bytes, from: 0) != nil else {
            return String(decoding: bytes, as: UTF8.self)
        }
        var copy = Array(bytes)
        copy.withUnsafeMutableBytes(coverClientKeys)
        return String(decoding: copy, as: UTF8.self)
    }

    /// A text wherever it stands, also where a copy ends inside it with so many of its bytes.
    static func cover(
        _ secret: UnsafeRawBufferPointer,
        in body: UnsafeMutableRawBufferPointer,
        atLeast shortest: Int
    ) {
        let bytes = UnsafeRawBufferPointer(body)
        var search = 0
        while let start = ByteSearch.firstIndex(of: secret, in: bytes, from: search) {
            cover(body, start..<(start + secret.count))
            search = start + secret.count
        }
        let beginning = UnsafeRawBufferPointer(rebasing: secret.prefix(shortest))
        search = max(0, bytes.count - secret.count + 1)
        while let start = ByteSearch.firstIndex(of: beginning, in: bytes, from: search) {
            if bytes[start...].elementsEqual(secret.prefix(bytes.count - start)) {
                cover(body, start..<bytes.count)
                return
            }
            search = start + 1
        }
    }

    private static func cover(_ bytes: UnsafeMutableRawBufferPointer, _ range: Range<Int>) {
        for index in range {
            bytes[index] = asterisk
        }
    }
}
