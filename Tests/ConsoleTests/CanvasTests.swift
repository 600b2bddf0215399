import CNcurses
import Glibc
import Testing

@testable import Console

@Suite struct `Text on the canvas` {
    private let look = Look(.plain, depth: .mono, glyphs: .unicode)

    private func shown(_ text: String, width: Int = 40, glyphs: Glyphs = .unicode) -> String {
        var canvas = Canvas(
            size: Size(columns: 40, lines: 1),
            look: Look(.plain, depth: .mono, glyphs: glyphs)
        )
        canvas.write(text, x: 0, y: 0, width: width)
        return canvas.buffer.text(line: 0).trimmingSpaces()
    }

    @Test(
        arguments: [
            ("a\u{1B}[31mb", "a␛[31mb"), ("a\u{07}b\0c", "a␇b␀c"), ("x\u{9B}31m", "x\\x9b31m"),
            ("\u{7F}", "␡"),
            ("a\u{202E}b", "a<U+202E>b"), ("a\u{200B}b", "a<U+200B>b"), ("e\u{301}", "e\u{301}"),
            ("❤\u{FE0F}", "❤"),
            ("日本", "日本"), ("a\tb\nc", "a␉b␊c"), ("\u{FEFF}x", "<U+FEFF>x"), ("\u{E000}", "<U+E000>"),
        ]
    )
    func `foreign text is shown and never sent`(text: String, expected: String) {
        #expect(shown(text) == expected)
    }

    @Test func `without UTF-8 nothing but ASCII is sent`() {
        #expect(shown("日本é\u{1B}●", glyphs: .ascii) == "?????^[?")
        for value in UInt32(0)..<0x3000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            #expect(
                shown("a\(Character(scalar))b", glyphs: .ascii).unicodeScalars.allSatisfy { $0.value < 0x7F }
            )
        }
    }

    @Test func `text that does not fit is cut with an ellipsis`() {
        #expect(shown("abcdef", width: 6) == "abcdef")
        #expect(shown("abcdefg", width: 6) == "abcde…")
        // A wide character that would be cut gives way whole.
        #expect(shown("日本語", width: 5) == "日本…")
        #expect(shown("日本語", width: 4) == "日…")
    }

    @Test func `a wide character is never left half`() {
        var buffer = CellBuffer(width: 6, height: 1)
        let wide = Cell(scalar: 0x65E5, width: 2)
        buffer.put(wide, x: 1, y: 0)
        buffer.put(Cell(scalar: 0x61), x: 2, y: 0)
        #expect(buffer.text(line: 0) == "  a   ")
        buffer.put(wide, x: 5, y: 0)
        #expect(buffer[5, 0].width == 1)
        buffer.put(wide, x: 0, y: 0)
        buffer.put(wide, x: 1, y: 0)
        #expect(buffer.cells.map { Int($0.width) }.reduce(0, +) == 6)
    }

    /// ncurses counts columns by the C library; a difference would shift a line.
    @Test func `our widths are the C library's for everything that is sent`() {
        setlocale(LC_CTYPE, "C.UTF-8")
        var differing: [String] = []
        for value in UInt32(0x20)...0x2FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let theirs = Int(cncurses_width(wchar_t(value)))
            let ours: Int
            switch CharacterWidth.of(scalar) {
            case .columns(let columns): ours = columns
            case .combining: ours = 0
            case .hidden, .selector: continue
            }
            if ours != theirs { differing.append("\(String(value, radix: 16)): \(ours), not \(theirs)") }
        }
        #expect(differing.isEmpty, "\(differing.count): \(differing.prefix(20))")
    }
}
