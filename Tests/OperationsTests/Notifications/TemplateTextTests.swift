import Testing

@testable import Operations

@Suite struct `Text of templates` {
    private static let fields = ["key_name", "reason", "count"]

    @Test(
        arguments: [
            ("{{key_name}} {{ reason }}", nil),
            ("no braces } { }}", nil),
            (
                "one\n  {{other}}",
                "line 2, column 3: there is no {{other}}; there are key_name, reason, count"
            ),
            ("{{key_name", "line 1, column 1: {{ has no }}"),
            ("钥{{}}", "line 1, column 2: there is no {{}}; there are key_name, reason, count"),
        ] as [(String, String?)]
    )
    func `a fault has a place`(text: String, fault: String?) {
        #expect(TemplateText.fault(in: text, fields: Self.fields) == fault)
    }

    @Test(arguments: [-1, 0, 1])
    func `a text has an end`(more: Int) {
        let text = String(repeating: "a", count: TemplateText.limit + more)
        #expect((TemplateText.fault(in: text, fields: []) != nil) == (more > 0))
    }

    @Test func `values are put in, and a line of which none is known is left out`() {
        let text = "# {{key_name}}\n\nWhy: {{reason}}\nCount: {{count}}\nall: {{count}}{{key_name}}\nend"
        #expect(
            TemplateText.filled(text, with: ["key_name": "k", "reason": "{{count}}"])
                == "# k\n\nWhy: {{count}}\nall: k\nend"
        )
    }
}
