/// What a terminal can do, as far as its environment tells; never asked of the terminal, which may not answer.
package struct TerminalCapabilities: Sendable, Equatable {
    /// Names of the terminal database to try, best first; empty where nothing can be placed on the screen.
    package var terminalNames: [String]
    var depth: ColorDepth
    var glyphSet: Glyphs.Kind
    /// Whether the terminal reads UTF-8.
    var isUTF8: Bool

    package init(environment: [String: String]) {
        let term = environment["TERM"] ?? ""
        if term.isEmpty || term == "dumb" {
            terminalNames = []
        } else {
            // A bare server knows few terminals; nearly all of today's understand xterm's language.
            terminalNames = [term] + ["xterm-256color", "xterm", "vt100"].filter { $0 != term }
        }
        // The first that is set and not empty counts, as in the C library.
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        isUTF8 = locale.lowercased().replacing("-", with: "").hasSuffix("utf8")
        let isPoor = ["linux", "vt100", "vt102", "vt220", "vt52", "ansi"].contains(term)
        glyphSet = isUTF8 && !isPoor ? .unicode : .ascii
        if environment["NO_COLOR"].map({ !$0.isEmpty }) ?? false {
            depth = .mono
        } else if term.hasSuffix("-direct") {
            depth = .truecolor
        } else {
            depth = .indexed
        }
    }
}
