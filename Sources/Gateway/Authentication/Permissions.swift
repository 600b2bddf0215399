/// What a client key may reach; an empty list allows everything.
package struct Permissions: Sendable, Equatable {
    package var upstreams: [String] = []
    package var paths: [String] = []
    package var models: [String] = []
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
        return models.contains { Glob.matches($0.utf8, model.utf8) }
    }

    /// The path after the slug must be allowed as it stands and as a backend would decode it.
    package func allowsPath(_ path: UnsafeRawBufferPointer) -> Bool {
        if paths.isEmpty { return true }
        guard paths.contains(where: { Glob.matches($0.utf8, path) }) else { return false }
        guard path.contains(UInt8(ascii: "%")) else { return true }
        let decoded = PercentEncoding.decode(path)
        return paths.contains { Glob.matches($0.utf8, decoded) }
    }
}

/// Shell-like patterns: `*` is any bytes but `/`, `**` any bytes at all, `?` one byte but `/`.
enum Glob {
    /// Takes time linear in the product of both lengths at worst, whatever the pattern.
    static func matches(_ pattern: some Collection<UInt8>, _ text: some Collection<UInt8>) -> Bool {
        // reachable[i]: the first i pieces of the pattern match the text read so far.
        let pieces = pieces(of: pattern)
        var reachable = [Bool](repeating: false, count: pieces.count + 1)
        reachable[0] = true
        spreadOverStars(pieces, &reachable)
        for byte in text {
            var next = [Bool](repeating: false, count: pieces.count + 1)
            for (index, piece) in pieces.enumerated() {
                switch piece {
                case .byte(let wanted): if reachable[index], byte == wanted { next[index + 1] = true }
                case .one: if reachable[index], byte != UInt8(ascii: "/") { next[index + 1] = true }
                case .star: if reachable[index + 1], byte != UInt8(ascii: "/") { next[index + 1] = true }
                case .doubleStar: if reachable[index + 1] { next[index + 1] = true }
                }
            }
            spreadOverStars(pieces, &next)
            reachable = next
        }
        return reachable[pieces.count]
    }

    private enum Piece {
        case byte(UInt8)
        case one
        case star
        case doubleStar
    }

    private static func pieces(of pattern: some Collection<UInt8>) -> [Piece] {
        var result: [Piece] = []
        for byte in pattern {
            switch byte {
            case UInt8(ascii: "*"):
                if case .star = result.last {
                    result[result.count - 1] = .doubleStar
                } else if case .doubleStar = result.last {
                    continue
                } else {
                    result.append(.star)
                }
            case UInt8(ascii: "?"): result.append(.one)
            default: result.append(.byte(byte))
            }
        }
        return result
    }

    /// A star also matches nothing.
    private static func spreadOverStars(_ pieces: [Piece], _ reachable: inout [Bool]) {
        for (index, piece) in pieces.enumerated() where reachable[index] {
            switch piece {
            case .star, .doubleStar: reachable[index + 1] = true
            case .byte, .one: break
            }
        }
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
