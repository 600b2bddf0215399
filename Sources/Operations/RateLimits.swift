/// How many requests may begin in a sliding window, and how many may be under way; an absent one is unlimited.
package struct RateLimits: Codable, Sendable, Equatable {
    @ShownNull package var requestsPerMinute: Int?
    @ShownNull package var requestsPerHour: Int?
    @ShownNull package var requestsPerDay: Int?
    @ShownNull package var concurrency: Int?

    package init(minute: Int? = nil, hour: Int? = nil, day: Int? = nil, concurrency: Int? = nil) {
        requestsPerMinute = minute
        requestsPerHour = hour
        requestsPerDay = day
        self.concurrency = concurrency
    }

    package var isUnlimited: Bool { self == RateLimits() }

    /// Zero would be a way to disable, which has one of its own.
    package static let range = 1...1_000_000_000

    package static let fields = [
        "requests_per_minute", "requests_per_hour", "requests_per_day", "concurrency",
    ]

    package subscript(window: LimitWindow) -> Int? {
        switch window {
        case .minute: requestsPerMinute
        case .hour: requestsPerHour
        case .day: requestsPerDay
        }
    }
}

/// What is to change of limits; what is absent stays, and null is unlimited.
package struct RateLimitsChange: Codable, Sendable, Equatable {
    package var requestsPerMinute: Change<Int> = .keep
    package var requestsPerHour: Change<Int> = .keep
    package var requestsPerDay: Change<Int> = .keep
    package var concurrency: Change<Int> = .keep

    package init() {}

    package init(from decoder: any Decoder) throws {
        try KnownFields.check(decoder, CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        requestsPerMinute = try container.decode(Change<Int>.self, forKey: .requestsPerMinute)
        requestsPerHour = try container.decode(Change<Int>.self, forKey: .requestsPerHour)
        requestsPerDay = try container.decode(Change<Int>.self, forKey: .requestsPerDay)
        concurrency = try container.decode(Change<Int>.self, forKey: .concurrency)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case requestsPerMinute, requestsPerHour, requestsPerDay, concurrency
    }

    /// The limits after the change.
    ///
    /// - Throws: `OperationsError` naming the limit that is out of range.
    package func applied(to limits: RateLimits) throws(OperationsError) -> RateLimits {
        var result = limits
        result.requestsPerMinute = requestsPerMinute.applied(to: limits.requestsPerMinute)
        result.requestsPerHour = requestsPerHour.applied(to: limits.requestsPerHour)
        result.requestsPerDay = requestsPerDay.applied(to: limits.requestsPerDay)
        result.concurrency = concurrency.applied(to: limits.concurrency)
        let numbers = [
            result.requestsPerMinute, result.requestsPerHour, result.requestsPerDay, result.concurrency,
        ]
        for (field, number) in zip(RateLimits.fields, numbers) {
            guard number.map(RateLimits.range.contains) ?? true else {
                throw OperationsError(
                    .invalid,
                    "must be from \(RateLimits.range.lowerBound) to \(RateLimits.range.upperBound), or null",
                    parameter: "limits.\(field)"
                )
            }
        }
        return result
    }
}

extension Change where Value == RateLimitsChange {
    /// The limits after a change of some of them; `null` for all is unlimited.
    package func applied(to limits: RateLimits) throws(OperationsError) -> RateLimits {
        switch self {
        case .keep: limits
        case .clear: RateLimits()
        case .set(let change): try change.applied(to: limits)
        }
    }
}

/// Limits as people write them: `60/minute 1000/hour 10000/day 8 at once`.
extension RateLimits {
    package static let example = "60/minute 1000/hour 8 at once"

    package var text: String {
        let windows = LimitWindow.allCases.compactMap { window in
            self[window].map { "\($0)/\(window.rawValue)" }
        }
        return (windows + (concurrency.map { ["\($0) at once"] } ?? [])).joined(separator: " ")
    }

    /// - Throws: `OperationsError` that says which part cannot be read; nothing at all and `none` are no limits.
    package init(text: String) throws(OperationsError) {
        self.init()
        let words = text.lowercased().split { " ,;\t".contains($0) }.map(String.init)
        guard words != ["none"], words != ["unlimited"] else { return }
        var index = 0
        while index < words.count {
            let word = words[index]
            if words[index...].dropFirst().starts(with: ["at", "once"]) {
                try set(nil, to: word)
                index += 3
                continue
            }
            let parts = word.split(separator: "/", maxSplits: 1).map(String.init)
            let window = parts.count == 2 ? LimitWindow.allCases.first { $0.isMeant(by: parts[1]) } : nil
            guard let window else { throw Self.fault("\(word) is no limit; write \(Self.example)") }
            try set(window, to: parts[0])
            index += 1
        }
    }

    private mutating func set(_ window: LimitWindow?, to text: String) throws(OperationsError) {
        guard let number = Int(text), Self.range.contains(number) else {
            throw Self.fault(
                "\(text) is not a number from \(Self.range.lowerBound) to \(Self.range.upperBound)"
            )
        }
        let before: Int?
        switch window {
        case .minute: (before, requestsPerMinute) = (requestsPerMinute, number)
        case .hour: (before, requestsPerHour) = (requestsPerHour, number)
        case .day: (before, requestsPerDay) = (requestsPerDay, number)
        case nil: (before, concurrency) = (concurrency, number)
        }
        if before != nil { throw Self.fault("two limits are given for the same window") }
    }

    private static func fault(_ message: String) -> OperationsError {
        OperationsError(.invalid, message, parameter: "limits")
    }

    /// The change that brings other limits to these.
    package var change: RateLimitsChange {
        var change = RateLimitsChange()
        change.requestsPerMinute = requestsPerMinute.map(Change.set) ?? .clear
        change.requestsPerHour = requestsPerHour.map(Change.set) ?? .clear
        change.requestsPerDay = requestsPerDay.map(Change.set) ?? .clear
        change.concurrency = concurrency.map(Change.set) ?? .clear
        return change
    }
}

extension LimitWindow {
    /// `m`, `min` and `minute` are the same.
    fileprivate func isMeant(by text: String) -> Bool {
        !text.isEmpty && (rawValue.hasPrefix(text) || rawValue + "s" == text)
    }
}

/// A window that slides: a request counts for exactly its length.
package enum LimitWindow: String, Codable, Sendable, CaseIterable {
    case minute, hour, day

    /// In seconds.
    package var length: Int {
        switch self {
        case .minute: 60
        case .hour: 3600
        case .day: 86_400
        }
    }
}

/// What a limit is about.
package enum LimitScope: String, Codable, Sendable, CaseIterable {
    case global
    case upstream
    case clientKey = "client_key"
    case upstreamKey = "upstream_key"
}

/// How one window stands.
package struct RateLimitStanding: Codable, Sendable, Equatable {
    package var scope: LimitScope
    /// Of the upstream or key; nil for all together.
    @ShownNull package var id: Int?
    @ShownNull package var name: String?
    package var window: LimitWindow
    /// Whether one more would be admitted now, as far as this window goes.
    package var allowed: Bool
    package var current: Int
    package var limit: Int
    package var remaining: Int
    /// When one more would be admitted: now, or later.
    package var resetAt: Timestamp

    package init(
        scope: LimitScope,
        id: Int?,
        name: String?,
        window: LimitWindow,
        current: Int,
        limit: Int,
        resetAt: Timestamp
    ) {
        self.scope = scope
        self.window = window
        self.current = current
        self.limit = limit
        self.resetAt = resetAt
        allowed = current < limit
        remaining = max(0, limit - current)
        self.id = id
        self.name = name
    }
}

/// How many requests have been admitted, and how many more may be.
package protocol RateLimitOperations: Sendable {
    /// Every window that has a limit, of one scope or of all, and of one object of it or of all.
    func rateLimits(scope: LimitScope?, id: Int?, by user: Operator) async throws -> Page<RateLimitStanding>
}
