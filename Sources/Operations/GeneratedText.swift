#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads what a model says out of the events of its stream, in whatever pieces they come.
///
/// Knows the events of OpenAI (`choices[].delta.content`, also of Responses and of completions), of Anthropic
/// (`delta.text`) and of Gemini (`candidates[].content.parts[].text`). What is no event stream is its own text.
package struct GeneratedText {
    private struct Event: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
                var reasoningContent: String?

                private enum CodingKeys: String, CodingKey {
                    case content
                    case reasoningContent = "reasoning_content"
                }
            }

            var delta: Delta?
            var text: String?
        }

        /// A text by itself, or an object with one.
        enum Delta: Decodable {
            case text(String)
            case none

            private enum CodingKeys: String, CodingKey {
                case text
                case thinking
            }

            init(from decoder: any Decoder) throws {
                // It is of one kind or the other.
                if let text = try? decoder.singleValueContainer().decode(String.self) {
                    self = .text(text)
                    return
                }
                // A delta of another kind, a tool's arguments for one, has neither.
                let container = try decoder.container(keyedBy: CodingKeys.self)
                let text =
                    try container.decodeIfPresent(String.self, forKey: .text)
                    ?? container.decodeIfPresent(String.self, forKey: .thinking)
                self = text.map(Delta.text) ?? .none
            }
        }

        struct Candidate: Decodable {
            struct Content: Decodable {
                struct Part: Decodable { var text: String? }

                var parts: [Part]?
            }

            var content: Content?
        }

        var choices: [Choice]?
        var delta: Delta?
        var candidates: [Candidate]?
    }

    /// Of a line that has not ended; a longer one is no event of a model.
    private static let lineLimit = 1 << 20

    private let isEventStream: Bool
    private var line = ""

    package init(isEventStream: Bool) {
        self.isEventStream = isEventStream
    }

    /// What the model has said in the events that have ended with this piece.
    package mutating func read(_ piece: String) -> String {
        guard isEventStream else { return piece }
        var said = ""
        var rest = piece[...]
        while let end = rest.firstIndex(where: \.isNewline) {
            said += Self.text(ofLine: line + rest[..<end])
            line = ""
            rest = rest[rest.index(after: end)...]
        }
        line += rest
        if line.utf8.count > Self.lineLimit { line = "" }
        return said
    }

    private static func text(ofLine line: String) -> String {
        guard line.hasPrefix("data:") else { return "" }
        // What is no event that we know, [DONE] for one, says nothing.
        let event = try? JSONDecoder().decode(Event.self, from: Data(line.dropFirst(5).utf8))
        guard let event else { return "" }
        var text = (event.choices ?? []).map { choice in
            choice.delta?.content ?? choice.delta?.reasoningContent ?? choice.text ?? ""
        }.joined()
        if case .text(let more) = event.delta { text += more }
        text += (event.candidates ?? []).flatMap { $0.content?.parts ?? [] }.compactMap(\.text).joined()
        return text
    }
}
