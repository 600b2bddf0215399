/// The tokens that a provider says an exchange used.
struct TokenUsage: Equatable, Sendable {
    var promptTokens: Int?
    var completionTokens: Int?

    /// Reads the `usage` object of OpenAI (`prompt_tokens`) or Anthropic (`input_tokens`) form.
    init?(object: UnsafeRawBufferPointer) {
        promptTokens =
            JSONFields.integer("prompt_tokens", in: object) ?? JSONFields.integer("input_tokens", in: object)
        completionTokens =
            JSONFields.integer("completion_tokens", in: object)
            ?? JSONFields.integer("output_tokens", in: object)
        if promptTokens == nil && completionTokens == nil { return nil }
    }

    /// The last `"usage": {…}` in the bytes, wherever it is nested.
    static func find(in bytes: UnsafeRawBufferPointer) -> TokenUsage? {
        var found: TokenUsage?
        var search = 0
        while let start = ByteSearch.firstIndex(of: "\"usage\"", in: bytes, from: search) {
            search = start + 7
            var position = search
            while position < bytes.count, bytes[position] == 0x20 || bytes[position] == UInt8(ascii: ":") {
                position += 1
            }
            guard position < bytes.count, bytes[position] == UInt8(ascii: "{") else { continue }
            found = TokenUsage(object: UnsafeRawBufferPointer(rebasing: bytes[position...])) ?? found
        }
        return found
    }

    /// Later reports complete or replace earlier ones: Anthropic sends input and output apart.
    mutating func merge(_ later: TokenUsage) {
        promptTokens = later.promptTokens ?? promptTokens
        completionTokens = later.completionTokens ?? completionTokens
    }
}
