import CLinux
import NIOCore

/// The number and the name of one request.
struct RequestIdentity {
    let exchangeID: Int
    let text: String

    /// A caller's own id is taken when it cannot hurt a log or a header; otherwise ours is made of the number.
    static func requestID(of message: MessageHead, fallback exchangeID: Int) -> RequestIdentity {
        if let field = message.single(.xRequestID), !field.valueRange.isEmpty, field.valueRange.count <= 128,
            message.withBytes(field.valueRange, isHarmless)
        {
            return RequestIdentity(exchangeID: exchangeID, text: message.text(field))
        }
        return RequestIdentity(exchangeID: exchangeID, text: name(of: exchangeID))
    }

    /// A client key sent as an id would be stored and passed on in the clear.
    private static func isHarmless(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy(isAllowed) && ByteSearch.firstIndex(of: "fg_", in: bytes, from: 0) == nil
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        let folded = ASCII.lowercased(byte)
        return folded >= 0x61 && folded <= 0x7A || ASCII.isDigit(byte)
            || [0x2D, 0x2E, 0x3A, 0x5F].contains(byte)
    }

    /// `req_` and eleven base-32 digits: short enough for a string that needs no memory of its own.
    static func name(of exchangeID: Int) -> String {
        String(unsafeUninitializedCapacity: 15) { bytes in
            let prefix: StaticString = "req_"
            for index in 0..<4 {
                bytes[index] = prefix.utf8Start[index]
            }
            let digits: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"
            var rest = exchangeID
            for index in stride(from: 14, through: 4, by: -1) {
                bytes[index] = digits.utf8Start[rest & 31]
                rest >>= 5
            }
            return 15
        }
    }
}

/// The time of day, which can jump; for deadlines and durations use the monotonic clock.
struct WallClock {
    /// Since 1970.
    let microseconds: Int

    var seconds: Int { microseconds / 1_000_000 }

    static func now() -> WallClock {
        WallClock(microseconds: Int(clinux_wall_clock_microseconds()))
    }
}

/// Who is calling, as far as that can be believed.
enum CallerAddress {
    /// The peer's address, or, behind trusted proxies, the last address that no trusted proxy added.
    static func resolve(_ message: MessageHead, peer: SocketAddress?, trusted: [CIDR]) -> String {
        let direct = peer?.ipAddress ?? "unknown"
        guard !trusted.isEmpty, let address = IPAddress(direct),
            trusted.contains(where: { $0.contains(address) })
        else { return direct }
        var hops: [String] = []
        for field in message.fields where field.name == .xForwardedFor {
            let parts = message.text(field).split(separator: ",")
            hops += parts.map { String($0.trimmingSpaces()) }
        }
        for hop in hops.reversed() {
            guard let address = IPAddress(hop) else { return direct }
            if !trusted.contains(where: { $0.contains(address) }) { return hop }
        }
        return hops.first ?? direct
    }
}

extension Substring {
    func trimmingSpaces() -> Substring {
        var text = self
        while text.first == " " || text.first == "\t" {
            text = text.dropFirst()
        }
        while text.last == " " || text.last == "\t" {
            text = text.dropLast()
        }
        return text
    }
}
