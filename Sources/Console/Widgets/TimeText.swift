import Operations

/// Moments as people read and write them; `zone` is seconds east of UTC.
enum TimeText {
    struct Fault: Error, Equatable {
        let message: String
    }

    private static func parts(_ time: Timestamp, _ zone: Int) -> (date: Substring, time: Substring) {
        let text = Timestamp(microseconds: time.microseconds + zone * 1_000_000).description
        return (text.prefix(10), text.dropFirst(11))
    }

    /// The time of day: `14:22:09`.
    static func clock(_ time: Timestamp, zone: Int) -> String {
        String(parts(time, zone).time.prefix(8))
    }

    /// The same without seconds: `14:22`.
    static func minute(_ time: Timestamp, zone: Int) -> String {
        String(parts(time, zone).time.prefix(5))
    }

    /// The same to the millisecond: `14:22:09.123`.
    static func precise(_ time: Timestamp, zone: Int) -> String {
        let text = parts(time, zone).time.prefix { $0 != "Z" }
        return text.count > 8 ? String(text.prefix(12)) : text + ".000"
    }

    /// The day: `2026-11-21`.
    static func date(_ time: Timestamp, zone: Int) -> String {
        String(parts(time, zone).date)
    }

    /// A length of time in one unit: `2 s`, `4 min`, `3 h`, `6 days`, `3 weeks`.
    static func span(_ seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(max(seconds, 0)) s"
        case ..<3600: "\(seconds / 60) min"
        case ..<86_400: "\(seconds / 3600) h"
        case ..<172_800: "1 day"
        case ..<(86_400 * 14): "\(seconds / 86_400) days"
        case ..<(86_400 * 90): "\(seconds / 604_800) weeks"
        default: "\(seconds / 2_592_000) months"
        }
    }

    static func ago(_ time: Timestamp?, now: Timestamp) -> String {
        guard let time else { return "never" }
        let seconds = now.seconds - time.seconds
        return seconds < 2 ? "now" : "\(span(seconds)) ago"
    }

    /// A length of time in two units: `12d 4h`, `3h 12m`, `41s`.
    static func uptime(_ seconds: Int) -> String {
        if seconds >= 86_400 { return "\(seconds / 86_400)d \(seconds % 86_400 / 3600)h" }
        if seconds >= 3600 { return "\(seconds / 3600)h \(seconds % 3600 / 60)m" }
        if seconds >= 60 { return "\(seconds / 60)m" }
        // Seconds would move on every screen, for nothing.
        return "<1m"
    }

    // MARK: Reading

    private static func length(_ text: Substring) -> Int? {
        guard let last = text.last, let number = Int(text.dropLast()), number >= 0, number < 1_000_000 else {
            return nil
        }
        switch last {
        case "s": return number
        case "m": return number * 60
        case "h": return number * 3600
        case "d": return number * 86_400
        case "w": return number * 604_800
        default: return nil
        }
    }

    /// A moment of the past: `14:05`, `14:05:30`, `-10m`, `2026-11-21`, or RFC 3339.
    static func moment(_ text: String, now: Timestamp, zone: Int) -> Result<Timestamp, Fault> {
        let text = text.trimmingSpaces()
        if text.hasPrefix("-"), let seconds = length(text.dropFirst()) {
            return .success(now.advanced(by: .seconds(-seconds)))
        }
        let today = date(now, zone: zone)
        let numbers = text.split(separator: ":")
        if (2...3).contains(numbers.count), numbers.allSatisfy({ $0.count == 2 && Int($0) != nil }) {
            let clock = numbers.count == 2 ? text + ":00" : text
            if let time = Timestamp(text: "\(today)T\(clock)Z") {
                let moment = Timestamp(microseconds: time.microseconds - zone * 1_000_000)
                // A time that is yet to come was yesterday's.
                return .success(moment > now ? moment.advanced(by: .seconds(-86_400)) : moment)
            }
        }
        if text.count == 10, let day = Timestamp(text: "\(text)T00:00:00Z") {
            return .success(Timestamp(microseconds: day.microseconds - zone * 1_000_000))
        }
        if let time = Timestamp(text: text) { return .success(time) }
        return .failure(Fault(message: "a time such as 14:05, -10m, 2026-11-21 or 2026-11-21T14:05:00Z"))
    }

    /// When something ends: nothing or `never`, `90d`, `in 90 days`, `2027-02-19`, or RFC 3339.
    static func expiry(_ text: String, now: Timestamp, zone: Int) -> Result<Timestamp?, Fault> {
        let text = text.trimmingSpaces().lowercased()
        if text.isEmpty || text == "never" { return .success(nil) }
        let words = text.hasPrefix("in ") ? text.dropFirst(3) : text[...]
        let units = ["minute": "m", "hour": "h", "day": "d", "week": "w"]
        var short = words.filter { $0 != " " }
        for (name, letter) in units {
            for ending in [name + "s", name] where short.hasSuffix(ending) {
                short = String(short.dropLast(ending.count)) + letter
            }
        }
        if let seconds = length(short[...]), seconds > 0 {
            return .success(now.advanced(by: .seconds(seconds)))
        }
        let moment =
            text.count == 10 ? Timestamp(text: "\(text)T00:00:00Z") : Timestamp(text: text.uppercased())
        guard let moment else {
            return .failure(Fault(message: "90d, in 3 weeks, 2027-02-19, or never"))
        }
        let shifted =
            text.count == 10 ? Timestamp(microseconds: moment.microseconds - zone * 1_000_000) : moment
        guard shifted > now else { return .failure(Fault(message: "this is in the past")) }
        return .success(shifted)
    }
}
