/// One key as an operator names it: `j`, `ctrl-d`, `enter`, `f2`, `shift-left`.
struct Key: Hashable, Sendable, CustomStringConvertible {
    let name: String

    init(_ name: String) {
        self.name = name
    }

    /// The text that it types, if it types any.
    var text: String? {
        if name == "space" { return " " }
        return name.count == 1 ? name : nil
    }

    /// As shown to people: `Ctrl-D`, `Enter`, `j`.
    var description: String {
        if name == "pgup" { return "PgUp" }
        if name == "pgdn" { return "PgDn" }
        return name.count == 1
            ? name
            : name.split(separator: "-", omittingEmptySubsequences: false).map { part in
                part.count == 1 || part.isEmpty
                    ? part.uppercased() : part.prefix(1).uppercased() + part.dropFirst()
            }.joined(separator: "-")
    }

    static let enter = Key("enter")
    static let escape = Key("esc")
    static let tab = Key("tab")
    static let backTab = Key("shift-tab")
    static let backspace = Key("backspace")
    static let delete = Key("delete")
    static let up = Key("up")
    static let down = Key("down")
    static let left = Key("left")
    static let right = Key("right")
    static let home = Key("home")
    static let end = Key("end")
    static let pageUp = Key("pgup")
    static let pageDown = Key("pgdn")
    static let space = Key("space")

    static let named: Set<String> = {
        var names: Set<String> = [
            "enter", "esc", "tab", "shift-tab", "backspace", "delete", "insert", "up", "down", "left",
            "right",
            "home", "end", "pgup", "pgdn", "space",
        ]
        for number in 1...12 {
            names.insert("f\(number)")
        }
        for letter in "abcdefghijklmnopqrstuvwxyz" {
            names.insert("ctrl-\(letter)")
            names.insert("alt-\(letter)")
        }
        for key in ["up", "down", "left", "right", "home", "end"] {
            for modifier in ["shift", "ctrl", "alt"] {
                names.insert("\(modifier)-\(key)")
            }
        }
        return names
    }()

    /// A key by its name; nil when there is none.
    static func parse(_ text: String) -> Key? {
        if text.count == 1 { return text == " " ? .space : Key(text) }
        let name = text.lowercased()
        return named.contains(name) ? Key(name) : nil
    }
}

/// What a terminal tells.
enum TerminalEvent: Equatable, Sendable {
    case key(Key)
    case paste(String)
    case focus(Bool)
    case click(x: Int, y: Int)
    /// The terminal is there.
    case answer
    /// Lines, downwards positive.
    case wheel(x: Int, y: Int, lines: Int)
}
