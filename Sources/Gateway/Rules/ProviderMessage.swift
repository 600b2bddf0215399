/// What a provider says of a failure, in its own words, for operators to read.
enum ProviderMessage {
    /// More characters are cut off.
    static let limit = 160
    static let byteLimit = 480
    /// A text of more bytes is no message.
    static let longest = 4096
    /// Before the object there is only a list's bracket, or the field of a stream's event.
    static let prelude = 256
    /// Where providers write it; the first that is there counts.
    private static let places = ["error.message", "message", "error", "detail", "msg"]

    /// One line without secrets; nil where the answer is none that speaks.
    ///
    /// `secret`: the key that was sent, which some providers repeat.
    static func find(in body: [UInt8], without secret: SecretForms?) -> String? {
        let found: [UInt8]? = body.withUnsafeBytes { bytes in
            guard let start = bytes.prefix(prelude).firstIndex(of: UInt8(ascii: "{")) else { return nil }
            let object = UnsafeRawBufferPointer(rebasing: bytes[start...])
            for place in places {
                guard let value = JSONPath.value(place, in: object), value.first == UInt8(ascii: "\"") else {
                    continue
                }
                guard (3...longest).contains(value.count) else { return nil }
                return JSONText.plain(value.dropFirst().dropLast())
            }
            return nil
        }
        guard var text = found else { return nil }
        text.withUnsafeMutableBytes { bytes in
            secret?.cover(in: bytes)
            Redaction.coverClientKeys(bytes)
        }
        return line(String(decoding: text, as: UTF8.self))
    }

    private static func line(_ text: String) -> String? {
        // Messages to operators may be read as Markdown, where these two begin an address behind other words.
        let line = text.split(whereSeparator: isBlank).joined(separator: " ").replacing("](", with: "] (")
        guard !line.isEmpty else { return nil }
        var cut = line.prefix(limit)
        // A letter may have any number of marks.
        while cut.utf8.count > byteLimit { cut = cut.dropLast() }
        return cut.endIndex == line.endIndex ? line : cut + "…"
    }

    private static func isBlank(_ character: Character) -> Bool {
        character.isWhitespace || character.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }
}
