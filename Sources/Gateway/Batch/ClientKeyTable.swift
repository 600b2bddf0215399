import GRDB
import Operations

/// Rows that become client keys: new ones, or those that callers have already from another gateway.
struct ClientKeyTable: ImportTable {
    static let object = "client_key"

    private let now: Timestamp
    /// By slug.
    private let upstreams: Set<String>
    private let isAdmin: Bool
    /// Names that are taken, with the row that took each; nil for keys that were there before.
    private var names: [String: Int?]
    /// Rows with keys that callers have already, by prefix.
    private var prefixes: [String: Int] = [:]
    let unsettled: Set<Int> = []
    /// Names in the database, once it is written to.
    private var taken: Set<String>?
    /// Ids of keys that have come with their digests, by prefix.
    private var moved: [String: Int] = [:]
    /// What has been put into the database, in the file's order.
    private(set) var made: [ImportedClientKey] = []

    init(names: [String], upstreams: Set<String>, by user: Operator, at now: Timestamp) {
        self.names = Dictionary(names.map { ($0, nil) }) { first, _ in first }
        self.upstreams = upstreams
        isAdmin = user.role >= .admin
        self.now = now
    }

    /// For the operators' audit: which they are, since a line for each would be too much.
    var details: [String: String] {
        var details = ["moved": "\(moved.count)"]
        if let first = made.first, let last = made.last { details["ids"] = "\(first.id)-\(last.id)" }
        return details
    }

    /// A JSON file of client keys says nothing beside its list.
    func settle(_ shared: ImportRow<ClientKeyColumn>?) {}
    func examineSettled(_ row: ImportRow<ClientKeyColumn>, _ db: Database) {}

    // MARK: While the file comes

    mutating func examine(
        _ row: ImportRow<ClientKeyColumn>,
        _ options: ImportOptions,
        _ db: Database
    ) throws(RowFailure) {
        let token = try CarriedKey(row)
        let key = try ClientKeyRows.key(row, isCarried: token != nil, at: now)
        if let token {
            // Those of before and after a rotation share a name, and both have to work.
            try examine(token, row, db)
            names[key.name] = row.number
        } else {
            guard row.given(.countsAsPrefix) == nil else {
                throw RowFailure(message: "counts_as_prefix is only for keys with a digest")
            }
            try checkUpstreams(key)
            try checkName(key.name)
            names[key.name] = row.number
        }
    }

    private mutating func examine(
        _ token: CarriedKey,
        _ row: ImportRow<ClientKeyColumn>,
        _ db: Database
    ) throws(RowFailure) {
        // A digest is of a key that somebody knows already, also of one that was revoked here and deleted.
        guard isAdmin else { throw RowFailure(message: "only an admin moves keys by their digests") }
        if let row = prefixes[token.prefix] {
            throw RowFailure(message: "row \(row) has the same prefix, \(token.prefix)")
        }
        guard try !Self.isKnown(token.prefix, db) else { throw Self.doublePrefix(token.prefix) }
        if let first = row.given(.countsAsPrefix), prefixes[first] == nil { throw Self.unknownFirst }
        prefixes[token.prefix] = row.number
    }

    /// A file that is imported twice makes no second key for anyone.
    private func checkName(_ name: String) throws(RowFailure) {
        switch names[name] {
        case .none: return
        case .some(nil): throw Self.doubleName(name)
        case .some(let row?): throw RowFailure(message: "row \(row) has the same name, “\(name)”")
        }
    }

    /// A key that is moved may come before its upstream; in a new one it is a slip of the pen.
    private func checkUpstreams(_ key: ClientKey) throws(RowFailure) {
        guard let unknown = key.permissions.upstreams.first(where: { !upstreams.contains($0) }) else {
            return
        }
        let shown = TextLine.safe(String(unknown.prefix(60)))
        throw RowFailure(message: "upstreams: there is no upstream \(shown)")
    }

    private static func isKnown(_ prefix: String, _ db: Database) throws(RowFailure) -> Bool {
        do {
            let statement = try db.cachedStatement(sql: "SELECT 1 FROM client_keys WHERE prefix = ?")
            return try Int.fetchOne(statement, arguments: [prefix]) != nil
        } catch {
            throw RowFailure(message: "cannot be looked up: \(error)")
        }
    }

    private static func doubleName(_ name: String) -> RowFailure {
        RowFailure(message: "there is a client key of this name, “\(name)”")
    }

    private static func doublePrefix(_ prefix: String) -> RowFailure {
        RowFailure(message: "there is a client key of this prefix, \(prefix)")
    }

    private static let unknownFirst = RowFailure(
        message: "counts_as_prefix means a key that the file does not have before this one"
    )

    // MARK: Into the database

    mutating func insert(_ row: ImportRow<ClientKeyColumn>, _ db: Database) throws(RowFailure) {
        let token = try CarriedKey(row)
        let key = try ClientKeyRows.key(row, isCarried: token != nil, at: now)
        if let token {
            try insert(key, token, row, db)
        } else {
            try insertNew(key, row.number, db)
        }
    }

    private mutating func insert(
        _ key: ClientKey,
        _ token: CarriedKey,
        _ row: ImportRow<ClientKeyColumn>,
        _ db: Database
    ) throws(RowFailure) {
        var key = key
        (key.prefix, key.last4) = (token.prefix, token.last4)
        if let first = row.given(.countsAsPrefix) {
            // Only one that has come with the same file: a stranger's limits are no file's business.
            guard let id = moved[first] else { throw Self.unknownFirst }
            key.countsAs = id
        }
        guard let id = try Self.add(ClientKeyRow(key: key, digest: token.digest), db) else {
            throw Self.doublePrefix(token.prefix)
        }
        moved[token.prefix] = id
        made.append(ImportedClientKey(row: row.number, id: id, name: key.name, key: nil))
    }

    private mutating func insertNew(_ key: ClientKey, _ row: Int, _ db: Database) throws(RowFailure) {
        try takeName(key.name, db)
        var key = key
        // Of forty random bits a prefix may be there once in a blue moon.
        for _ in 0..<5 {
            let token = ClientKeyToken.generate()
            (key.prefix, key.last4) = (token.prefix, token.lastFour)
            guard let id = try Self.add(ClientKeyRow(key: key, digest: token.digest), db) else { continue }
            made.append(ImportedClientKey(row: row, id: id, name: key.name, key: token.text))
            return
        }
        throw RowFailure(message: "no free prefix was found; import the row again")
    }

    /// What others have made while the file came counts, too.
    private mutating func takeName(_ name: String, _ db: Database) throws(RowFailure) {
        do {
            if taken == nil { taken = Set(try ClientKeyStore.names(db)) }
        } catch {
            throw RowFailure(message: "cannot be looked up: \(error)")
        }
        guard taken?.insert(name).inserted == true else { throw Self.doubleName(name) }
    }

    /// - Returns: its id; nil where another key has its prefix.
    private static func add(_ row: ClientKeyRow, _ db: Database) throws(RowFailure) -> Int? {
        do {
            return try ClientKeyStore.add(row, db)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            return nil
        } catch {
            throw RowFailure(message: "cannot be written: \(error)")
        }
    }
}
