import Foundation
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
        let secret = SecretForms("sk-real-123456")
        let text = "Incorrect key sk-real-123456 (sk-real-123456)"
        #expect(cover(text, secret.cover) == "Incorrect key ************** (**************)")
    }

    @Test(arguments: ["sk-real-123456", "sk+re/al=12\"34 56", "k\\ey-of-äöü-01", "12345678"])
    func `a provider's key is covered however it is written`(key: String) throws {
        let secret = SecretForms(key)
        #expect(secret.plain == Array(key.utf8))
        var forms = [key, String(decoding: JSONText.quote(key).dropFirst().dropLast(), as: UTF8.self)]
        forms.append(forms[1].replacing("/", with: "\\/"))
        let escaped = try #require(
            key.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-")))
        )
        forms += [escaped, key.utf8.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()]
        for form in forms { #expect(cover("<\(form)>", secret.cover) == "<\(stars(form))>") }
        // Of base64 only a digit at each end, which the bytes around it change, may be left.
        for before in ["", "a", "ab", "user:", "Bearer "] {
            for after in ["", "x", "xy", ":0"] {
                let text = Data((before + key + after).utf8).base64EncodedString()
                for text in [text, text.replacing("+", with: "-").replacing("/", with: "_")] {
                    let covered = cover("<\(text)>", secret.cover)
                    #expect(covered.count { $0 == "*" } >= (key.utf8.count * 8 - 10) / 6, "\(covered)")
                }
            }
        }
    }

    private func stars(_ text: String) -> String { String(repeating: "*", count: text.utf8.count) }

    @Test(arguments: [13, 20, 55])
    func `a copy that ends inside a key does not keep its beginning`(kept: Int) {
        let key = String(ClientKeyToken.generate().text.prefix(kept))
        let covered = cover("said " + key, Redaction.coverBody)
        #expect(covered == "said " + key.prefix(12) + String(repeating: "*", count: kept - 12))
        let cut = cover("echo sk-provider-ke", SecretForms("sk-provider-key-0001").cover)
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
