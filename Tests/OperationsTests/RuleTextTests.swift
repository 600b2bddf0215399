import Testing

@testable import Operations

@Suite struct `Text of rules` {
    private static let whole =
        "status 429, 500-503, 4xx and error timeout, connect and header retry-after and header x-why contains \"over, quota\""
        + " and header a = b and body contains \"insufficient quota\", billing and body ~ \"code\\\\D+(7|8)\""
        + " and json error.code = \"then\" and latency > 5s and 3 times in 1m"
        + " then cooldown_key 60s fixed, retry_next_key, respond 503 \"say \\\"no\\\"\", notify"

    @Test func `every part is read, and written as it was read`() throws {
        let rule = try RuleText(parsing: Self.whole)
        #expect(rule.when.status?.map(\.text) == ["429", "500-503", "4xx"])
        #expect(rule.when.error == [.timeout, .connect])
        #expect(
            rule.when.header == [
                HeaderMatch(name: "retry-after"), HeaderMatch(name: "x-why", contains: "over, quota"),
                HeaderMatch(name: "a", equals: "b"),
            ]
        )
        #expect(rule.when.bodyContains == ["insufficient quota", "billing"])
        #expect(rule.when.bodyRegex == "code\\D+(7|8)")
        #expect(rule.when.bodyJson == JSONMatch(path: "error.code", equals: "then"))
        #expect(rule.when.latencyOverMs == 5000 && rule.threshold == RuleThreshold(count: 3, seconds: 60))
        #expect(rule.then.map(\.action) == [.cooldownKey, .retryNextKey, .respond, .notify])
        #expect(rule.then[0].seconds == 60 && rule.then[0].fromAnswer == false)
        #expect(rule.then[2].status == 503 && rule.then[2].body == "say \"no\"")
        #expect(try RuleText(parsing: rule.text) == rule)
    }

    @Test func `an expression may be typed as it is, without doubling its backslashes`() throws {
        let rule = try RuleText(parsing: #"body ~ "\d+\.(a|b)" then ban_key"#)
        #expect(rule.when.bodyRegex == #"\d+\.(a|b)"#)
        #expect(try RuleText(parsing: rule.text) == rule)
    }

    @Test func `names with spaces stand in quotes, and keywords in any case`() throws {
        let text = #"header "x y" = z and json "a b" = "or" then notify"#
        let rule = try RuleText(parsing: text)
        #expect(rule.when.header?.first?.name == "x y" && rule.when.bodyJson?.path == "a b")
        #expect(try RuleText(parsing: rule.text) == rule)
        #expect(
            try RuleText(parsing: "STATUS 429 AND body CONTAINS x THEN notify").when.bodyContains == ["x"]
        )
    }

    @Test func `a sign with a mark upon it ends nothing and hangs nothing`() {
        for text in ["status =\u{338} 429 then notify", ",\u{301}", "\"\u{301}x", ">\u{338}"] {
            #expect(throws: RuleTextError.self) { try RuleText(parsing: text) }
        }
        #expect(throws: RuleTextError.self) { try RuleText(parsing: "latency > 999999999999d then notify") }
    }

    @Test func `lines may be broken anywhere, and when and always may be said`() throws {
        let rule = try RuleText(parsing: "when always\n then\n notify")
        #expect(rule.when == RuleCondition() && rule.text == "always then notify")
    }

    private static let faults: [(text: String, line: Int, column: Int, says: String)] = [
        ("", 1, 1, "condition"), ("status 429", 1, 11, "then"), ("status 99 then notify", 1, 8, "status"),
        ("status 429 then", 1, 16, "action"), ("status 429 then explode", 1, 17, "explode"),
        ("colour red then notify", 1, 1, "colour"), ("status 429\nand body then notify", 2, 10, "contains"),
        ("body contains \"x then notify", 1, 15, "quote"), ("latency 5s then notify", 1, 9, ">"),
        ("latency > soon then notify", 1, 11, "duration"), ("3 times then notify", 1, 9, "in"),
        ("status 429 and status 500 then notify", 1, 16, "already"),
        ("status 429 then notify notify", 1, 24, "comma"), ("status 429 then respond x", 1, 25, "status"),
        ("json error.code then notify", 1, 17, "="), ("always and status 429 then notify", 1, 8, "alone"),
        ("status 429 or status 5xx then notify", 1, 12, "each"),
        ("status 429 then cooldown_key 5parsecs", 1, 30, "length"),
        ("status 429 then cooldown_key 1500ms", 1, 30, "whole seconds"),
        ("error boom then notify", 1, 7, "timeout"),
    ]

    @Test(arguments: faults.indices)
    func `a fault is told with its place`(index: Int) {
        let (text, line, column, says) = Self.faults[index]
        do throws(RuleTextError) {
            _ = try RuleText(parsing: text)
            Issue.record("\(text) was taken")
        } catch {
            #expect((error.line, error.column) == (line, column) && error.message.contains(says), "\(error)")
        }
    }

    @Test func `whatever is typed is read or refused, and never traps`() {
        var random = SystemRandomNumberGenerator()
        let parts = [
            "status", "429", ",", "and", "then", "\"", "\\", "body", "~", "contains", "x", "=", ">", "3",
            "times", "in",
            "60s", "=\u{338}", "999999999999d", "\n", "é", "notify", "respond", "header", "json",
        ]
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...12, using: &random))
                .map { _ in parts.randomElement(using: &random) ?? "" }.joined(separator: " ")
            guard let rule = try? RuleText(parsing: text) else { continue }
            #expect((try? RuleText(parsing: rule.text)) == rule, "\(text)")
        }
    }
}
