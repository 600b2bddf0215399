import Foundation
import Operations
import Testing

@testable import Console

/// Whole screens, letters and looks, against files; `FASTGATE_BLESS=1 make unit` writes them anew.
@Suite struct Goldens {
    struct Screen: Sendable, CustomStringConvertible {
        let pane: PaneID
        let columns: Int
        let lines: Int
        let glyphs: Glyphs.Kind
        var depths: [ColorDepth] = [.truecolor, .indexed, .ansi, .mono]

        var description: String { "\(pane.rawValue.lowercased())-\(columns)x\(lines)-\(glyphs.rawValue)" }
    }

    private static let screens: [Screen] = {
        var screens: [Screen] = []
        for pane in [PaneID.dashboard, .live, .logs] {
            for (columns, lines) in [(60, 20), (80, 24), (120, 40), (200, 60)] {
                for glyphs in [Glyphs.Kind.unicode, .ascii] {
                    screens.append(Screen(pane: pane, columns: columns, lines: lines, glyphs: glyphs))
                }
            }
        }
        for pane in [PaneID.keys, .pool, .upstreams, .rules, .scripts, .alerts, .system] {
            screens.append(Screen(pane: pane, columns: 80, lines: 24, glyphs: .ascii, depths: [.mono]))
            screens.append(
                Screen(pane: pane, columns: 120, lines: 40, glyphs: .unicode, depths: [.truecolor])
            )
        }
        return screens
    }()

    @Test(arguments: screens)
    func `a pane looks as it did`(screen: Screen) throws {
        var text = ""
        for (index, depth) in screen.depths.enumerated() {
            var console = ConsoleDriver(
                columns: screen.columns,
                lines: screen.lines,
                depth: depth,
                glyphs: screen.glyphs
            )
            console.fill()
            console.press(screen.pane.number)
            if screen.pane == .logs {
                console.press("N", "enter")
                console.answer(.logDetail(1197, .success(Fixture.detail(197))))
            }
            if screen.pane == .live {
                console.answer(.live(Fixture.busy()))
                console.press("j", "enter")
                console.answer(.watched(11, Fixture.piece(11)))
            }
            if screen.pane == .dashboard { console.press("left", "left") }
            if screen.pane == .scripts {
                console.press("o", "x-sign", "enter", "ctrl-t")
                console.answer(.ran(.success(Fixture.scriptFault), number: 1))
            }
            if screen.pane == .keys { console.press("space", "n", "lab") }
            let buffer = console.frame.buffer
            if index == 0 { text += Self.letters(buffer) }
            text += "\n\(depth.rawValue)\n" + Self.looks(buffer)
        }
        let path = "\(Fixture.root)/Tests/ConsoleTests/Goldens/\(screen).txt"
        if ProcessInfo.processInfo.environment["FASTGATE_BLESS"] == "1" {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let golden = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text == golden, "\(screen) differs; see `git diff` after FASTGATE_BLESS=1")
    }

    private static func letters(_ buffer: CellBuffer) -> String {
        (0..<buffer.height).map { line in
            var text = buffer.text(line: line)
            while text.last == " " { text.removeLast() }
            return text + "\n"
        }.joined()
    }

    /// `3: 0-8 c1 b, 9-20 …`: the runs of each line that are not plain; lines of the same runs together.
    private static func looks(_ buffer: CellBuffer) -> String {
        var lines: [String] = []
        for y in 0..<buffer.height {
            var runs: [String] = []
            var start = 0
            for x in 1...buffer.width where x == buffer.width || buffer[x, y].style != buffer[start, y].style
            {
                if buffer[start, y].style != .plain {
                    runs.append("\(start)-\(x - 1) \(name(buffer[start, y].style))")
                }
                start = x
            }
            lines.append(runs.joined(separator: ", "))
        }
        var text = ""
        var first = 0
        for y in 1...lines.count where y == lines.count || lines[y] != lines[first] {
            if !lines[first].isEmpty {
                text += "\(first)\(y - 1 > first ? "-\(y - 1)" : ""): \(lines[first])\n"
            }
            first = y
        }
        return text
    }

    private static func name(_ style: Style) -> String {
        func name(_ color: Color) -> String {
            if let index = color.index { return "\(index)" }
            guard let (red, green, blue) = color.components else { return "." }
            return [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        let attributes = Attributes.names.filter { style.attributes.contains($0.value) }.map {
            $0.name.prefix(1)
        }.joined()
        return
            "\(name(style.foreground))/\(name(style.background))\(attributes.isEmpty ? "" : " \(attributes)")"
    }
}
