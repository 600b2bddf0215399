import Operations

/// When a provider says that it will answer again, in all the forms that occur.
///
/// Sources: RFC 9110 §10.2.3 (`Retry-After`), OpenAI's `retry-after-ms` and `x-ratelimit-reset-*` (`6m0s`, `12ms`),
/// Anthropic's `anthropic-ratelimit-*-reset` (RFC 3339), google.rpc.RetryInfo (`retryDelay`), `resets_at` and
/// `resets_in_seconds` in bodies.
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

    private static func inBody(_ body: [UInt8], now: Int) -> Int? {
        for (name, isLength) in [("retryDelay", true), ("resets_in_seconds", true), ("resets_at", false)] {
            guard let text = member(name, in: body) else { continue }
            if isLength, let seconds = Double(text), seconds >= 0, seconds < 1e9 {
                return now + Int(seconds * 1_000_000)
            }
            if let time = moment(text, now: now) { return time }
        }
        return nil
    }

    /// The first value of this name, however deep it stands.
    private static func member(_ name: String, in body: [UInt8]) -> String? {
        let quoted = Array("\"\(name)\"".utf8)
        guard let place = body.firstRange(of: quoted) else { return nil }
        let rest = body[place.upperBound...].drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        guard rest.first == UInt8(ascii: ":") else { return nil }
        let value = rest.dropFirst().drop { $0 == 0x20 || $0 == UInt8(ascii: "\"") }
        let text = value.prefix(64).prefix {
            $0 != UInt8(ascii: "\"") && $0 != 0x2C && $0 != 0x7D && $0 > 0x20
        }
        return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
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
