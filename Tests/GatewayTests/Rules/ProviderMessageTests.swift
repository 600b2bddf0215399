import Testing

@testable import Gateway

struct ProviderMessageTests {
    private func find(_ body: String, secret: String? = nil) -> String? {
        ProviderMessage.find(in: Array(body.utf8), without: secret.map(SecretForms.init))
    }

    @Test(arguments: [
        (#"{"error":{"message":"Incorrect API key.","code":"invalid_api_key"}}"#, "Incorrect API key."),
        (#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "Overloaded"),
        (#"[{"error":{"code":400,"message":"API key expired."}}]"#, "API key expired."),
        (#"{"message":"Unauthorized"}"#, "Unauthorized"),
        (#"{"error":"no such model"}"#, "no such model"),
        (#"{"detail":"Not authenticated"}"#, "Not authenticated"),
        ("data: {\"error\":{\"message\":\"busy\"}}\n\n", "busy"),
        (#"{"error":{"message":"two\n  lines\u0007 \u4f59\u989d"}}"#, "two lines 余额"),
        (#"{"error":{"message":"see [here](http://x)"}}"#, "see [here] (http://x)"),
    ])
    func `a provider's words are found where providers write them`(_ body: String, _ expected: String) {
        #expect(find(body) == expected)
    }

    @Test(arguments: [
        "", "busy", "<html>{}</html>", "{}", #"{"error":{"message":7}}"#, #"{"error":{"message":""}}"#,
        #"{"error":{"message":"cut"#, #"{"error":{"message":"\x"}}"#,
        #"{"message":""# + String(repeating: "a", count: 5000) + #""}"#,
    ])
    func `what says nothing has no words`(_ body: String) {
        #expect(find(body) == nil)
    }

    @Test func `a long text is cut`() {
        let text = find(#"{"message":""# + String(repeating: "é", count: 500) + #""}"#)
        #expect(text == String(repeating: "é", count: 160) + "…")
    }

    @Test func `no secret is repeated, however it is written`() {
        let key = "sk-live-0123456789abcdef"
        let client = "fg_abcdefgh_" + String(repeating: "Q", count: 43)
        let escaped = key.replacing("-", with: #"\u002d"#)
        for form in [key, escaped] {
            let text = find(#"{"error":{"message":"key \#(form) of \#(client) is unknown"}}"#, secret: key)
            #expect(text?.contains("unknown") == true)
            #expect(text?.contains("0123456789") == false && text?.contains("QQQ") == false)
        }
    }

    @Test(arguments: [-1, 0, 1])
    func `so many letters are shown, and so many bytes`(more: Int) {
        let letters = String(repeating: "a", count: ProviderMessage.limit + more)
        let text = find(#"{"message":""# + letters + #""}"#)
        #expect(text == (more > 0 ? letters.dropLast() + "…" : letters))
        // A letter of three bytes: a third as many of them are as long.
        let wide = String(repeating: "余", count: ProviderMessage.limit + more)
        #expect(find(#"{"message":""# + wide + #""}"#)?.count == ProviderMessage.limit + more)
        // Marks upon marks are no way past that.
        let marked = "a" + String(repeating: "\u{301}", count: ProviderMessage.byteLimit / 2 + more)
        #expect(find(#"{"message":"x "# + marked + #""}"#)?.utf8.count ?? 0 <= ProviderMessage.byteLimit + 3)
    }

    @Test(arguments: [-1, 0, 1])
    func `a text is a message up to a length, and begins soon`(more: Int) {
        // With its quotes.
        let long = String(repeating: "a", count: ProviderMessage.longest - 2 + more)
        #expect((find(#"{"message":""# + long + #""}"#) != nil) == (more <= 0))
        let before = String(repeating: " ", count: ProviderMessage.prelude - 1 + more)
        #expect((find(before + #"{"message":"busy"}"#) != nil) == (more <= 0))
    }
}
