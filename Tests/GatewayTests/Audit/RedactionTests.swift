import Testing

@testable import Gateway

@Suite struct `Redaction of what is stored` {
    private func cover(_ text: String, _ body: (UnsafeMutableRawBufferPointer) -> Void) -> String {
        var bytes = Array(text.utf8)
        bytes.withUnsafeMutableBytes(body)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            (#"{"api_key":"secret","a":1}"#, #"{"api_key":"******","a":1}"#),
            (#"{"Password" : "p\"q","b":"x"}"#, #"{"Password" : "****","b":"x"}"#),
            ("{\"password\"\t:\r\n\t\"abc\"}", "{\"password\"\t:\r\n\t\"***\"}"),
            (#"{"nested":{"client_secret":"abc"}}"#, #"{"nested":{"client_secret":"***"}}"#),
            (#"{"max_tokens":5,"key_points":"kept"}"#, #"{"max_tokens":5,"key_points":"kept"}"#),
            (#"{"token":"abc"#, #"{"token":"***"#), ("", ""), (":", ":"), (#"{"token":"#, #"{"token":"#),
            (#"{"token":"a\"#, #"{"token":"**"#),
        ]
    )
    func `values of secret names are covered in bodies`(before: String, after: String) {
        #expect(cover(before, Redaction.coverBody) == after)
    }

    @Test(
        arguments: [
            "key", "api_key", "apikey", "api-key", "x-api-key", "access_token", "refresh_token", "id_token",
            "token",
            "secret", "client_secret", "password", "passwd", "authorization", "credential", "credentials",
            "signature", "sig", "secret_key", "access_key", "private_key", "auth_token", "webhook_secret",
        ]
    )
    func `each secret name is known in either case`(name: String) {
        for name in [name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst()] {
            #expect(cover("{\"\(name)\":\"abc\"}", Redaction.coverBody) == "{\"\(name)\":\"***\"}")
            #expect(cover("{\"my\(name)\":\"abc\"}", Redaction.coverBody) == "{\"my\(name)\":\"abc\"}")
        }
    }

    @Test(
        arguments: [
            ("a=1&api_key=xyz&b=2", "a=1&api_key=***&b=2"), ("key=abc", "key=***"), ("a=1", "a=1"), ("", ""),
            ("token=", "token="), ("%6bey=abc", "%6bey=***"), ("keys=1&monkey=2", "keys=1&monkey=2"),
            ("&&key=a&", "&&key=*&"),
        ]
    )
    func `values of secret names are covered in queries`(before: String, after: String) {
        #expect(cover(before, Redaction.coverQuery) == after)
    }

    @Test func `a client key is covered wherever it stands, and nothing else is`() {
        let token = ClientKeyToken.generate()
        let text = "before \(token.text) after fg_notakey"
        let covered = cover(text, Redaction.coverBody)
        #expect(covered == "before \(token.prefix)_\(String(repeating: "*", count: 43)) after fg_notakey")
    }

    @Test func `a provider's key is covered in its own answer`() {
        let key = Array("sk-real-123456".utf8)
        let text = "Incorrect key sk-real-123456 (sk-real-123456)"
        #expect(
            cover(text) { Redaction.cover(key, in: $0) } == "Incorrect key ************** (**************)"
        )
    }

    @Test(arguments: [13, 20, 55])
    func `a copy that ends inside a key does not keep its beginning`(kept: Int) {
        let key = String(ClientKeyToken.generate().text.prefix(kept))
        let covered = cover("said " + key, Redaction.coverBody)
        #expect(covered == "said " + key.prefix(12) + String(repeating: "*", count: kept - 12))
        let secret = Array("sk-provider-key-0001".utf8)
        let cut = cover("echo sk-provider-ke") { Redaction.cover(secret, in: $0) }
        #expect(cut == "echo **************")
    }

    @Test func `no bytes trap`() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array(#"":\ key={},fg_&%6b"#.utf8)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let count = bytes.count
            bytes.withUnsafeMutableBytes(Redaction.coverBody)
            bytes.withUnsafeMutableBytes(Redaction.coverQuery)
            #expect(bytes.count == count)
        }
    }
}
