/// How the fake provider behaves; every knob can also be set for one request by an `X-Mock-*` header.
package struct MockSettings: Sendable {
    /// Events of a stream, and the completion tokens that are reported.
    package var tokens = 16
    /// Until the first byte of the answer's body.
    package var timeToFirstToken = Duration.zero
    /// Between two events of a stream.
    package var gap = Duration.milliseconds(20)
    /// The share of requests, from 0 to 1, that are answered with `errorStatus`.
    package var errorRate = 0.0
    package var errorStatus = 500
    /// Answers this status instead of 200.
    package var status: Int?
    /// Seconds, sent with a 429 or 503.
    package var retryAfter: Int?
    /// Provider keys that get a 401.
    package var rejectedKeys: Set<String> = []
    /// Provider keys that have no money left: 429 with OpenAI's `insufficient_quota`.
    package var exhaustedKeys: Set<String> = []
    /// Provider keys with a rate limit: `throttleRequests` in `throttleSeconds`, then 429 with `Retry-After`.
    package var throttledKeys: Set<String> = []
    package var throttleRequests = 10
    package var throttleSeconds = 30
    /// The stream is cut, without an end, after this many events.
    package var cutAfter: Int?
    /// Before anything is sent, the status line included.
    package var headerDelay = Duration.zero
    /// Bytes of text in a plain answer.
    package var contentBytes = 256
    /// Requests kept for `GET /_mock/requests`; 0 keeps none.
    package var recorded = 1000

    /// Whether an event's content is the time at which it is sent, for measuring.
    package var stampsEvents = false

    package init() {}

    /// These settings with what the request's headers change.
    func applying(_ value: (String) -> String?) -> MockSettings {
        var result = self
        if let number = value("x-mock-tokens").flatMap(Int.init) {
            result.tokens = min(max(number, 0), 1_000_000)
        }
        if let number = value("x-mock-ttft-ms").flatMap(Int.init) {
            result.timeToFirstToken = .milliseconds(number)
        }
        if let number = value("x-mock-gap-ms").flatMap(Int.init) { result.gap = .milliseconds(number) }
        if let number = value("x-mock-status").flatMap(Int.init) { result.status = number }
        if let number = value("x-mock-retry-after").flatMap(Int.init) { result.retryAfter = number }
        if let number = value("x-mock-cut-after").flatMap(Int.init) { result.cutAfter = number }
        if let number = value("x-mock-header-delay-ms").flatMap(Int.init) {
            result.headerDelay = .milliseconds(number)
        }
        if let number = value("x-mock-content-bytes").flatMap(Int.init) {
            result.contentBytes = min(max(number, 0), 64 << 20)
        }
        if value("x-mock-stamp") == "1" { result.stampsEvents = true }
        return result
    }
}
