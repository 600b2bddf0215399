import Operations

/// What rows of client keys say; the rules are those of keys that are made one by one.
enum ClientKeyRows {
    private static let placeholder = ClientKeyToken(
        text: String(repeating: "x", count: ClientKeyToken.length)
    )

    /// The key that a row means.
    ///
    /// `isCarried`: its caller has it already, and it may have ended elsewhere.
    static func key(
        _ row: ImportRow<ClientKeyColumn>,
        isCarried: Bool,
        at now: Timestamp
    ) throws(RowFailure) -> ClientKey {
        var draft = ClientKeyDraft(name: row.given(.name) ?? "", owner: row.given(.owner))
        draft.permissions = ClientKeyPermissions(
            upstreams: try list(row, .upstreams),
            paths: try list(row, .paths),
            models: try list(row, .models),
            cidrs: try list(row, .cidrs)
        )
        draft.notes = row[.notes]
        draft.enabled = try row.truth(.enabled)
        let expiry = try time(row, .expiresAt, after: now)
        if !isCarried { draft.expiresAt = expiry }
        var key: ClientKey
        do throws(OperationsError) {
            key = try ClientKeyRules.key(draft, token: placeholder, at: now)
        } catch {
            let words = [error.parameter, error.message].compactMap(\.self)
            throw RowFailure(message: words.joined(separator: " "))
        }
        key.expiresAt = expiry
        key.limits = try row.limits()
        key.quota = try quota(row)
        if let revoked = try time(row, .revokedAt, after: now) {
            (key.revokedAt, key.enabled) = (revoked, false)
        }
        return key
    }

    /// - Throws: `RowFailure` for a cell that says something and names nothing: it would allow everything.
    private static func list(
        _ row: ImportRow<ClientKeyColumn>,
        _ column: ClientKeyColumn
    ) throws(RowFailure) -> [String] {
        guard let text = row[column], !text.isEmpty else { return [] }
        let values = CellList.values(text)
        guard !values.isEmpty else { throw RowFailure(message: "\(column.rawValue) names nothing") }
        return values
    }

    private static func quota(_ row: ImportRow<ClientKeyColumn>) throws(RowFailure) -> QuotaStanding? {
        let unit: QuotaUnit? = try row.choice(.quotaUnit)
        let period: QuotaPeriod? = try row.choice(.quotaPeriod)
        guard let total = try row.number(.quotaTotal, Quota.range) else {
            guard unit == nil, period == nil else {
                throw RowFailure(message: "quota_total is required with quota_unit and quota_period")
            }
            return nil
        }
        return QuotaStanding(Quota(unit: unit ?? .requests, total: total, period: period ?? .none))
    }

    /// A day is its beginning, in UTC; `90d` is from now.
    private static func time(
        _ row: ImportRow<ClientKeyColumn>,
        _ column: ClientKeyColumn,
        after now: Timestamp
    ) throws(RowFailure) -> Timestamp? {
        guard let text = row.given(column) else { return nil }
        if let time = Timestamp(text: text) ?? Timestamp(text: text + "T00:00:00Z") { return time }
        guard let duration = Duration(text: text) else {
            throw RowFailure(
                message:
                    "\(column.rawValue) must be a day or a time, like 90d, 2027-01-31 or 2027-01-31T12:00:00Z"
            )
        }
        return now.advanced(by: duration)
    }
}

/// What is known of a key that its caller has already.
struct CarriedKey {
    let prefix: String
    let last4: String
    let digest: KeyDigest

    /// nil for a row that asks for a new key.
    init?(_ row: ImportRow<ClientKeyColumn>) throws(RowFailure) {
        guard let digest = row.given(.digest) else {
            // An export without digests names keys that nobody could make again.
            guard row.given(.prefix) == nil, row.given(.last4) == nil else {
                throw RowFailure(
                    message:
                        "digest is missing beside prefix and last4; export with digests (--digests), or leave them out"
                )
            }
            return nil
        }
        guard let bytes = Hexadecimal.bytes(digest), let stored = KeyDigest(stored: bytes) else {
            throw RowFailure(message: "digest must have 64 hexadecimal digits")
        }
        guard let prefix = row.given(.prefix), let last4 = row.given(.last4), Self.isPrefix(prefix),
            last4.utf8.count == 4, last4.utf8.allSatisfy(Self.isURLSafe)
        else {
            throw RowFailure(message: "prefix and last4 must be as the key with this digest has them")
        }
        (self.prefix, self.last4, self.digest) = (prefix, last4, stored)
    }

    private static func isPrefix(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == ClientKeyToken.prefixLength && text.hasPrefix("fg_")
            && bytes.dropFirst(3).allSatisfy { (0x61...0x7A).contains($0) || (0x32...0x37).contains($0) }
    }

    private static func isURLSafe(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x2D || byte == 0x5F
    }
}
