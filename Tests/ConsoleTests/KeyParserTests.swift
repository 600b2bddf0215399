import Testing

@testable import Console

@Suite struct `Keys of a terminal` {
    private func parse(_ text: String) -> [TerminalEvent] {
        var parser = KeyParser()
        return parser.feed(Array(text.utf8)) + parser.flush()
    }

    @Test(
        arguments: [
            ("j", "j"), ("\u{1B}[A", "up"), ("\u{1B}OA", "up"), ("\u{1B}[1;5A", "ctrl-up"),
            ("\u{1B}[1;2D", "shift-left"),
            ("\u{1B}[5~", "pgup"), ("\u{1B}[3~", "delete"), ("\u{1B}[H", "home"), ("\u{1B}[4~", "end"),
            ("\u{1B}[Z", "shift-tab"), ("\u{1B}[[A", "f1"), ("\u{1B}OQ", "f2"), ("\u{1B}[13~", "f3"),
            ("\r", "enter"),
            ("\n", "enter"), ("\u{7F}", "backspace"), ("\u{08}", "backspace"), ("\t", "tab"),
            ("\u{03}", "ctrl-c"),
            ("\u{1B}", "esc"), ("\u{1B}x", "alt-x"), (" ", "space"), ("é", "é"), ("日", "日"), ("😀", "😀"),
        ]
    )
    func `a sequence is one key`(bytes: String, name: String) {
        #expect(parse(bytes) == [.key(Key(name))])
    }

    @Test func `sequences may arrive a byte at a time`() {
        var parser = KeyParser()
        var events: [TerminalEvent] = []
        for byte in "\u{1B}[1;5C日\u{1B}[200~a\u{1B}b\u{1B}[201~q".utf8 {
            events += parser.feed([byte])
        }
        #expect(events == [.key(Key("ctrl-right")), .key(Key("日")), .paste("a\u{1B}b"), .key(Key("q"))])
    }

    @Test func `an Esc that waits is its own key when a letter follows later`() {
        var parser = KeyParser()
        #expect(parser.feed([0x1B]).isEmpty)
        #expect(parser.isWaiting)
        #expect(parser.feed([0x31]) == [.key(.escape), .key(Key("1"))])
    }

    @Test func `an answer of the terminal is no key`() {
        var parser = KeyParser()
        #expect(parser.feed(Array("a\u{1B}[0nb".utf8)) == [.key(Key("a")), .answer, .key(Key("b"))])
        let cut = [parser.feed(Array("\u{1B}[0".utf8)), parser.feed([0x6E])]
        #expect(cut == [[], [.answer]])
    }

    @Test func `a paste is one piece, whatever is in it`() {
        #expect(parse("\u{1B}[200~:quit\rq\u{1B}[A\u{1B}[201~") == [.paste(":quit\rq\u{1B}[A")])
    }

    @Test(arguments: [KeyParser.pasteLimit - 1, KeyParser.pasteLimit, KeyParser.pasteLimit + 1])
    func `a paste has an end`(length: Int) {
        var parser = KeyParser()
        var events = parser.feed(Array("\u{1B}[200~".utf8))
        events += parser.feed(Array(repeating: 0x61, count: length))
        events += parser.feed(Array("\u{1B}[201~".utf8))
        guard case .paste(let text) = events.first else {
            Issue.record("no paste")
            return
        }
        #expect(text.utf8.count == min(length, KeyParser.pasteLimit))
    }

    /// Found by a review: the first of them ended the process.
    @Test(
        arguments: [
            "\u{1B}[1;-9223372036854775808A", "\u{1B}[<0;-9223372036854775808;1M",
            "\u{1B}[9223372036854775807;9A",
            "\u{1B}[<9223372036854775808;1;1M", "\u{1B}[;;;;~",
        ]
    )
    func `numbers of any size are only numbers`(bytes: String) {
        #expect(parse(bytes).count <= 1)
    }

    @Test func `focus, clicks and the wheel are told`() {
        #expect(parse("\u{1B}[I\u{1B}[O") == [.focus(true), .focus(false)])
        #expect(parse("\u{1B}[<0;5;3M\u{1B}[<0;5;3m") == [.click(x: 4, y: 2)])
        #expect(parse("\u{1B}[<64;1;1M") == [.wheel(x: 0, y: 0, lines: -3)])
    }

    /// Late answers of a terminal to questions must not become keys.
    @Test(
        arguments: [
            "\u{1B}[?1;2c", "\u{1B}]11;rgb:0000/0000/0000\u{07}", "\u{1B}]11;rgb:0/0/0\u{1B}\\",
            "\u{1B}[?2026;2$y",
            "\u{1B}P1$r0m\u{1B}\\", "\u{1B}[M !!", "\u{85}",
        ]
    )
    func `answers of a terminal are not typed`(bytes: String) {
        #expect(parse(bytes) == [])
    }

    @Test func `no bytes break it, and it never keeps waiting`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<3000 {
            var parser = KeyParser()
            for _ in 0..<4 {
                let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                    Bool.random(using: &random)
                        ? UInt8.random(in: 0...255, using: &random)
                        : [0x1B, 0x5B, 0x3B, 0x7E].randomElement(using: &random) ?? 0
                }
                _ = parser.feed(bytes)
            }
            _ = parser.flush()
            #expect(!parser.isWaiting)
        }
    }
}

/// The same numbers at every run (SplitMix64, Steele and others, 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
