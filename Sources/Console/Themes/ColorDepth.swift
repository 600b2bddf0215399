/// How many colours a terminal shows.
package enum ColorDepth: String, Sendable, CaseIterable {
    case mono
    case ansi = "16"
    case indexed = "256"
    case truecolor

    /// The nearest colour that this depth has.
    func nearest(to color: Color) -> Color {
        switch self {
        case .mono: return .standard
        case .truecolor: return color
        case .indexed:
            guard let (red, green, blue) = color.components else { return color }
            return .indexed(Self.cube(red, green, blue))
        case .ansi:
            if let index = color.index, index < 16 { return color }
            guard let (red, green, blue) = color.components else { return .standard }
            return .indexed(Self.named(red, green, blue))
        }
    }

    /// Levels of the 6×6×6 cube of xterm's 256 colours.
    private static let levels = [0, 95, 135, 175, 215, 255]

    private static func cube(_ red: Int, _ green: Int, _ blue: Int) -> Int {
        func level(_ value: Int) -> Int {
            levels.indices.min { abs(levels[$0] - value) < abs(levels[$1] - value) } ?? 0
        }
        let (r, g, b) = (level(red), level(green), level(blue))
        let grey = min(max(((red + green + blue) / 3 - 3) / 10, 0), 23)
        func distance(_ r: Int, _ g: Int, _ b: Int) -> Int {
            (r - red) * (r - red) + (g - green) * (g - green) + (b - blue) * (b - blue)
        }
        let greyValue = 8 + 10 * grey
        let isGrey =
            distance(greyValue, greyValue, greyValue) < distance(levels[r], levels[g], levels[b])
        return isGrey ? 232 + grey : 16 + 36 * r + 6 * g + b
    }

    /// By hue and brightness; plain distance makes everything grey.
    private static func named(_ red: Int, _ green: Int, _ blue: Int) -> Int {
        let (high, low) = (max(red, green, blue), min(red, green, blue))
        if high - low < 40 { return high > 200 ? 15 : high > 120 ? 7 : high > 50 ? 8 : 0 }
        let middle = (high + low) / 2
        let bits = (red > middle ? 1 : 0) | (green > middle ? 2 : 0) | (blue > middle ? 4 : 0)
        return bits + (high > 190 ? 8 : 0)
    }
}
