/// The tokens that a provider says an exchange used.
struct TokenUsage: Equatable, Sendable {
    var promptTokens: Int?
    var completionTokens: Int?

    /// Reads the `usage` object of OpenAI (`prompt_tokens`) or Anthropic (`input_tokens`) form.
    init?(object: UnsafeRawBufferPointer) {
        promptTokens = Self.count("prompt_tokens", in: object) ?? Self.count("input_tokens", in: object)
        completionTokens =
            Self.count("completion_tokens", in: object) ?? Self.count("output_tokens", in: object)
        if promptTokens == nil && completionTokens == nil { return nil }
    }

    /// More than any model can read or write in one exchange; sums of what lies below it do not overflow.
    static let most = 1_000_000_000

    /// What no provider can mean is not reported.
    private static func count(_ name: StaticString, in object: UnsafeRawBufferPointer) -> Int? {
        JSONFields.integer(name, in: object).flatMap { (0...most).contains($0) ? $0 : nil }
    }

    /// Places that are looked at, from the last one back, and bytes of each: a provider's answer must not be able
    /// to keep a loop busy.
    private static let placeLimit = 4
    private static let objectLimit = 4096

    /// The last `"usage": {…}` in the bytes, wherever it is nested.
    static func find(in bytes: UnsafeRawBufferPointer) -> TokenUsage? {
        var places: [Int] = []
        var search = 0
        while let start = ByteSearch.firstIndex(of: "\"usage\"", in: bytes, from: search) {
            search = start + 7
            if places.count == placeLimit { places.removeFirst() }
            places.append(search)
        }
        for place in places.reversed() {
            var position = place
            while position < bytes.count, bytes[position] == 0x20 || bytes[position] == UInt8(ascii: ":") {
                position += 1
            }
            guard position < bytes.count, bytes[position] == UInt8(ascii: "{") else { continue }
            let object = UnsafeRawBufferPointer(rebasing: bytes[position...].prefix(objectLimit))
            if let usage = TokenUsage(object: object) { return usage }
        }
        return nil
    }

    /// Later reports complete or replace earlier ones: Anthropic sends input and output apart.
    mutating func merge(_ later: TokenUsage) {
        promptTokens = later.promptTokens ?? promptTokens
        completionTokens = later.completionTokens ?? completionTokens
    }
}
