import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A row of a file of upstream keys: texts by column, whatever the file was written in.
struct KeyRow: Sendable, Equatable {
    let number: Int
    private var texts: [String?]

    init(number: Int) {
        self.number = number
        texts = Array(repeating: nil, count: KeyColumn.allCases.count)
    }

    /// `texts`: one for each column, in the order of `KeyColumn.allCases`.
    init(number: Int, texts: [String?]) {
        self.number = number
        self.texts = texts
    }

    var all: [String?] { texts }

    subscript(column: KeyColumn) -> String? {
        get { texts[column.place] }
        set { texts[column.place] = newValue }
    }
}

extension KeyColumn {
    private static let places = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })

    var place: Int { Self.places[self] ?? 0 }
}

/// A row that holds: a key that can be made.
struct KeyToImport: Sendable {
    let number: Int
    /// nil where the file's own upstream is meant and not known yet.
    var upstream: Int?
    var definition: UpstreamKeyDefinition
    var value: Secret
    var state = KeyState.active
    var reason: String?
}

/// Why a row is no key, in the words of its column.
struct KeyRowFault: Error, Equatable {
    let message: String
}

/// Makes keys of rows; the rules are those of keys that are added one by one.
struct KeyRowReader: Sendable {
    let upstreams: [String: Int]
    let ids: Set<Int>

    init(_ rows: [UpstreamRow]) {
        upstreams = Dictionary(rows.map { ($0.slug, $0.id) }) { $1 }
        ids = Set(rows.map(\.id))
    }

    func key(_ row: KeyRow) throws(KeyRowFault) -> KeyToImport {
        let upstream = try upstream(row)
        let name = row[.name] ?? ""
        guard !name.isEmpty else { throw KeyRowFault(message: "name must not be empty") }
        guard name.utf8.count <= 200, !TextLine.hasControls(name) else {
            throw KeyRowFault(message: "name must have at most 200 bytes and no control characters")
        }
        let value = Secret(row[.keyValue] ?? "")
        guard !value.value.isEmpty else { throw KeyRowFault(message: "key_value must not be empty") }
        guard !value.value.contains(where: { $0 == "…" || $0 == "•" }) else {
            throw KeyRowFault(
                message: "key_value is masked; export with values (--values) to import them again"
            )
        }
        var definition = UpstreamKeyDefinition(name: name)
        definition.location = try choice(row, .location) ?? .header
        definition.paramName = given(row, .paramName) ?? definition.paramName
        // Its spaces are a part of it.
        definition.valuePrefix = row[.valuePrefix] ?? (definition.location == .header ? "Bearer " : "")
        definition.weight = try number(row, .weight, DefinitionRules.weights) ?? 1
        definition.priority = try number(row, .priority, DefinitionRules.priorities) ?? 0
        definition.limits = RateLimits(
            minute: try number(row, .requestsPerMinute, RateLimits.range),
            hour: try number(row, .requestsPerHour, RateLimits.range),
            day: try number(row, .requestsPerDay, RateLimits.range),
            concurrency: try number(row, .concurrency, RateLimits.range)
        )
        definition.quota = try quota(row)
        do throws(ConfigurationError) {
            try DefinitionRules.check(definition, value: value)
        } catch {
            throw KeyRowFault(message: "key_value \(error.message)")
        }
        var key = KeyToImport(number: row.number, upstream: upstream, definition: definition, value: value)
        let state: KeyState = try choice(row, .state) ?? .active
        // A rest is what this gateway finds out by itself.
        key.state = state == .cooling || state == .exhausted ? .active : state
        key.reason = try reason(row)
        return key
    }

    private func upstream(_ row: KeyRow) throws(KeyRowFault) -> Int? {
        let id = try number(row, .upstreamID, 1...Int.max)
        if let id, !ids.contains(id) { throw KeyRowFault(message: "there is no upstream \(id)") }
        guard let slug = given(row, .upstream) else { return id }
        // Not quoted: where the columns are shifted it is a secret.
        guard let named = upstreams[slug] else {
            throw KeyRowFault(message: "there is no upstream of this slug")
        }
        // Numbers of another gateway, most likely: nobody's key goes to a provider that it is not for.
        guard id == nil || id == named else {
            throw KeyRowFault(
                message: "upstream_id and upstream mean different upstreams; leave one of them out"
            )
        }
        return named
    }

    private func reason(_ row: KeyRow) throws(KeyRowFault) -> String? {
        guard let text = given(row, .reason) else { return nil }
        guard KeyReason.isValid(text) else { throw KeyRowFault(message: "reason \(KeyReason.rule)") }
        return text
    }

    private func quota(_ row: KeyRow) throws(KeyRowFault) -> KeyQuota {
        var quota = KeyQuota()
        quota.total = try number(row, .quotaTotal, Quota.range)
        quota.period = try choice(row, .quotaPeriod) ?? .none
        switch (given(row, .enableQuota) ?? "").lowercased() {
        case "", "false", "0", "no": break
        case "true", "1", "yes": quota.isEnabled = true
        default: throw KeyRowFault(message: "enable_quota must be true or false")
        }
        if quota.isEnabled, quota.total == nil {
            throw KeyRowFault(message: "quota_total is required with enable_quota")
        }
        return quota
    }

    /// nil for a column that is not there, and for one that is empty.
    private func given(_ row: KeyRow, _ column: KeyColumn) -> String? {
        let text = (row[column] ?? "").trimmingASCIISpaces()
        return text.isEmpty ? nil : text
    }

    private func number(
        _ row: KeyRow,
        _ column: KeyColumn,
        _ range: ClosedRange<Int>
    ) throws(KeyRowFault) -> Int? {
        guard let text = given(row, column) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw KeyRowFault(
                message:
                    "\(column.rawValue) must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ row: KeyRow,
        _ column: KeyColumn
    ) throws(KeyRowFault) -> Value? where Value.RawValue == String {
        guard let text = given(row, column) else { return nil }
        guard let value = Value(rawValue: text.lowercased()) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw KeyRowFault(message: "\(column.rawValue) must be one of \(all)")
        }
        return value
    }

}

extension String {
    fileprivate func trimmingASCIISpaces() -> String {
        guard first == " " || last == " " else { return self }
        return String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
