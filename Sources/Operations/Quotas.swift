/// What a quota counts.
package enum QuotaUnit: String, Codable, Sendable, CaseIterable {
    /// Those that were sent to an upstream.
    case requests
    /// Of prompt and completion, as providers report them.
    case tokens
}

/// When a quota begins anew; days, weeks (from Monday) and months of the configured time zone.
package enum QuotaPeriod: String, Codable, Sendable, CaseIterable {
    case none, day, week, month
}

/// How much may be used in a period.
package struct Quota: Codable, Sendable, Equatable {
    package var unit: QuotaUnit
    package var total: Int
    package var period: QuotaPeriod

    package init(unit: QuotaUnit, total: Int, period: QuotaPeriod) {
        self.unit = unit
        self.total = total
        self.period = period
    }

    package static let range = 1...1_000_000_000_000_000
}

/// A quota and what is used of it.
package struct QuotaStanding: Codable, Sendable, Equatable {
    package var unit: QuotaUnit
    package var total: Int
    package var used: Int
    package var period: QuotaPeriod
    /// nil for a quota that never begins anew.
    @ShownNull package var resetsAt: Timestamp?

    package init(_ quota: Quota, used: Int = 0, resetsAt: Timestamp? = nil) {
        (unit, total, period) = (quota.unit, quota.total, quota.period)
        self.used = used
        self.resetsAt = resetsAt
    }

    package var quota: Quota { Quota(unit: unit, total: total, period: period) }
}

/// What is to change of a quota; what is absent stays, or is of requests and for ever.
package struct QuotaChange: Codable, Sendable, Equatable {
    package var unit: QuotaUnit?
    package var total: Int?
    package var period: QuotaPeriod?
    /// Sets what is used; 0 begins anew.
    package var used: Int?

    package init(unit: QuotaUnit? = nil, total: Int? = nil, period: QuotaPeriod? = nil, used: Int? = nil) {
        (self.unit, self.total, self.period, self.used) = (unit, total, period, used)
    }

    package init(from decoder: any Decoder) throws {
        try KnownFields.check(decoder, CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        unit = try container.decodeIfPresent(QuotaUnit.self, forKey: .unit)
        total = try container.decodeIfPresent(Int.self, forKey: .total)
        period = try container.decodeIfPresent(QuotaPeriod.self, forKey: .period)
        used = try container.decodeIfPresent(Int.self, forKey: .used)
        _ = try container.decodeIfPresent(Timestamp.self, forKey: .resetsAt)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case unit, total, period, used
        /// As it was shown: it follows from the others.
        case resetsAt
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(unit, forKey: .unit)
        try container.encodeIfPresent(total, forKey: .total)
        try container.encodeIfPresent(period, forKey: .period)
        try container.encodeIfPresent(used, forKey: .used)
    }

    /// The quota after the change.
    ///
    /// - Throws: `OperationsError` naming the field that is missing or out of range.
    package func applied(to quota: Quota?) throws(OperationsError) -> Quota {
        guard let total = total ?? quota?.total else {
            throw OperationsError(.invalid, "is required", parameter: "quota.total")
        }
        for (field, number, range) in [
            ("total", total, Quota.range), ("used", used ?? 0, 0...Quota.range.upperBound),
        ] where !range.contains(number) {
            let message = "must be from \(range.lowerBound) to \(range.upperBound)"
            throw OperationsError(.invalid, message, parameter: "quota.\(field)")
        }
        return Quota(
            unit: unit ?? quota?.unit ?? .requests,
            total: total,
            period: period ?? quota?.period ?? .none
        )
    }
}

extension Change where Value == QuotaChange {
    /// The quota after a change of some of it; `null` is none.
    package func applied(to quota: Quota?) throws(OperationsError) -> Quota? {
        switch self {
        case .keep: quota
        case .clear: nil
        case .set(let change): try change.applied(to: quota)
        }
    }

    /// What is used from now on, where the change says so.
    package var used: Int? {
        if case .set(let change) = self { change.used } else { nil }
    }
}

/// Quotas as people write them: `1000000 tokens/month`, `500 requests`.
extension Quota {
    package static let example = "1000000 tokens/month"

    package var text: String { "\(total) \(unit.rawValue)" + (period == .none ? "" : "/\(period.rawValue)") }

    /// - Throws: `OperationsError` that says what cannot be read; nothing at all and `none` are no quota.
    package static func parse(_ text: String) throws(OperationsError) -> Quota? {
        let words = text.lowercased().split { " \t".contains($0) }.map(String.init)
        guard !words.isEmpty, words != ["none"] else { return nil }
        let rest = words.dropFirst().joined().split(separator: "/", maxSplits: 1).map(String.init)
        let unit = rest.isEmpty ? .requests : QuotaUnit.allCases.first { $0.rawValue == rest[0] }
        let period = rest.count < 2 ? QuotaPeriod.none : QuotaPeriod(rawValue: rest[1])
        guard let total = Int(words[0]), range.contains(total), let unit, let period else {
            throw OperationsError(.invalid, "“\(text)” is no quota; write \(example)", parameter: "quota")
        }
        return Quota(unit: unit, total: total, period: period)
    }

    /// The change that brings any other quota to this one.
    package var change: QuotaChange { QuotaChange(unit: unit, total: total, period: period) }
}
