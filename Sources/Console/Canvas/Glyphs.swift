/// The characters that the console itself draws with; each set says everything.
///
/// A class, because every piece of drawing passes it on: copying it must cost nothing.
final class Glyphs: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case unicode
        /// For fonts without braille.
        case blocks
        case ascii
    }

    let kind: Kind
    let good: Character
    let warning: Character
    let bad: Character
    let idle: Character
    let horizontal: Character
    let vertical: Character
    /// Top left, top right, bottom left, bottom right.
    let corners: [Character]
    let axis: Character
    let axisCorner: Character
    let crumb: Character
    let chosen: Character
    let marked: Character
    let stream: Character
    let ellipsis: Character
    let up: Character
    let down: Character
    let left: Character
    let right: Character
    let arrow: Character
    let middleDot: Character
    let dash: Character
    /// From empty to full.
    let levels: [Character]

    /// Whether everything else than ASCII has to be shown as `?`.
    var isASCII: Bool { kind == .ascii }

    /// What any font of a UTF-8 terminal has.
    private init(drawn kind: Kind, corners: [Character], stream: Character) {
        self.kind = kind
        self.corners = corners
        self.stream = stream
        good = "●"
        warning = "▲"
        bad = "✖"
        idle = "○"
        horizontal = "─"
        vertical = "│"
        axis = "┤"
        axisCorner = "└"
        crumb = "▸"
        chosen = "▌"
        marked = "◆"
        ellipsis = "…"
        up = "↑"
        down = "↓"
        left = "←"
        right = "→"
        arrow = "→"
        middleDot = "·"
        dash = "–"
        levels = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    }

    private init() {
        kind = .ascii
        corners = ["+", "+", "+", "+"]
        stream = "~"
        good = "+"
        warning = "!"
        bad = "x"
        idle = "o"
        horizontal = "-"
        vertical = "|"
        axis = "|"
        axisCorner = "+"
        crumb = ">"
        chosen = ">"
        marked = "*"
        ellipsis = "~"
        up = "^"
        down = "v"
        left = "<"
        right = ">"
        arrow = ">"
        middleDot = "|"
        dash = "-"
        levels = [" ", ".", ".", ":", ":", "-", "=", "#", "#"]
    }

    static let unicode = Glyphs(drawn: .unicode, corners: ["╭", "╮", "╰", "╯"], stream: "≋")
    static let blocks = Glyphs(drawn: .blocks, corners: ["┌", "┐", "└", "┘"], stream: "≈")
    static let ascii = Glyphs()

    static func of(_ kind: Kind) -> Glyphs {
        switch kind {
        case .unicode: .unicode
        case .blocks: .blocks
        case .ascii: .ascii
        }
    }
}
