/// Where messages may go, decided on the address that a connection is made to and never on its name.
struct AddressGuard: Sendable {
    /// Ranges of the operator's own network that are meant to be reached.
    let allowed: [CIDR]
    /// Mail servers are often the machine's own; a URL that somebody types must not reach what is behind the gateway.
    let mayBeInternal: Bool

    /// `isMapped`: an IPv4 address in the clothes of an IPv6 one.
    func mayConnect(to address: IPAddress, isMapped: Bool) -> Bool {
        if allowed.contains(where: { $0.contains(address) }) { return true }
        if mayBeInternal { return !address.isForbiddenUpstream }
        return !isMapped && !address.isInternal
    }
}

extension IPAddress {
    /// Not reachable, or not meant to be reached, from the public internet (IANA's special-purpose registries).
    var isInternal: Bool {
        guard four != nil else {
            // Only 2000::/3 is given out for the public; the exceptions in it tunnel, translate or document.
            guard high >> 61 == 1 else { return true }
            return high >> 41 == 0x2001_0000 >> 9 || high >> 32 == 0x2001_0DB8 || high >> 48 == 0x2002
                || high >> 44 == 0x3FFF0
        }
        return Self.internalRanges.contains { $0.contains(self) }
    }

    private static let internalRanges = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    ].compactMap { CIDR($0) }
}
