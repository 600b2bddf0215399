/// What every way out of the console writes, so that the shell after it finds a sane terminal.
package enum RestoreSequence {
    /// Ends everything that the console has turned on, and leaves the other screen.
    ///
    /// Synchronized output, pastes, focus and mouse reports, colours, keys, the cursor; understood or ignored by
    /// every terminal that the console draws on.
    package static let bytes = Array(
        "\u{1B}[?2026l\u{1B}[?2004l\u{1B}[?1004l\u{1B}[?1000l\u{1B}[?1006l\u{1B}[r\u{1B}[m\u{1B}[?1l\u{1B}>\u{1B}[?25h\u{1B}[?1049l\r"
            .utf8
    )

    /// Turns on pastes as one piece and reports of focus.
    static let claim = Array("\u{1B}[?2004h\u{1B}[?1004h".utf8)
    static let mouseOn = Array("\u{1B}[?1000h\u{1B}[?1006h".utf8)
    static let mouseOff = Array("\u{1B}[?1000l\u{1B}[?1006l".utf8)
    /// Asks the terminal whether it is there: it answers `ESC [ 0 n`.
    static let question = Array("\u{1B}[5n".utf8)
    static let frameBegin = Array("\u{1B}[?2026h".utf8)
    static let frameEnd = Array("\u{1B}[?2026l".utf8)

    /// Puts a text into the clipboard of the operator's own terminal (OSC 52), also from far away.
    static func clipboard(_ text: String) -> [UInt8] {
        Array("\u{1B}]52;c;\(base64(Array(text.utf8)))\u{07}".utf8)
    }

    /// Longer ones are cut off by terminals, some of them noisily.
    static let clipboardLimit = 74_994 / 4 * 3

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? alphabet[value >> (18 - 6 * place) & 63] : "=")
            }
        }
        return text
    }
}
