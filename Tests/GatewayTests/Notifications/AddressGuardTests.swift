import Testing

@testable import Gateway

@Suite struct `Where messages may go` {
    private static let `public` = AddressGuard(allowed: [], mayBeInternal: false)

    @Test(arguments: [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111",
        "2001:4860:4860::8888", "2003::1",
    ])
    func `the public internet`(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(Self.public.mayConnect(to: address, isMapped: false))
    }

    @Test(arguments: [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::",
        "::1", "::7f00:1", "64:ff9b::a00:1", "fc00::1", "fe80::1", "ff02::1", "2001:db8::1", "2001::1",
        "2002:7f00:1::",
        "3fff::1",
    ])
    func `and nothing that is not of it`(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(!Self.public.mayConnect(to: address, isMapped: false))
    }

    @Test func `an IPv4 address in an IPv6 one's clothes is nobody's`() throws {
        let address = try #require(IPAddress("1.1.1.1"))
        #expect(!Self.public.mayConnect(to: address, isMapped: true))
    }

    @Test func `what the operator allows, and no neighbour of it`() throws {
        let some = AddressGuard(allowed: [try #require(CIDR("10.1.0.0/16"))], mayBeInternal: false)
        #expect(some.mayConnect(to: try #require(IPAddress("10.1.255.255")), isMapped: false))
        #expect(!some.mayConnect(to: try #require(IPAddress("10.2.0.0")), isMapped: false))
    }

    @Test func `a mail server may be the machine's own, and never what tells secrets of a cloud`() throws {
        let mail = AddressGuard(allowed: [], mayBeInternal: true)
        #expect(mail.mayConnect(to: try #require(IPAddress("127.0.0.1")), isMapped: false))
        #expect(!mail.mayConnect(to: try #require(IPAddress("169.254.169.254")), isMapped: false))
    }
}
