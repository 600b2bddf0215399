import GRDB
import Operations

/// Many client keys at once.
extension ClientKeyStore {
    /// What has come of each of them.
    struct Outcome: Sendable {
        var changed: [Int] = []
        var faults: [Int: String] = [:]
    }

    /// Those behind an id, in the order of ids.
    func rows(after id: Int, limit: Int) throws -> [ClientKeyRow] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM client_keys WHERE id > ? ORDER BY id LIMIT ?",
                arguments: [id, limit]
            ).map { try Self.decode($0) }
        }
    }

    func names() throws -> [String] {
        try database.read { try Self.names($0) }
    }

    static func names(_ db: Database) throws -> [String] {
        try String.fetchAll(db, sql: "SELECT name FROM client_keys")
    }

    func setEnabled(_ isEnabled: Bool, of ids: [Int], by user: Operator) throws -> Outcome {
        try each(ids) { id, db in
            _ = try Self.update(
                id,
                ifVersion: nil,
                by: user,
                action: "change",
                { row in
                    if row.key.revokedAt != nil {
                        throw OperationsError(.conflict, "the client key \(id) is revoked")
                    }
                    row.key.enabled = isEnabled
                },
                db
            )
        }
    }

    func delete(_ ids: [Int], by user: Operator) throws -> Outcome {
        try each(ids) { id, db in try Self.delete(id, by: user, db) }
    }

    /// In one transaction; what is refused for one is no reason to refuse the others.
    private func each(_ ids: [Int], _ work: (Int, Database) throws -> Void) throws -> Outcome {
        try database.change { db in
            var outcome = Outcome()
            var seen: Set<Int> = []
            for id in ids where seen.insert(id).inserted {
                do {
                    try work(id, db)
                    outcome.changed.append(id)
                } catch let error as OperationsError {
                    outcome.faults[id] = error.message
                }
            }
            return outcome
        }
    }
}
