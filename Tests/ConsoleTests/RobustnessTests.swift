import Operations
import Testing

@testable import Console

@Suite struct `Any size, any key, any text` {
    @Test func `every size can be drawn, and every line is as wide as the screen`() {
        for columns in [1, 19, 20, 39, 40, 79, 80, 119, 120, 300] {
            for lines in [1, 2, 3, 7, 8, 15, 16, 24, 30, 100] {
                for pane in PaneID.allCases {
                    var console = ConsoleDriver(columns: columns, lines: lines)
                    console.fill()
                    console.press(pane.number, "enter")
                    Self.check(console)
                }
            }
        }
    }

    /// Columns add up on each line, and the cursor is on the screen.
    private static func check(_ console: ConsoleDriver) {
        let frame = console.frame
        let buffer = frame.buffer
        #expect(buffer.width == console.state.size.columns && buffer.height == console.state.size.lines)
        for y in 0..<buffer.height {
            let columns = (0..<buffer.width).reduce(0) { $0 + Int(buffer[$1, y].width) }
            #expect(columns == buffer.width)
        }
        if let cursor = frame.cursor {
            #expect((0..<buffer.width).contains(cursor.x) && (0..<buffer.height).contains(cursor.y))
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `no sequence of keys, answers and sizes breaks it`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let names =
            Array(Key.named).sorted()
            + "1234567890/:?jkgGsCpynNdeRXDLvhltYmMix=[]<>\\ uabc".map { String($0) }
        var console = ConsoleDriver()
        console.fill()
        for step in 0..<500 {
            let name = names.randomElement(using: &random) ?? "j"
            console.send(.terminal(.key(Key.parse(name) ?? .down)))
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                let size = Size(
                    columns: .random(in: 1...300, using: &random),
                    lines: .random(in: 1...100, using: &random)
                )
                console.send(.resize(size))
            case 1: console.fill()
            case 2:
                console.answer(
                    .logBatch(
                        LogBatch(records: [Fixture.record(step + 300)], skipped: 1),
                        console.state.watch ?? LogWatch(filter: "", pace: .full)
                    )
                )
            case 3: console.send(.terminal(.paste("x\u{1B}[31m\ny")))
            case 4: console.answer(step % 2 == 0 ? .live(Fixture.live()) : .outage("gone"))
            case 5: console.pass(seconds: 3)
            case 6:
                console.answer(.logDetail(console.state.logs.record?.id ?? 0, .success(Fixture.detail(3))))
            case 7:
                console.send(
                    .terminal(
                        .click(
                            x: .random(in: 0..<300, using: &random),
                            y: .random(in: 0..<100, using: &random)
                        )
                    )
                )
            default: break
            }
            Self.check(console)
        }
    }

    @Test func `hostile text shifts no column and sends no control`() {
        var console = ConsoleDriver()
        console.fill()
        console.press("3")
        let hostile =
            (0x00...0x20).map { String(UnicodeScalar(UInt8($0))) }
            + (0x7F...0xA0).map { String(UnicodeScalar(UInt8($0))) }
            + [
                "\u{1B}]52;c;ZXZpbA==\u{07}", "\u{202E}abc\u{202C}", "\u{200B}\u{200D}\u{FEFF}", "👩‍💻", "🇫🇷",
                "日本語", "a\u{301}\u{301}\u{301}", "\u{2028}",
            ]
        let records = hostile.enumerated().map { index, text in
            var record = Fixture.record(index + 300)
            record.path = "/p/\(text)/q"
            record.model = text
            record.clientKey = text
            record.error = text
            return record
        }
        console.answer(.logBatch(LogBatch(records: records, skipped: 0), LogWatch(filter: "", pace: .full)))
        for key in ["k", "enter", "G", "1", "4", "0"] {
            console.press(key)
            Self.check(console)
            for cell in console.frame.buffer.cells where cell.width > 0 {
                let isControl = cell.scalar < 0x20 || (0x7F..<0xA0).contains(cell.scalar)
                #expect(!isControl && cell.scalar != 0x202E && cell.scalar != 0x200B)
            }
        }
    }

    @Test func `JSON that is cut, deep or wrong is shown all the same`() {
        for text in [
            "{", "{\"a\":", "[[[[", "{\"a\":\"\\", "}{", "[1,2,{\"x\":null}]",
            String(repeating: "[", count: 9000),
        ] {
            let lines = PrettyJSON.lines(text)
            #expect(lines?.isEmpty != true)
        }
        #expect(PrettyJSON.lines("hello") == nil)
        #expect(
            PrettyJSON.lines(#"{"a":[1,true],"b":{}}"#)?.map(\.text) == [
                "{", "  \"a\": [", "    1,", "    true", "  ],", "  \"b\": {}", "}",
            ]
        )
    }
}
