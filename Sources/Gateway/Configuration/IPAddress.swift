#if canImport(Glibc)
import Glibc
#endif

/// An IPv4 or IPv6 address; IPv4 is held as its mapped IPv6 form so that both compare alike.
package struct IPAddress: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    package init?(_ text: String) {
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 {
            let (high, low) = withUnsafeBytes(of: &six) { bytes in
                (
                    UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self.init(high: high, low: low)
            return
        }
        var four = in_addr()
        guard inet_pton(AF_INET, text, &four) == 1 else { return nil }
        self.init(four: UInt32(bigEndian: four.s_addr))
    }

    init(four: UInt32) {
        high = 0
        low = 0x0000_FFFF_0000_0000 | UInt64(four)
    }

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    var four: UInt32? {
        high == 0 && low >> 32 == 0xFFFF ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// 169.254.0.0/16 (where clouds keep their metadata service) and fe80::/10.
    package var isLinkLocal: Bool {
        if let four { return four >> 16 == 0xA9FE }
        return high >> 54 == 0x3FA
    }

    /// Link-local, or another address at which a cloud gives credentials away (AWS over IPv6, Alibaba).
    package var isForbiddenUpstream: Bool {
        isLinkLocal || four == 0x6464_64C8 || high == 0xFD00_0EC2_0000_0000 && low == 0x254
    }

    /// 127.0.0.0/8 and ::1.
    package var isLoopback: Bool {
        if let four { return four >> 24 == 127 }
        return high == 0 && low == 1
    }
}

/// A range of addresses, `10.0.0.0/8` or `2001:db8::/32`; a bare address is a range of one.
package struct CIDR: Sendable, Hashable, CustomStringConvertible {
    package let description: String
    private let network: IPAddress
    private let bits: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        let width = address.four == nil ? 128 : 32
        var length = width
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...width).contains(number) else { return nil }
            length = number
        }
        bits = length + (128 - width)
        network = Self.mask(address, bits)
        description = text
    }

    package func contains(_ address: IPAddress) -> Bool {
        Self.mask(address, bits) == network
    }

    private static func mask(_ address: IPAddress, _ bits: Int) -> IPAddress {
        let high = bits >= 64 ? UInt64.max : bits == 0 ? 0 : UInt64.max << UInt64(64 - bits)
        let low = bits <= 64 ? 0 : UInt64.max << UInt64(128 - bits)
        return IPAddress(high: address.high & high, low: address.low & low)
    }
}
