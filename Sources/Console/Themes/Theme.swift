/// How every role looks, in colours and without any.
struct Theme: Equatable, Sendable {
    /// A colour for each depth, where a theme says more than one.
    struct Shade: Equatable, Sendable {
        var full: Color
        var indexed: Color?
        var ansi: Color?

        func at(_ depth: ColorDepth) -> Color {
            switch depth {
            case .mono: .standard
            case .truecolor: full
            case .indexed: indexed ?? depth.nearest(to: full)
            case .ansi: ansi ?? depth.nearest(to: full)
            }
        }

        static let standard = Shade(full: .standard)
    }

    struct Entry: Equatable, Sendable {
        var foreground = Shade.standard
        var background = Shade.standard
        var attributes: Attributes = []
    }

    var name: String
    var entries: [StyleRole: Entry]
    /// What replaces colours where there are none.
    var mono: [StyleRole: Attributes]

    /// Without files: the terminal's own colours, told apart by letters' weight.
    static let plain = Theme(
        name: "plain",
        entries: [:],
        mono: [
            .heading: .bold, .title: .bold, .selection: .reverse, .cursor: .reverse, .tabActive: .reverse,
            .tableHeader: .bold, .key: .bold, .error: .bold, .warning: .bold, .buttonActive: .reverse,
            .inputActive: .underline, .marked: .bold, .match: .reverse, .muted: .dim, .disabled: .dim,
        ]
    )
}

/// A theme at one depth, with the glyphs: all that drawing needs to know of the terminal.
///
/// A class, as `Glyphs` is: every canvas holds it.
final class Look: Sendable {
    let glyphs: Glyphs
    let theme: String
    private let styles: [Style]

    init(_ theme: Theme, depth: ColorDepth, glyphs: Glyphs) {
        self.glyphs = glyphs
        self.theme = theme.name
        styles = StyleRole.allCases.map { role in
            if depth == .mono { return Style(attributes: theme.mono[role] ?? []) }
            let entry = theme.entries[role] ?? Theme.Entry()
            return Style(
                foreground: entry.foreground.at(depth),
                background: entry.background.at(depth),
                attributes: theme.entries.isEmpty ? theme.mono[role] ?? [] : entry.attributes
            )
        }
    }

    private static let places = Dictionary(
        uniqueKeysWithValues: StyleRole.allCases.enumerated().map { ($1, $0) }
    )

    func style(_ role: StyleRole) -> Style {
        Self.places[role].map { styles[$0] } ?? .plain
    }
}
