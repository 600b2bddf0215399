import NIOCore
import Testing

@testable import Gateway

@Suite struct `Event stream scanner` {
    private func scan(_ text: String, pieceSize: Int = .max) -> EventStreamScanner {
        var scanner = EventStreamScanner()
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            bytes.prefix(pieceSize).withUnsafeBytes { scanner.scan($0) }
            bytes = bytes.dropFirst(pieceSize)
        }
        return scanner
    }

    private let stream = """
        data: {"choices":[{"delta":{"content":"a"}}]}\n\n: comment\n\ndata: {"choices":[]}\r\n\r\n\
        event: x\ndata: one\ndata: two\n\n\
        data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}\n\ndata: [DONE]\n\n
        """

    @Test(arguments: [1, 2, 3, 5, 17, 1000])
    func `events with data are counted, whatever the pieces`(pieceSize: Int) {
        let scanner = scan(stream, pieceSize: pieceSize)
        #expect(scanner.events == 4)
        #expect(scanner.sawDone)
        #expect(scanner.usesEventLines)
        #expect(scanner.usage?.promptTokens == 12)
        #expect(scanner.usage?.completionTokens == 34)
        #expect(scanner.isAtBoundary)
    }

    @Test(arguments: ["data: x", "data: x\n", "data: x\r\n"])
    func `an event that has not ended is no boundary`(text: String) {
        #expect(!scan(text).isAtBoundary)
    }

    @Test func `Anthropic's two reports are one usage`() {
        let text = """
            event: message_start\ndata: {"message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n
            event: message_delta\ndata: {"usage":{"output_tokens":55}}\n\n
            """
        #expect(scan(text).usage == TokenUsage(prompt: 7, completion: 55))
    }

    @Test func `a line over the limit is followed but not kept`() {
        let scanner = scan(
            "data: " + String(repeating: "x", count: 200_000) + "\n\ndata: y\n\n",
            pieceSize: 4096
        )
        #expect(scanner.events == 2)
    }

    @Test func `usage of a plain answer is the last one`() {
        let text =
            #"{"choices":[{"message":{"content":"\"usage\": {}"}}],"usage": {"prompt_tokens":1,"completion_tokens":2}}"#
        let usage = Array(text.utf8).withUnsafeBytes(TokenUsage.find)
        #expect(usage == TokenUsage(prompt: 1, completion: 2))
    }

    @Test func `what no provider can mean is missing, and never summed up`() {
        let text = #"{"usage":{"prompt_tokens":999999999999999999,"completion_tokens":3}}"#
        let usage = Array(text.utf8).withUnsafeBytes(TokenUsage.find)
        #expect(usage?.promptTokens == nil && usage?.completionTokens == 3)
    }

    @Test(arguments: [TokenUsage.most - 1, TokenUsage.most, TokenUsage.most + 1])
    func `as many tokens are believed as any model can use`(count: Int) {
        let text = "{\"usage\":{\"prompt_tokens\":\(count),\"completion_tokens\":3}}"
        let usage = Array(text.utf8).withUnsafeBytes(TokenUsage.find)
        #expect(usage?.promptTokens == (count <= TokenUsage.most ? count : nil))
    }

    @Test func `a usage of null is missing, never zero`() {
        #expect(Array(#"{"usage":null}"#.utf8).withUnsafeBytes(TokenUsage.find) == nil)
    }
}

extension TokenUsage {
    fileprivate init?(prompt: Int, completion: Int) {
        let text = "{\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion)}"
        guard let usage = Array(text.utf8).withUnsafeBytes({ TokenUsage(object: $0) }) else { return nil }
        self = usage
    }
}

@Suite struct `Body editor` {
    private func edit(_ text: String, removing names: [String], adding: (String, String)? = nil) -> String? {
        let addition = adding.map {
            (name: Array($0.0.utf8), member: JSONText.quote($0.0) + [0x3A] + JSONText.quote($0.1))
        }
        return BodyEditor.edit(
            ByteBuffer(string: text),
            removing: names.map { Array($0.utf8) },
            adding: addition
        )
        .map { String(buffer: $0) }
    }

    @Test func `a body with nothing to strip is not touched`() {
        #expect(edit(#"{ "model" : "x", "n": 1 }"#, removing: ["user"]) == nil)
    }

