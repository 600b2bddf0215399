/// The text for an event: Markdown in which `{{key_name}}` stands for a field of its data.
package struct NotificationTemplate: Codable, Sendable, Equatable {
    package var event: NotificationEvent
    /// nil for all channels.
    @ShownNull package var channelId: Int?
    package var title: String
    package var body: String
    /// Whether it is the one that ships.
    package var isDefault: Bool
    /// What may be named between braces.
    package var fields: [String]
    /// Both with the event's example filled in.
    package var previewTitle: String
    package var preview: String

    package init(event: NotificationEvent, channelId: Int?, title: String, body: String, isDefault: Bool) {
        self.event = event
        self.title = title
        self.body = body
        self.isDefault = isDefault
        fields = NotificationEvent.commonFields + event.fields
        previewTitle = ""
        preview = ""
        _channelId = ShownNull(wrappedValue: channelId)
    }
}

/// What may change of a template.
package struct NotificationTemplateChange: Codable, Sendable, Equatable {
    package var title: Change<String> = .keep
    package var body: Change<String> = .keep
    /// Shows what would be sent, and keeps nothing.
    package var previewOnly: Bool?

    package init() {}

    package static let fields = ["title", "body", "preview_only"]
}

/// Fills `{{name}}` in, and tells what does not hold: no conditions, no loops, nothing that runs.
package enum TemplateText {
    package static let limit = 8192

    /// What is wrong with a text, with its line and column; nil when it holds.
    package static func fault(in text: String, fields: [String]) -> String? {
        guard text.utf8.count <= limit else { return "must have at most \(limit) bytes" }
        var line = 1
        var column = 1
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix("{{") {
                guard let end = rest.firstRange(of: "}}") else {
                    return "line \(line), column \(column): {{ has no }}"
                }
                let name = word(rest[rest.index(rest.startIndex, offsetBy: 2)..<end.lowerBound])
                guard fields.contains(name) else {
                    return "line \(line), column \(column): there is no {{\(name)}}; there are "
                        + fields.joined(separator: ", ")
                }
                column += rest[..<end.upperBound].count
                rest = rest[end.upperBound...]
                continue
            }
            let character = rest.removeFirst()
            if character.isNewline { (line, column) = (line + 1, 1) } else { column += 1 }
        }
        return nil
    }

    /// Lines that consist of a label and a value that is not there are left out.
    package static func filled(_ text: String, with values: [String: String]) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
            var result = ""
            var rest = line
            var (known, missing) = (0, 0)
            while let start = rest.firstRange(of: "{{") {
                result += rest[..<start.lowerBound]
                rest = rest[start.upperBound...]
                guard let end = rest.firstRange(of: "}}") else {
                    result += "{{"
                    continue
                }
                let value = values[word(rest[..<end.lowerBound])] ?? ""
                if value.isEmpty { missing += 1 } else { known += 1 }
                result += value
                rest = rest[end.upperBound...]
            }
            return known == 0 && missing > 0 ? nil : result + rest
        }.joined(separator: "\n")
    }

    private static func word(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
