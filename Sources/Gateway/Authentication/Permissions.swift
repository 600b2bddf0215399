/// What a client key may reach; an empty list allows everything.
package struct Permissions: Sendable, Equatable {
    package var upstreams: [String] = []
    package var paths: [Glob] = []
    package var models: [Glob] = []
    package var cidrs: [CIDR] = []

    package init() {}

    package func allowsUpstream(_ slug: String) -> Bool {
        upstreams.isEmpty || upstreams.contains(slug)
    }

    package func allowsAddress(_ address: IPAddress?) -> Bool {
        if cidrs.isEmpty { return true }
        guard let address else { return false }
        return cidrs.contains { $0.contains(address) }
    }

    /// `model`: nil when the request names none, which a list of models refuses.
    package func allowsModel(_ model: String?) -> Bool {
        if models.isEmpty { return true }
        guard let model else { return false }
        return models.contains { $0.matches(model.utf8) }
    }

    /// The path after the slug must be allowed as it stands and as a backend would decode it.
    package func allowsPath(_ path: UnsafeRawBufferPointer) -> Bool {
        if paths.isEmpty { return true }
        guard paths.contains(where: { $0.matches(path) }) else { return false }
        guard path.contains(UInt8(ascii: "%")) else { return true }
        let decoded = PercentEncoding.decode(path)
        return paths.contains { $0.matches(decoded) }
    }
}

enum PercentEncoding {
    /// Escapes that are not well formed stay as they are.
    static func decode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        var result: [UInt8] = []
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count,
                let high = ASCII.hexValue(input[index + 1]), let low = ASCII.hexValue(input[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(input[index])
                index += 1
            }
        }
        return result
    }

    /// Everything but unreserved characters (RFC 3986 §2.3) becomes an escape.
    static func encode(_ text: String) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            let folded = ASCII.lowercased(byte)
            let isPlain =
                folded >= 0x61 && folded <= 0x7A || ASCII.isDigit(byte) || "-._~".utf8.contains(byte)
            if isPlain {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }
}
