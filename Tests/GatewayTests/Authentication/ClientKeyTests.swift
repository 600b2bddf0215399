import NIOCore
import Operations
import Testing

@testable import Gateway

@Suite struct `Client keys` {
    private func entry(
        _ token: ClientKeyToken,
        id number: Int = 1,
        enabled: Bool = true,
        expiresAt: Int? = nil
    ) -> ClientKeyEntry {
        let id = Array(token.text.utf8).withUnsafeBytes { ClientKeyToken.lookupID($0) }
        return ClientKeyEntry(
            identity: (number, "key1", "team-a"),
            lookupID: id ?? 0,
            digest: token.digest,
            standing: enabled ? .enabled : .disabled,
            expiresAt: expiresAt,
            permissions: Permissions()
        )
    }

    private func check(_ index: ClientKeyIndex, _ text: String, at seconds: Int = 1000) -> RefusalCode? {
        do throws(Refusal) {
            _ = try ByteBuffer(string: text).withUnsafeReadableBytes { (bytes) throws(Refusal) in
                try index.identify(bytes).checkUsable(at: seconds)
            }
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `a token has the promised form`() {
        let token = ClientKeyToken.generate()
        #expect(token.text.utf8.count == ClientKeyToken.length)
        #expect(token.text.hasPrefix("fg_"))
        #expect(token.prefix.count == 11)
        #expect(token.text.split(separator: "_", maxSplits: 2).map(\.count) == [2, 8, 43])
        #expect(ClientKeyToken.generate().text != token.text)
    }

    @Test func `only the whole key is accepted`() {
        let token = ClientKeyToken.generate()
        let index = ClientKeyIndex([entry(token)])
        #expect(check(index, token.text) == nil)
        #expect(check(index, String(token.text.dropLast())) == .invalidAPIKey)
        #expect(check(index, token.text + "x") == .invalidAPIKey)
        #expect(check(index, token.prefix + "_" + String(repeating: "A", count: 43)) == .invalidAPIKey)
        #expect(check(index, ClientKeyToken.generate().text) == .invalidAPIKey)
        #expect(check(index, "") == .invalidAPIKey)
    }

    @Test func `changing one key of the index leaves the others and the old index as they were`() {
        let tokens = (0..<600).map { _ in ClientKeyToken.generate() }
        let index = ClientKeyIndex(tokens.enumerated().map { entry($1, id: $0 + 1) })
        let rotated = ClientKeyToken.generate()
        var changed = index
        changed.replace(7, with: entry(rotated, id: 7))
        changed.replace(8, with: nil)
        #expect(changed.count == 599)
        #expect(check(changed, tokens[6].text) == .invalidAPIKey)
        #expect(check(changed, rotated.text) == nil)
        #expect(check(changed, tokens[7].text) == .invalidAPIKey)
        #expect(check(index, tokens[6].text) == nil)
        #expect(tokens.indices.filter { check(changed, tokens[$0].text) != nil } == [6, 7])
    }

    @Test func `a disabled or expired key says so, but only to who holds it`() {
        let token = ClientKeyToken.generate()
        #expect(check(ClientKeyIndex([entry(token, enabled: false)]), token.text) == .disabledAPIKey)
        let expiring = ClientKeyIndex([entry(token, expiresAt: 1000)])
        #expect(check(expiring, token.text, at: 999) == nil)
        #expect(check(expiring, token.text, at: 1000) == .expiredAPIKey)
        #expect(check(expiring, token.text, at: 1001) == .expiredAPIKey)
    }

    @Test(
        arguments: [
            ("/v1/*", "/v1/models", true), ("/v1/*", "/v1/a/b", false), ("/v1/**", "/v1/a/b", true),
            ("/v1", "/v1", true),
            ("/v1/**", "/v2/x", false), ("/v?/x", "/v1/x", true), ("/v?/x", "/v//x", false),
            ("**", "/any/thing", true),
            ("/a*b*c", "/aXbYc", true), ("/a*b*c", "/aXbY", false), ("", "", true), ("*", "", true),
        ]
    )
    func `globs match as in a shell`(pattern: String, path: String, isMatch: Bool) {
        #expect(Glob(pattern).matches(path.utf8) == isMatch)
    }

    @Test func `a glob of stars takes no exponential time`() {
        let pattern = String(repeating: "*a", count: 40)
        #expect(!Glob(pattern).matches(String(repeating: "a", count: 200).utf8 + Array("b".utf8)))
    }

    @Test func `short and long patterns match what a plain recursion matches`() {
        func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
            guard let piece = pattern.first else { return text.isEmpty }
            let rest = pattern.dropFirst()
            switch piece {
            case UInt8(ascii: "*"):
                let isDouble = rest.first == UInt8(ascii: "*")
                let after = isDouble ? rest.drop { $0 == UInt8(ascii: "*") } : rest
                if matches(after, text) { return true }
                guard let byte = text.first, isDouble || byte != UInt8(ascii: "/") else { return false }
                return matches(pattern, text.dropFirst())
            case UInt8(ascii: "?"):
                guard let byte = text.first, byte != UInt8(ascii: "/") else { return false }
                return matches(rest, text.dropFirst())
            default: return text.first == piece && matches(rest, text.dropFirst())
            }
        }
        var random = SeededRandom(seed: 5)
        for round in 0..<4000 {
            let pattern = (0..<random.below(7)).map { _ in ["a", "b", "/", "*", "**", "?"][random.below(6)] }
                .joined()
            let text = (0..<random.below(8)).map { _ in ["a", "b", "/"][random.below(3)] }.joined()
            // The same behind more bytes than a word has bits.
            let before = String(repeating: "x", count: [0, 70, 55 + round % 12][round % 3])
            let expected = matches(Array(pattern.utf8)[...], Array(text.utf8)[...])
            #expect(Glob(before + pattern).matches((before + text).utf8) == expected, "\(pattern) \(text)")
        }
    }

    @Test func `an encoded path must be allowed in both forms`() {
        var permissions = Permissions()
        permissions.paths = ["/v1/*"]
        func allows(_ path: String) -> Bool {
            Array(path.utf8).withUnsafeBytes { permissions.allowsPath($0) }
        }
        #expect(allows("/v1/models"))
        #expect(allows("/v1/mod%65ls"))
        #expect(!allows("/v1/a%2fb"))
        #expect(!allows("/v2/models"))
    }

    @Test(
        arguments: [
            ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false), ("2001:db8::/32", "2001:db8:1::1", true), ("::1", "::1", true),
            ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ]
    )
    func `ranges hold their addresses`(range: String, address: String, isInside: Bool) throws {
        let range = try #require(CIDR(range))
        #expect(range.contains(try #require(IPAddress(address))) == isInside)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0/8", "x", "10.0.0.0/-1", "::/129", "010.0.0.1"])
    func `what is no range is refused`(text: String) {
        #expect(CIDR(text) == nil)
    }
}