    @Test(
        arguments: [
            (#"{"a":1,"user":"x","b":[1,{"user":2}]}"#, #"{"a":1,"b":[1,{"user":2}]}"#),
            (#"{"user":{"x":"}"},"a":"\"user\":1"}"#, #"{"a":"\"user\":1"}"#), (#"{"user":null}"#, "{}"),
            (#"{"user":1,"user":2,"c":3}"#, #"{"c":3}"#), (#"{"c":3,"uSER":2}"#, #"{"c":3}"#),
        ]
    )
    func `top-level members are removed and nested ones stay`(before: String, after: String) {
        #expect(edit(before, removing: ["user"]) == after)
    }

    @Test func `a key goes in first and replaces one of its name`() {
        #expect(edit(#"{"model":"m"}"#, removing: [], adding: ("key", "s")) == #"{"key":"s","model":"m"}"#)
        #expect(edit(#"{"key":"mine","a":1}"#, removing: [], adding: ("key", "s")) == #"{"key":"s","a":1}"#)
        #expect(edit("{}", removing: [], adding: ("key", "s")) == #"{"key":"s"}"#)
    }

    @Test(arguments: ["", "[1]", "null", "\"x\"", "{", "{\"a\"", "{\"a\":", "not json"])
    func `what is no object is never edited into one`(text: String) {
        #expect(edit(text, removing: ["a"]) == nil)
    }
}

@Suite struct `JSON that decides` {
    @Test(arguments: [255, 256, 257])
    func `a model's name has a longest length`(length: Int) {
        let name = String(repeating: "m", count: length)
        let body = Array(#"{"stream":true,"model":"\#(name)","x":1}"#.utf8)
        let found = body.withUnsafeBytes { bytes in
            JSONFields.model(in: bytes).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(found == (length <= 256 ? name : nil))
    }

    @Test(
        arguments: [
            (#"a\/b"#, "a/b"), (#"\u0061\u00e4"#, "aä"), (#"\ud83d\ude00!"#, "😀!"),
            (#"\ud83dx"#, "\u{FFFD}x"),
            (#"\n\t\"\\"#, "\n\t\"\\"), (#"\ud83d\u0041"#, "\u{FFFD}A"), (#"\q"#, nil), (#"\u12"#, nil),
            (#"\u00zz"#, nil),
        ] as [(String, String?)]
    )
    func `a text is read without its escapes`(text: String, plain: String?) {
        #expect(JSONText.plain(text.utf8).map { String(decoding: $0, as: UTF8.self) } == plain)
        let body = Array("{\"model\":\"\(text)\"}".utf8)
        #expect(body.withUnsafeBytes { JSONFields.model(in: $0) } == plain.map { Array($0.utf8) })
    }

    @Test(
        arguments: [
            (#"{"model":"m"}"#, true), ("{}", true), (" {\n}\n", true), (#"{"a":{"a":1}}"#, true),
            (#"{"model":"a","model":"b"}"#, false), (#"{"model":"a","Model":"b"}"#, false),
            (#"{"\u006dodel":"b"}"#, false), (#"{"a":1} x"#, false),
            ("[]", false),
            (#"{"u\u{17F}er":1}"#, false), (#"{"api_\u{212A}ey":1}"#, false), (#"{"größe":1}"#, true),
            (#"{"a":1"#, false), ("", false), ("\u{feff}{}", false), (#"{"a":1}{"a":2}"#, false),
        ]
    )
    func `must read the same to everybody`(text: String, isPlain: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes(JSONFields.isUnambiguous) == isPlain)
    }

    @Test(.timeLimit(.minutes(1))) func `nested usage cannot keep a loop busy`() {
        let text = "data: " + String(repeating: #"{"usage":"#, count: 7000) + "\n\n"
        var scanner = EventStreamScanner()
        for _ in 0..<100 {
            Array(text.utf8).withUnsafeBytes { scanner.scan($0) }
        }
        #expect(scanner.events == 100)
        let returns = Array(String(repeating: "\r", count: 200_000).utf8)
        returns.withUnsafeBytes { scanner.scan($0) }
        #expect(scanner.usage == nil)
    }
}
