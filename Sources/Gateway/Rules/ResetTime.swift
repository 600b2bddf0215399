import Operations

/// When a provider says that it will answer again, in all the forms that occur.
///
/// Sources: RFC 9110 §10.2.3 (`Retry-After`), OpenAI's `retry-after-ms` and `x-ratelimit-reset-*` (`6m0s`, `12ms`),
/// Anthropic's `anthropic-ratelimit-*-reset` (RFC 3339), google.rpc.RetryInfo (`retryDelay`), `resets_at` and
/// `resets_in_seconds` in bodies, and messages that end with it (Anthropic, Zhipu, MiniMax, Volcengine).
enum ResetTime {
    /// - Returns: microseconds since 1970, nil when the answer does not say.
    static func find(in outcome: AttemptOutcome, now: Int) -> Int? {
        if let wait = outcome.header("retry-after-ms").flatMap(Double.init), wait >= 0, wait < 1e12 {
            return now + Int(wait * 1000)
        }
        if let time = outcome.header("retry-after").flatMap({ moment($0, now: now) }) { return time }
        return limits(outcome, now: now) ?? inBody(outcome.body, now: now)
    }

    /// Of several windows the latest that is used up; of windows that do not tell, the latest.
    private static func limits(_ outcome: AttemptOutcome, now: Int) -> Int? {
        var usedUp: [Int] = []
        var others: [Int] = []
        for (name, value) in outcome.headers where name.contains("ratelimit") && name.contains("reset") {
            guard let time = moment(value, now: now) else { continue }
            let remaining = outcome.header(name.replacing("reset", with: "remaining"))
            if let remaining {
                if Double(remaining) == 0 { usedUp.append(time) }
            } else {
                others.append(time)
            }
        }
        return usedUp.max() ?? others.max()
    }

    /// Seconds, a duration such as `6m0s` or `12ms`, seconds or milliseconds since 1970, RFC 3339, or an HTTP date.
    static func moment(_ text: String, now: Int) -> Int? {
        let text = Substring(text).trimmingSpaces()
        if let number = Double(text) {
            // What is larger is no time, and would not fit.
            guard number >= 0, number < 1e14 else { return nil }
            // Anything above is a date: 100 million seconds are three years, and 10^11 the year 5138.
            if number >= 1e11 { return Int(number) * 1000 }
            if number >= 1e8 { return Int(number) * 1_000_000 }
            return now + Int(number * 1_000_000)
        }
        if let length = length(text) { return now + length }
        return Timestamp(text: String(text))?.microseconds ?? HTTPDate.microseconds(String(text))
    }

    /// `1h2m3.5s`, `12ms`, `250us`, in microseconds.
    static func length(_ text: some StringProtocol) -> Int? {
        var rest = Substring(text)
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let number = Double(digits), number < 1e9, let size = units[String(unit)] else {
                return nil
            }
            total += number * size
            guard total < 1e15 else { return nil }
        }
        return text.isEmpty ? nil : Int(total)
    }

    private static let units: [String: Double] = [
        "us": 1, "µs": 1, "ms": 1000, "s": 1e6, "m": 6e7, "h": 3.6e9, "d": 8.64e10,
    ]

    // MARK: Bodies

    /// At the error's own places only: elsewhere an answer may repeat what a caller has sent.
    private static func inBody(_ body: [UInt8], now: Int) -> Int? {
        body.withUnsafeBytes { bytes in
            // Google's may stand in a list of one.
            let object = bytes.firstIndex(of: UInt8(ascii: "{")).map {
                UnsafeRawBufferPointer(rebasing: bytes[$0...])
            }
            guard let object, bytes.count - object.count <= prefix else { return nil }
            let error = JSONPath.value("error", in: object) ?? object
            for place in [error, object] {
                if let text = JSONPath.text("resets_in_seconds", in: place), let seconds = Double(text),
                    seconds >= 0, seconds < 1e9
                {
                    return now + Int(seconds * 1_000_000)
                }
                if let time = JSONPath.text("resets_at", in: place).flatMap({ moment($0, now: now) }) {
                    return time
                }
            }
            let delay = JSONPath.value("details", in: error).flatMap { retryDelay($0, now: now) }
            return delay ?? JSONPath.text("message", in: error).flatMap { inMessage($0, now: now) }
        }
    }

    private static let phrases = ["regain access on ", "will reset at ", "resets at "]
    /// Nobody's window is longer than a month.
    private static let longestWindow = 32 * 86_400_000_000

    /// `regain access on 2026-04-01 at 00:00 UTC`, `will reset at 2026-09-30 23:59:59 +0800 CST`,
    /// `resets at 2026-05-15T15:00:00Z`; nil when that is over, or longer than any window.
    private static func inMessage(_ message: String, now: Int) -> Int? {
        guard let phrase = phrases.lazy.compactMap({ message.firstRange(of: $0) }).first,
            // Between quotes stands what somebody else has said.
            message[..<phrase.lowerBound].count(where: { "\"`".contains($0) }).isMultiple(of: 2)
        else { return nil }
        var rest = message[phrase.upperBound...]
        let day = rest.prefix(10)
        rest = rest.dropFirst(10).drop { !$0.isNumber }
        let clock = rest.prefix { $0.isNumber || $0 == ":" }
        let time = Timestamp(text: "\(day)T\(clock.count == 5 ? clock + ":00" : clock)Z")
        rest = rest.dropFirst(clock.count)
        if rest.first == "." { rest = rest.dropFirst().drop { $0.isNumber } }
        guard let time, let zone = secondsEast(rest) else { return nil }
        let moment = time.microseconds - zone * 1_000_000
        return moment > now && moment - now < longestWindow ? moment : nil
    }

    /// Those who name no zone are in Beijing; whoever is west of it and names none is asked too early, not too late.
    private static func secondsEast(_ text: Substring) -> Int? {
        let zone = text.first == " " ? text.dropFirst() : text
        if zone.hasPrefix("Z") || zone.hasPrefix("UTC") { return 0 }
        guard let sign = zone.first, sign == "+" || sign == "-" else { return 8 * 3600 }
        let digits = zone.dropFirst().prefix { $0.isASCII && ($0.isNumber || $0 == ":") }.filter { $0 != ":" }
        guard digits.count == 4, let number = Int(digits), number <= 1400, number % 100 < 60 else {
            return nil
        }
        return (sign == "-" ? -1 : 1) * (number / 100 * 3600 + number % 100 * 60)
    }

    /// Of what may stand before an object: a list's bracket, a field of an event.
    private static let prefix = 64

    /// The first `retryDelay` of google.rpc.RetryInfo in a list of details.
    private static func retryDelay(_ details: UnsafeRawBufferPointer, now: Int) -> Int? {
        var search = 0
        while let open = ASCII.firstIndex(of: UInt8(ascii: "{"), in: details, from: search) {
            let detail = UnsafeRawBufferPointer(rebasing: details[open...])
            if let text = JSONPath.text("retryDelay", in: detail), let length = length(text) {
                return now + length
            }
            var walker = JSONWalker(detail)
            var end = open + 1
            while let member = walker.next() { end = open + member.whole.upperBound }
            search = end
        }
        return nil
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7, the only form that may be sent).
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func microseconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        func padded(_ text: some StringProtocol) -> String { text.count == 1 ? "0\(text)" : "\(text)" }
        let date = "\(parts[3])-\(padded("\(month + 1)"))-\(padded(parts[1]))T\(parts[4])Z"
        return Timestamp(text: date)?.microseconds
    }
}
