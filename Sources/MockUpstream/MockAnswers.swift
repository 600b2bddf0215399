import NIOCore

/// The fake provider's texts, in OpenAI's forms.
enum MockAnswers {
    private static let words = [
        "The ", "gate ", "is ", "open ", "and ", "the ", "stream ", "is ", "honest. ",
    ]

    static func completion(_ settings: MockSettings) -> String {
        var content = ""
        while content.utf8.count < settings.contentBytes {
            content += words[content.utf8.count % words.count]
        }
        content = String(content.prefix(settings.contentBytes))
        return """
            {"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock-1","choices":\
            [{"index":0,"message":{"role":"assistant","content":"\(content)"},"finish_reason":"stop"}],\
            "usage":\(usage(settings))}
            """
    }

    static func event(_ index: Int) -> String {
        """
        data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock-1",\
        "choices":[{"index":0,"delta":{"content":"\(words[index % words.count])"},"finish_reason":null}]}\n\n
        """
    }

    /// Its content is `@` and the monotonic clock's nanoseconds.
    static func stampedEvent() -> String {
        """
        data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock-1",\
        "choices":[{"index":0,"delta":{"content":"@\(NIODeadline.now().uptimeNanoseconds)"},"finish_reason":null}]}\n\n
        """
    }

    static func lastEvents(_ settings: MockSettings) -> String {
        """
        data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock-1",\
        "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n
        data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock-1",\
        "choices":[],"usage":\(usage(settings))}\n
        data: [DONE]\n\n
        """
    }

    static func error(_ message: String, type: String, code: String) -> String {
        """
        {"error":{"message":"\(message)","type":"\(type)","param":null,"code":"\(code)"}}
        """
    }

    private static func usage(_ settings: MockSettings) -> String {
        """
        {"prompt_tokens":12,"completion_tokens":\(settings.tokens),"total_tokens":\(settings.tokens + 12)}
        """
    }
}
