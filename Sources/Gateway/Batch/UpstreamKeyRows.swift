import Operations

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

/// Makes keys of rows; the rules are those of keys that are added one by one.
struct KeyRowReader: Sendable {
    let upstreams: [String: Int]
    let ids: Set<Int>

    init(_ rows: [UpstreamRow]) {
        upstreams = Dictionary(rows.map { ($0.slug, $0.id) }) { $1 }
        ids = Set(rows.map(\.id))
    }

    func key(_ row: ImportRow<KeyColumn>) throws(RowFailure) -> KeyToImport {
        let upstream = try upstream(row)
        let name = row[.name] ?? ""
        guard !name.isEmpty else { throw RowFailure(message: "name must not be empty") }
        guard name.utf8.count <= 200, !TextLine.hasControls(name) else {
            throw RowFailure(message: "name must have at most 200 bytes and no control characters")
        }
        let value = Secret(row[.keyValue] ?? "")
        guard !value.value.isEmpty else { throw RowFailure(message: "key_value must not be empty") }
        guard value.value.first != " ", value.value.last != " " else {
            throw RowFailure(message: "key_value begins or ends with a space")
        }
        guard !value.value.contains(where: { $0 == "…" || $0 == "•" }) else {
            throw RowFailure(
                message: "key_value is masked; export with values (--values) to import them again"
            )
        }
        var definition = UpstreamKeyDefinition(name: name)
        definition.location = try row.choice(.location) ?? .header
        definition.paramName = row.given(.paramName) ?? definition.paramName
        // Its spaces are a part of it.
        definition.valuePrefix = row[.valuePrefix] ?? (definition.location == .header ? "Bearer " : "")
        definition.weight = try row.number(.weight, DefinitionRules.weights) ?? 1
        definition.priority = try row.number(.priority, DefinitionRules.priorities) ?? 0
        definition.limits = try row.limits()
        definition.quota = try quota(row)
        do throws(ConfigurationError) {
            try DefinitionRules.check(definition, value: value)
        } catch {
            throw RowFailure(message: "key_value \(error.message)")
        }
        var key = KeyToImport(number: row.number, upstream: upstream, definition: definition, value: value)
        let state: KeyState = try row.choice(.state) ?? .active
        // A rest is what this gateway finds out by itself.
        key.state = state == .cooling || state == .exhausted ? .active : state
        key.reason = try reason(row)
        return key
    }

    private func upstream(_ row: ImportRow<KeyColumn>) throws(RowFailure) -> Int? {
        let id = try row.number(.upstreamID, 1...Int.max)
        if let id, !ids.contains(id) { throw RowFailure(message: "there is no upstream \(id)") }
        guard let slug = row.given(.upstream) else { return id }
        // Not quoted: where the columns are shifted it is a secret.
        guard let named = upstreams[slug] else {
            throw RowFailure(message: "there is no upstream of this slug")
        }
        // Numbers of another gateway, most likely: nobody's key goes to a provider that it is not for.
        guard id == nil || id == named else {
            throw RowFailure(
                message: "upstream_id and upstream mean different upstreams; leave one of them out"
            )
        }
        return named
    }

    private func reason(_ row: ImportRow<KeyColumn>) throws(RowFailure) -> String? {
        guard let text = row.given(.reason) else { return nil }
        guard KeyReason.isValid(text) else { throw RowFailure(message: "reason \(KeyReason.rule)") }
        return text
    }

    private func quota(_ row: ImportRow<KeyColumn>) throws(RowFailure) -> KeyQuota {
        var quota = KeyQuota()
        quota.total = try row.number(.quotaTotal, Quota.range)
        quota.period = try row.choice(.quotaPeriod) ?? .none
        quota.isEnabled = try row.truth(.enableQuota) ?? false
        if quota.isEnabled, quota.total == nil {
            throw RowFailure(message: "quota_total is required with enable_quota")
        }
        return quota
    }
}
