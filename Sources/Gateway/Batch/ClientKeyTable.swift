import GRDB
import Operations

/// Rows that become client keys: new ones, or those that callers have already from another gateway.
struct ClientKeyTable: ImportTable {
    static let object = "client_key"

    private let now: Timestamp
    /// Names that are taken, with the row that took each; nil for keys that were there before.
    private var names: [String: Int?]
    private var prefixes: [String: Int] = [:]
    let unsettled: Set<Int> = []
    /// What has been put into the database, in the file's order.
    private(set) var made: [ImportedClientKey] = []

    init(names: [String], at now: Timestamp) {
        self.names = Dictionary(names.map { ($0, nil) }) { first, _ in first }
        self.now = now
    }

    mutating func examine(
        _ row: ImportRow<ClientKeyColumn>,
        _ options: ImportOptions,
        _ db: Database
    ) throws(RowFailure) {
        let token = try CarriedKey(row)
        let key = try Self.key(row, token, at: now)
        switch names[key.name] {
        case .none: break
        case .some(nil): throw RowFailure(message: "there is a client key of this name, “\(key.name)”")
        case .some(let row?): throw RowFailure(message: "row \(row) has the same name, “\(key.name)”")
        }
        if let token {
            if let row = prefixes[token.prefix] {
                throw RowFailure(message: "row \(row) has the same prefix, \(token.prefix)")
            }
            guard try !Self.isKnown(token, db) else {
                throw RowFailure(message: "there is a client key of this prefix, \(token.prefix)")
            }
            prefixes[token.prefix] = row.number
        }
        names[key.name] = row.number
    }

    private static func isKnown(_ token: CarriedKey, _ db: Database) throws(RowFailure) -> Bool {
        do {
            let statement = try db.cachedStatement(sql: "SELECT 1 FROM client_keys WHERE prefix = ?")
            return try Int.fetchOne(statement, arguments: [token.prefix]) != nil
        } catch {
            throw RowFailure(message: "cannot be looked up: \(error)")
        }
    }

    /// A JSON file of client keys says nothing beside its list.
    func settle(_ shared: ImportRow<ClientKeyColumn>?) {}
    func examineSettled(_ row: ImportRow<ClientKeyColumn>, _ db: Database) {}

    mutating func insert(_ row: ImportRow<ClientKeyColumn>, _ db: Database) throws(RowFailure) {
        let carried = try CarriedKey(row)
        var key = try Self.key(row, carried, at: now)
        let token = ClientKeyToken.generate()
        (key.prefix, key.last4) =
            carried.map { ($0.prefix, $0.last4) } ?? (token.prefix, token.lastFour)
        do {
            key.id = try ClientKeyStore.add(
                ClientKeyRow(key: key, digest: carried?.digest ?? token.digest),
                db
            )
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw RowFailure(message: "there is a client key of this prefix, \(key.prefix)")
        } catch {
            throw RowFailure(message: "cannot be written: \(error)")
        }
        made.append(
            ImportedClientKey(
                row: row.number,
                id: key.id,
                name: key.name,
                key: carried == nil ? token.text : nil
            )
        )
    }

    // MARK: A row's key

    private static let placeholder = ClientKeyToken(
        text: String(repeating: "x", count: ClientKeyToken.length)
    )

    /// The rules are those of keys that are made one by one; only what has ended elsewhere may have ended.
    private static func key(
        _ row: ImportRow<ClientKeyColumn>,
        _ carried: CarriedKey?,
        at now: Timestamp
    ) throws(RowFailure) -> ClientKey {
        var draft = ClientKeyDraft(name: row[.name] ?? "", owner: row[.owner])
        draft.permissions = ClientKeyPermissions(
            upstreams: list(row, .upstreams),
            paths: list(row, .paths),
            models: list(row, .models),
            cidrs: list(row, .cidrs)
        )
        draft.notes = row[.notes]
        draft.enabled = try row.truth(.enabled)
        let expiry = try time(row, .expiresAt)
        if carried == nil { draft.expiresAt = expiry }
        var key: ClientKey
        do throws(OperationsError) {
            key = try ClientKeyRules.key(draft, token: placeholder, at: now)
        } catch {
            throw RowFailure(
                message: [error.parameter, error.message].compactMap(\.self).joined(separator: " ")
            )
        }
        key.expiresAt = expiry
        key.limits = try row.limits()
        key.quota = try quota(row)
        if let revoked = try time(row, .revokedAt) { (key.revokedAt, key.enabled) = (revoked, false) }
        return key
    }

    private static func list(_ row: ImportRow<ClientKeyColumn>, _ column: ClientKeyColumn) -> [String] {
        row[column].map(CellList.values) ?? []
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

    /// A day is its beginning, in UTC.
    private static func time(
        _ row: ImportRow<ClientKeyColumn>,
        _ column: ClientKeyColumn
    ) throws(RowFailure) -> Timestamp? {
        guard let text = row.given(column) else { return nil }
        guard let time = Timestamp(text: text) ?? Timestamp(text: text + "T00:00:00Z") else {
            throw RowFailure(message: "\(column.rawValue) must be like 2027-01-31 or 2027-01-31T12:00:00Z")
        }
        return time
    }
}

/// What is known of a key that its caller has already.
private struct CarriedKey {
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
