import Glibc
import Testing

@testable import Console

@Suite struct Themes {
    private let library = ThemeLibrary(folders: [Fixture.themes])

    @Test func `every theme that comes along loads without a fault`() {
        #expect(library.faults.isEmpty, "\(library.faults)")
        #expect(
            library.names == [
                "16-color", "dark", "deuteranopia", "high-contrast", "high-contrast-light", "light", "mono",
                "plain",
                "transparent", "tritanopia",
            ]
        )
    }

    @Test func `every theme says how every style looks, in colours and without`() {
        for name in library.names where name != "plain" {
            let theme = library.theme(name)
            for role in StyleRole.allCases {
                #expect(theme?.entries[role] != nil, "\(name) has no \(role)")
            }
        }
        // Without colours what matters is told apart by weight.
        let mono = Look(library.theme("dark") ?? .plain, depth: .mono, glyphs: .ascii)
        for role in [StyleRole.selection, .cursor, .error, .tabActive, .buttonActive, .key] {
            #expect(mono.style(role).attributes != [], "\(role) is plain")
            #expect(mono.style(role).foreground == .standard)
        }
    }

    /// Relative luminance and contrast as WCAG 2.1 defines them; the grounds are what terminals of the kind have.
    @Test(
        arguments: [
            ("dark", "#16161e", 4.5), ("light", "#ffffff", 4.5), ("high-contrast", "#000000", 7),
            ("high-contrast-light", "#ffffff", 7), ("deuteranopia", "#16161e", 4.5),
            ("tritanopia", "#16161e", 4.5),
        ]
    )
    func `letters can be read on their ground`(name: String, ground: String, wanted: Double) {
        guard let theme = library.theme(name), let ground = ThemeFile.color(ground) else {
            Issue.record("no theme")
            return
        }
        let look = Look(theme, depth: .truecolor, glyphs: .unicode)
        for role in [
            StyleRole.muted, .accent, .heading, .ok, .warning, .error, .info, .key, .hint, .string, .p99,
            .rate,
        ] {
            let style = look.style(role)
            let back = style.background == .standard ? ground : style.background
            let ratio = Self.contrast(style.foreground, back)
            #expect(ratio >= wanted, "\(name) \(role): \(ratio)")
        }
    }

    private static func luminance(_ color: Color) -> Double {
        guard let (red, green, blue) = color.components else { return 0 }
        func linear(_ value: Int) -> Double {
            let share = Double(value) / 255
            return share <= 0.040_45 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    private static func contrast(_ left: Color, _ right: Color) -> Double {
        let (a, b) = (luminance(left), luminance(right))
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }

    @Test(
        arguments: [
            ("name: x\nstyles: { nonsense: red }", 2, "there is no style nonsense"),
            ("name: x\npalette:\n  a: '#12345'", 3, "#12345 is no colour"),
            (
                "name: x\nmono: { error: loud }", 2,
                "loud is no attribute; there are bold, dim, underline, reverse and italic"
            ),
            (
                "name: x\ncolours: {}", 2,
                "colours is unknown; a theme has name, inherits, palette, styles and mono"
            ),
            ("palette: {}", 1, "needs a name"),
        ]
    )
    func `a fault is told with its line`(text: String, line: Int, message: String) {
        let faults = ThemeFile(text: text, file: "x.yaml").faults
        #expect(faults == [ThemeFault(file: "x.yaml", line: line, message: message)])
    }

    @Test func `a style that names no colour is a fault`() {
        var file = ThemeFile(text: "name: x\nstyles:\n  error: scarlet bold", file: "x.yaml")
        _ = file.entry(file.styles[0], palette: [:])
        #expect(file.faults.map(\.line) == [3])
    }

    @Test func `colours become fewer, and none`() {
        let orange = Color.rgb(255, 140, 26)
        #expect(ColorDepth.truecolor.nearest(to: orange) == orange)
        #expect(ColorDepth.indexed.nearest(to: orange) == .indexed(208))
        #expect(ColorDepth.indexed.nearest(to: .rgb(128, 128, 128)) == .indexed(244))
        #expect(ColorDepth.ansi.nearest(to: .rgb(250, 60, 60)) == .indexed(9))
        #expect(ColorDepth.mono.nearest(to: orange) == .standard)
    }
}
