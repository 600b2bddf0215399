/// JSON in lines, indented and told apart by colour; also when its end is missing.
///
/// Works on the text, not on values: numbers, order and repeated names stay as they were sent.
enum PrettyJSON {
    private static let lineLimit = 5000

    /// nil when it does not begin as JSON does.
    static func lines(_ text: String) -> [StyledText]? {
        let scalars = Array(text.unicodeScalars)
        guard let first = scalars.first(where: { !isSpace($0) }), first == "{" || first == "[" else {
            return nil
        }
        var lines: [StyledText] = []
        var line = StyledText()
        var depth = 0
        var index = 0
        func indent() -> StyledText { StyledText(String(repeating: "  ", count: min(depth, 40))) }
        func next(_ place: Int) -> Unicode.Scalar? {
            scalars[min(place, scalars.count)...].first { !isSpace($0) }
        }
        while index < scalars.count, lines.count < lineLimit {
            let scalar = scalars[index]
            switch scalar {
            case "{", "[":
                line.append(String(Character(scalar)), .punctuation)
                let isEmpty = next(index + 1) == (scalar == "{" ? "}" : "]")
                depth += 1
                if !isEmpty {
                    lines.append(line)
                    line = indent()
                }
            case "}", "]":
                depth = max(0, depth - 1)
                if line.runs.last?.text != "{", line.runs.last?.text != "[" {
                    lines.append(line)
                    line = indent()
                }
                line.append(String(Character(scalar)), .punctuation)
            case ",":
                line.append(",", .punctuation)
                lines.append(line)
                line = indent()
            case ":": line.append(": ", .punctuation)
            case "\"":
                let end = stringEnd(scalars, index)
                let isName = next(end) == ":"
                line.append(string(scalars[index..<end]), isName ? .name : .string)
                index = end - 1
            default:
                guard !isSpace(scalar) else { break }
                var end = index
                while end < scalars.count, !isSpace(scalars[end]),
                    !",:{}[]\"".unicodeScalars.contains(scalars[end])
                {
                    end += 1
                }
                line.append(string(scalars[index..<end]), .number)
                index = end - 1
            }
            index += 1
        }
        lines.append(line)
        return lines.filter { !$0.text.trimmingSpaces().isEmpty }
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\n" || scalar == "\r" || scalar == "\t"
    }

    private static func stringEnd(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
        var index = start + 1
        while index < scalars.count {
            if scalars[index] == "\\" {
                index += 2
                continue
            }
            if scalars[index] == "\"" { return index + 1 }
            index += 1
        }
        return scalars.count
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }
}

/// What a piece of a stream adds to the text that a model says.
enum StreamText {
    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
            }

            var delta: Delta?
            var text: String?
        }

        struct Delta: Decodable {
            var text: String?
        }

        var choices: [Choice]?
        var delta: Delta?
    }

    /// Of OpenAI's and Anthropic's forms; nil for any other event.
    static func delta(_ event: String) -> String? {
        // Events of other forms say nothing that could be joined.
        guard let chunk = try? ConsoleJSON.decode(Chunk.self, from: event) else { return nil }
        return chunk.choices?.first?.delta?.content ?? chunk.choices?.first?.text ?? chunk.delta?.text
    }
}
