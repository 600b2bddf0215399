/// The characters that the console itself draws with; each set says everything.
struct Glyphs: Equatable, Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case unicode
        /// For fonts without braille.
        case blocks
        case ascii
    }

    private(set) var kind: Kind
    let good: Character
    let warning: Character
    let bad: Character
    let idle: Character
    let horizontal: Character
    let vertical: Character
    /// Top left, top right, bottom left, bottom right.
    private(set) var corners: [Character]
    let axis: Character
    let axisCorner: Character
    let crumb: Character
    let chosen: Character
    let marked: Character
    private(set) var stream: Character
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

    static let unicode = Glyphs(
        kind: .unicode,
        good: "●",
        warning: "▲",
        bad: "✖",
        idle: "○",
        horizontal: "─",
        vertical: "│",
        corners: ["╭", "╮", "╰", "╯"],
        axis: "┤",
        axisCorner: "└",
        crumb: "▸",
        chosen: "▌",
        marked: "◆",
        stream: "≋",
        ellipsis: "…",
        up: "↑",
        down: "↓",
        left: "←",
        right: "→",
        arrow: "→",
        middleDot: "·",
        dash: "–",
        levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    )

    static let blocks: Glyphs = {
        var glyphs = unicode
        glyphs.kind = .blocks
        glyphs.corners = ["┌", "┐", "└", "┘"]
        glyphs.stream = "≈"
        return glyphs
    }()

    static let ascii = Glyphs(
        kind: .ascii,
        good: "+",
        warning: "!",
        bad: "x",
        idle: "o",
        horizontal: "-",
        vertical: "|",
        corners: ["+", "+", "+", "+"],
        axis: "|",
        axisCorner: "+",
        crumb: ">",
        chosen: ">",
        marked: "*",
        stream: "~",
        ellipsis: "~",
        up: "^",
        down: "v",
        left: "<",
        right: ">",
        arrow: ">",
        middleDot: "|",
        dash: "-",
        levels: [" ", ".", ".", ":", ":", "-", "=", "#", "#"]
    )

    static func of(_ kind: Kind) -> Glyphs {
        switch kind {
        case .unicode: .unicode
        case .blocks: .blocks
        case .ascii: .ascii
        }
    }
}
