import Operations
import Testing

@testable import Gateway

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct `Mail` {
    @Test(arguments: [
        "a@b", "ops@example.com", "a+b@x-y.example.com", String(repeating: "a", count: 64) + "@example.com",
    ])
    func `addresses`(text: String) {
        #expect(MailAddress.isValid(text))
    }

    @Test(arguments: [
        "", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\r\nRCPT TO:<x@y>", "a@b\n", "<a@b>", "a,b@c",
        "\"a\"@b",
        "a@b..c", "a@.b", "a@b.", "ä@b", "a\u{0}@b", String(repeating: "a", count: 65) + "@example.com",
        "a@" + String(repeating: "b", count: 253),
    ])
    func `and what is none`(text: String) {
        #expect(!MailAddress.isValid(text))
    }

    @Test func `a message is lines of ASCII, of which none is too long`() {
        let text = MessageText(
            title: "密钥封禁 openai/\r\nBcc: evil@example.com",
            body: String(repeating: "钥匙 – ", count: 99)
        )
        let bytes = MailMessage.bytes(
            text,
            from: "gate@example.com",
            to: ["a@b", "c@d"],
            at: Timestamp(seconds: 1_762_079_400),
            host: "gate",
            id: "1"
        )
        #expect(bytes.allSatisfy { $0 < 0x7F && ($0 >= 0x20 || $0 == 0x0D || $0 == 0x0A) })
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\r\n",
            omittingEmptySubsequences: false
        )
        #expect(lines.allSatisfy { $0.utf8.count <= 78 && !$0.contains("\n") && !$0.contains("\r") })
        #expect(!lines.contains { $0.hasPrefix("Bcc") })
        #expect(lines.contains("Date: Sun, 02 Nov 2025 10:30:00 +0000"))
        #expect(lines.contains("To: a@b,") && lines.contains(" c@d"))
    }

    @Test func `a subject's words cut no character in two`() throws {
        let title = String(repeating: "密钥😀", count: 20) + "e" + String(repeating: "\u{301}", count: 99)
        let words = MailMessage.subject(title).split(separator: "\r\n ")
        let bytes = try words.map { word in
            #expect(word.utf8.count <= 75 && word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?="))
            return try #require(Data(base64Encoded: String(word.dropFirst(10).dropLast(2))))
        }
        #expect(bytes.allSatisfy { String(validating: $0, as: UTF8.self) != nil })
        #expect(String(decoding: bytes.joined(), as: UTF8.self) == title)
    }
}
