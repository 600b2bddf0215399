import Yams

/// What is wrong in a theme's file, and on which line, from 1.
struct ThemeFault: Error, Equatable, Sendable, CustomStringConvertible {
    let file: String
    let line: Int
    let message: String

    var description: String { "\(file):\(line): \(message)" }
}

/// Reads one theme of YAML.
///
///     name: dusk
///     inherits: dark
///     palette: { accent: ["#7aa2f7", 111, bright_blue] }     # for all depths: or one value
///     styles:  { heading: accent bold, selection: default on surface }
///     mono:    { error: bold reverse }
struct ThemeFile {
    let file: String
    private(set) var name = ""
    private(set) var parent: String?
    private(set) var palette: [String: Theme.Shade] = [:]
    private(set) var styles: [(role: StyleRole, text: String, line: Int)] = []
    private(set) var mono: [StyleRole: Attributes] = [:]
    private(set) var faults: [ThemeFault] = []

    init(text: String, file: String) {
        self.file = file
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            let line = (error as? YamlError).flatMap(Self.line) ?? 1
            faults = [ThemeFault(file: file, line: line, message: "is not valid YAML")]
            return
        }
        guard let mapping = node?.mapping else {
            faults = [ThemeFault(file: file, line: 1, message: "must hold name, palette, styles and mono")]
            return
        }
        for (key, value) in mapping {
            read(key, value)
        }
        if name.isEmpty { fault(node, "needs a name") }
    }

    private static func line(_ error: YamlError) -> Int? {
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }

    private mutating func fault(_ node: Node?, _ message: String) {
        faults.append(ThemeFault(file: file, line: node?.mark?.line ?? 1, message: message))
    }

    private mutating func read(_ key: Node, _ value: Node) {
        switch key.string {
        case "name": name = value.string ?? ""
        case "inherits": parent = value.string
        case "palette":
            for (name, color) in value.mapping ?? [:] {
                palette[name.string ?? ""] = shade(color)
            }
        case "styles":
            for (name, style) in value.mapping ?? [:] {
                guard let role = role(name) else { continue }
                styles.append((role, style.string ?? "", style.mark?.line ?? 1))
            }
        case "mono":
            for (name, words) in value.mapping ?? [:] {
                guard let role = role(name) else { continue }
                mono[role] = attributes((words.string ?? "").split(separator: " "), words)
            }
        default:
            fault(
                key,
                "\(key.string ?? "?") is unknown; a theme has name, inherits, palette, styles and mono"
            )
        }
    }

    private mutating func role(_ node: Node) -> StyleRole? {
        let role = StyleRole(rawValue: node.string ?? "")
        if role == nil { fault(node, "there is no style \(node.string ?? "?")") }
        return role
    }

    private mutating func attributes(_ words: [Substring], _ node: Node) -> Attributes {
        var result: Attributes = []
        for word in words {
            guard let found = Attributes.names.first(where: { $0.name == word }) else {
                fault(node, "\(word) is no attribute; there are bold, dim, underline, reverse and italic")
                continue
            }
            result.insert(found.value)
        }
        return result
    }

    // MARK: Colours

    /// One value, or three: for truecolor, 256 and 16 colours.
    private mutating func shade(_ node: Node) -> Theme.Shade {
        let parts = node.sequence.map(Array.init) ?? [node]
        let colors = parts.map { part -> Color? in
            let color = Self.color(part.string ?? "")
            if color == nil { fault(part, "\(part.string ?? "?") is no colour") }
            return color
        }
        guard (1...3).contains(colors.count) else {
            fault(node, "takes one to three colours")
            return .standard
        }
        return Theme.Shade(
            full: (colors.first ?? nil) ?? .standard,
            indexed: colors.count > 1 ? colors[1] : nil,
            ansi: colors.count > 2 ? colors[2] : nil
        )
    }

    private static let names = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bright_black", "bright_red",
        "bright_green", "bright_yellow", "bright_blue", "bright_magenta", "bright_cyan", "bright_white",
    ]

    static func color(_ text: String) -> Color? {
        if text == "default" { return .standard }
        if let index = names.firstIndex(of: text) { return .indexed(index) }
        if let index = Int(text) { return (0...255).contains(index) ? .indexed(index) : nil }
        guard text.hasPrefix("#"), text.count == 7, let value = Int(text.dropFirst(), radix: 16) else {
            return nil
        }
        return .rgb(value >> 16, value >> 8 & 255, value & 255)
    }

    /// `FOREGROUND [on BACKGROUND] [ATTRIBUTE…]`, colours by their names in the palette.
    mutating func entry(
        _ style: (role: StyleRole, text: String, line: Int),
        palette: [String: Theme.Shade]
    ) -> Theme.Entry {
        var entry = Theme.Entry()
        var words = style.text.split(separator: " ")[...]
        func shade(_ word: Substring) -> Theme.Shade? {
            palette[String(word)] ?? Self.color(String(word)).map { Theme.Shade(full: $0) }
        }
        if let first = words.first, let found = shade(first) {
            entry.foreground = found
            words.removeFirst()
        }
        if words.first == "on" {
            words.removeFirst()
            if let word = words.popFirst(), let found = shade(word) {
                entry.background = found
            } else {
                faults.append(ThemeFault(file: file, line: style.line, message: "on needs a colour"))
            }
        }
        for word in words {
            if let found = Attributes.names.first(where: { $0.name == word }) {
                entry.attributes.insert(found.value)
            } else {
                let message = "\(word) is neither a colour of the palette nor an attribute"
                faults.append(ThemeFault(file: file, line: style.line, message: message))
            }
        }
        return entry
    }
}
