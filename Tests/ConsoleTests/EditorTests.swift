import Operations
import Testing

@testable import Console

@Suite struct `Editor of scripts` {
    private func editor(_ text: String = "", _ keys: String...) -> Editor {
        var editor = Editor(text, limit: 1000)
        for key in keys { press(key, on: &editor) }
        return editor
    }

    /// A key by its name, or text typed letter by letter.
    private func press(_ key: String, on editor: inout Editor) {
        if let named = Key.parse(key) {
            _ = editor.handle(named)
        } else {
            for letter in key { _ = editor.handle(letter == " " ? .space : Key(String(letter))) }
        }
    }

    @Test func `a word is one step back, and so is a line end`() {
        var editor = editor("", "let a", "enter", "= 1")
        #expect(editor.text == "let a\n= 1")
        for expected in ["let a\n= ", "let a\n", "let a", "let ", ""] {
            #expect(editor.undo() == true)
            #expect(editor.text == expected)
        }
        #expect(editor.undo() == false)
        for _ in 0..<5 { #expect(editor.redo() == true) }
        #expect(editor.text == "let a\n= 1")
        #expect(editor.redo() == false)
    }

    @Test func `a paste is one step, keeps its indents, and has one kind of line end`() {
        var editor = editor("a", "end")
        let lines = (0..<200).map { "  l\($0)" }
        editor = Editor("a", limit: 10_000)
        press("end", on: &editor)
        #expect(editor.paste("{\r\n" + lines.joined(separator: "\r") + "\u{1b}[31m\u{0}") == .changed)
        #expect(editor.text == "a{\n" + lines.joined(separator: "\n") + "[31m")
        #expect(editor.undo() == true)
        #expect(editor.text == "a" && editor.cursor == EditorPlace(line: 0, column: 1))
    }

    @Test func `what is typed after undoing ends what could be done again`() {
        var editor = editor("", "one two")
        #expect(editor.undo() == true)
        press("3", on: &editor)
        #expect(editor.text == "one 3")
        #expect(editor.redo() == false)
    }

    @Test func `a line end indents as the line before it, more after what opens a block`() {
        #expect(editor("", "if (a) {", "enter", "b", "enter", "shift-tab", "}").text == "if (a) {\n  b\n}")
        var python = editor()
        python.set(.python)
        for key in ["if a:", "enter", "b"] { press(key, on: &python) }
        #expect(python.text == "if a:\n    b")
        #expect(editor("ab", "end", "tab", "c").text == "ab  c")
        #expect(editor("abc", "end", "tab", "c").text == "abc c")
    }

    @Test func `lines are cut one after the other and put in elsewhere`() {
        let moved = editor("one\ntwo\nthree", "ctrl-k", "ctrl-k", "ctrl-u")
        #expect(moved.text == "one\ntwo\nthree")
        let last = editor("one\ntwo\nthree", "ctrl-k", "down", "ctrl-k", "up", "ctrl-u")
        #expect(last.text == "three\ntwo\n")
    }

    @Test func `a mark on a letter is one step of the cursor and one of undoing`() {
        var accented = editor("e", "end")
        #expect(accented.paste("\u{301}") == .changed)
        #expect(accented.text == "e\u{301}")
        #expect(accented.undo() == true)
        #expect(accented.text == "e")
        #expect(editor("e\u{301}x", "right").cursor.column == 2)
        #expect(editor("ae\u{301}", "end", "backspace").text == "a")
    }

    @Test func `it takes no more than its limit, and says by how much`() {
        var editor = Editor(String(repeating: "ä", count: 499), limit: 1000)
        #expect(editor.paste("äb") == .tooLong(1))
        #expect(editor.paste("ä") == .changed)
        #expect(editor.handle(Key("x")) == .tooLong(1))
        #expect(editor.handle(.backspace) == .changed)
        #expect(editor.content.byteCount == 998)
    }

    @Test func `so many steps can be taken back and no more`() {
        for (steps, left) in [(999, ""), (1000, ""), (1001, "\n")] {
            var editor = Editor("", limit: 10_000)
            for _ in 0..<steps { press("enter", on: &editor) }
            var undone = 0
            while editor.undo() { undone += 1 }
            #expect(undone == min(steps, 1000) && editor.text == left, "\(steps)")
        }
    }

    @Test func `a text of its greatest size is pasted whole, a longer one not at all`() {
        for (count, outcome) in [(999, Editor.Outcome.changed), (1000, .changed), (1001, .tooLong(1))] {
            var editor = editor()
            #expect(editor.paste(String(repeating: "x", count: count)) == outcome)
            #expect(editor.content.byteCount == (count > 1000 ? 0 : count))
        }
    }

    @Test func `going up and down keeps to the column`() {
        var editor = editor("long line\n\nanother one", "end")
        #expect(editor.cursor == EditorPlace(line: 0, column: 9))
        for (line, column) in [(1, 0), (2, 9), (2, 9)] {
            press("down", on: &editor)
            #expect(editor.cursor == EditorPlace(line: line, column: column))
        }
    }

    @Test func `home goes to the first letter, then to the margin`() {
        var editor = editor("    indented", "end")
        for column in [4, 0, 4] {
            press("home", on: &editor)
            #expect(editor.cursor.column == column)
        }
    }

    @Test func `what is looked for is found around the ends, in capitals only when they are asked for`() {
        var editor = editor("Alpha beta\nalpha\nÄlpha")
        editor.search = "alpha"
        #expect(editor.matches(inLine: 0) == [0..<5])
        for (forward, stays, number) in [
            (true, true, 1), (true, false, 2), (true, false, 1), (false, false, 2),
        ] {
            let found = editor.find(forward: forward, stays: stays)
            #expect(found?.number == number && found?.count == 2)
        }
        for (text, count) in [("Alpha", 1), ("älpha", 1), ("gamma", nil)] as [(String, Int?)] {
            editor.search = text
            let found = editor.find()
            #expect(found?.count == count, "\(text)")
        }
    }

    /// By random keys and pastes; all of it can be taken back and done again.
    @Test func `whatever is typed holds together, can be taken back, and done again`() {
        var random = SeededRandom(seed: 5)
        let keys = [
            "a", "b", "space", "(", "enter", "tab", "backspace", "delete", "left", "right", "up", "down",
            "home", "end", "ctrl-k", "ctrl-u", "ctrl-w", "ctrl-left", "ctrl-right", "ctrl-home", "ctrl-end",
            "shift-tab",
        ]
        let pastes = ["x\ny", "äö", "e\u{301}", "\n\n", "\t", "漢字", "👍🏽", "  }\n"]
        for _ in 0..<60 {
            var editor = Editor("begin\n  end", limit: 400)
            var texts: Set<String> = [editor.text]
            for _ in 0..<120 {
                let before = editor
                if Int.random(in: 0..<6, using: &random) == 0 {
                    _ = editor.paste(pastes.randomElement(using: &random) ?? "")
                } else {
                    press(keys.randomElement(using: &random) ?? "a", on: &editor)
                }
                let text = editor.text
                #expect(editor.content.byteCount == text.utf8.count && text.utf8.count <= 400)
                #expect(editor.content == EditorText(text))
                #expect(editor.content.clamped(editor.cursor) == editor.cursor)
                if editor.history == before.history { #expect(text == before.text) }
                texts.insert(text)
                editor.settle(height: 3, width: 8, glyphs: .of(.unicode))
                #expect((editor.top..<editor.top + 3).contains(editor.cursor.line))
            }
            let end = editor.text
            var steps = 0
            while editor.undo() {
                steps += 1
                #expect(texts.contains(editor.text))
            }
            #expect(editor.text == "begin\n  end")
            for _ in 0..<steps { #expect(editor.redo() == true) }
            #expect(editor.text == end)
        }
    }
}

@Suite struct `Colours of scripts` {
    private func roles(_ text: String, _ syntax: Syntax) -> [String] {
        var start = Syntax.Start.code
        return EditorText(text).lines.flatMap { line in
            let (pieces, next) = syntax.pieces(of: line, start)
            start = next
            return pieces.filter { $0.role != .punctuation }.map {
                "\($0.role.rawValue) \(String(String.UnicodeScalarView(line[$0.range])))"
            }
        }
    }

    @Test func `JavaScript`() {
        let pattern = ["keyword const", "string /[/]x/g", "comment // b"]
        #expect(roles("const a = /[/]x/g; // b", .javascript) == pattern)
        #expect(roles("a / 2 / b", .javascript) == ["number 2"])
        let template = ["keyword return", "string `a", "string b ${c}`", "string 'x"]
        #expect(roles("return `a\nb ${c}` + 'x", .javascript) == template)
        #expect(roles("a /* b\nc */ d", .javascript) == ["comment /* b", "comment c */"])
        #expect(roles("'open\nreturn", .javascript) == ["string 'open", "keyword return"])
        #expect(roles("hmac(x.return, 0x1F)", .javascript) == ["name hmac", "number 0x1F"])
    }

    @Test func `Python`() {
        let line = ["keyword import", "name time", "comment # now", "name result", "string \"{time}\""]
        #expect(roles("import time # now\nresult = f\"{time}\"", .python) == line)
        let text = ["string '''x", "string 'y'", "string '''", "number 1"]
        #expect(roles("a = '''x\n'y'\n''' + 1", .python) == text)
    }

    @Test func `patterns have a colour up to their length`() {
        for (length, isPattern) in [(199, true), (200, true), (201, false)] {
            let pattern = "/" + String(repeating: "x", count: length - 2) + "/"
            #expect(roles(pattern, .javascript).contains("string \(pattern)") == isPattern, "\(length)")
        }
    }

    @Test func `every line ends, whatever stands in it`() {
        var random = SeededRandom(seed: 7)
        let signs = Array("ab1 .'\"`/*#\\[](){}$_=é漢".unicodeScalars)
        for syntax in [Syntax.javascript, .python] {
            var start = Syntax.Start.code
            for _ in 0..<5000 {
                let count = Int.random(in: 0..<24, using: &random)
                let line = (0..<count).compactMap { _ in signs.randomElement(using: &random) }
                let (pieces, next) = syntax.pieces(of: line, start)
                start = next
                var end = 0
                for piece in pieces {
                    #expect(piece.range.lowerBound >= end && piece.range.upperBound <= line.count)
                    end = piece.range.upperBound
                }
            }
        }
    }
}
