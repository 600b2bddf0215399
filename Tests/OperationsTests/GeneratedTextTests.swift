import Operations
import Testing

@Suite("What a model says, read out of its events")
struct GeneratedTextTests {
    private static let streams: [(name: String, events: String, said: String)] = [
        (
            "OpenAI",
            """
            data: {"choices":[{"delta":{"role":"assistant"}}]}

            data: {"choices":[{"delta":{"content":"Grüß "}}]}

            data: {"choices":[{"delta":{"content":"dich 👋\\n"}}]}

            data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":3}}

            data: [DONE]


            """, "Grüß dich 👋\n"
        ),
        (
            "completions",
            "data: {\"choices\":[{\"text\":\"one\"}]}\r\n\r\ndata: {\"choices\":[{\"text\":\" two\"}]}\r\n\r\n",
            "one two"
        ),
        (
            "Anthropic",
            """
            event: content_block_delta
            data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}

            event: content_block_delta
            data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}


            """, "Hi"
        ),
        ("Responses", "data: {\"type\":\"response.output_text.delta\",\"delta\":\"word\"}\n\n", "word"),
        (
            "Gemini",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]}}]}\n\n", "ab"
        ),
        ("noise", "data: nothing\n: comment\ndata: {\"choices\":7}\nretry: 5\n\u{1F}\n", ""),
    ]

    @Test("each form, in pieces of any length", arguments: streams.indices, [1, 2, 7, 1000])
    func pieces(stream: Int, length: Int) {
        let (name, events, said) = Self.streams[stream]
        var reader = GeneratedText(isEventStream: true)
        var (found, rest) = ("", Array(events.unicodeScalars)[...])
        while !rest.isEmpty {
            found += reader.read(String(String.UnicodeScalarView(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        #expect(found == said, "\(name)")
    }

    @Test("what is no event stream is its own text")
    func plain() {
        var reader = GeneratedText(isEventStream: false)
        #expect(reader.read("{\"a\":") + reader.read("1}") == "{\"a\":1}")
    }

    @Test("a line without an end is not kept for ever")
    func endless() {
        var reader = GeneratedText(isEventStream: true)
        for _ in 0..<40 { #expect(reader.read(String(repeating: "x", count: 100_000)) == "") }
        #expect(reader.read("\ndata: {\"choices\":[{\"text\":\"on\"}]}\n") == "on")
    }
}
