import GRDB
import Operations

extension ClientKeyStore {
    /// Makes the key's successor and lets the key end with the overlap, in one transaction: a key that another operator
    /// revokes meanwhile gets no successor.
    func rotate(
        _ id: Int,
        to token: ClientKeyToken,
        overlap: Duration,
        by user: Operator
    ) throws -> ClientKey {
        let now = Timestamp(microseconds: WallClock.now().microseconds)
        return try database.change { db in
            let old = try Self.find(id, db)
            guard old.key.revokedAt == nil else {
                throw OperationsError(.conflict, "a revoked key cannot be rotated")
            }
            var key = old.key
            (key.prefix, key.last4, key.createdAt, key.lastUsedAt) = (token.prefix, token.lastFour, now, nil)
            key.expiresAt = try Self.newest(after: old, db).key.expiresAt
            if let end = key.expiresAt, end.microseconds <= now.microseconds {
                throw OperationsError(.conflict, "the key has expired; set another expires_at first")
            }
            key.countsAs = old.key.countsAs ?? old.key.id
            // Whoever has stopped a key that leaked means its successor to work.
            key.enabled = true
            let row = ClientKeyRow(key: key, digest: token.digest)
            let made = try Self.insert(row, by: user, action: "rotate", db)
            let ends: (inout ClientKeyRow) -> Void = { row in
                let end = now.advanced(by: overlap)
                row.key.expiresAt = row.key.expiresAt.map { min($0, end) } ?? end
                row.successorID = made.id
            }
            _ = try Self.update(id, ifVersion: nil, by: user, action: "rotate", ends, db)
            return made
        }
    }

    /// The last of a chain of rotations: it alone knows how long the key was meant to last, since the others end
    /// with their overlaps.
    private static func newest(after row: ClientKeyRow, _ db: Database) throws -> ClientKeyRow {
        var row = row
        // A successor is younger, so that the chain ends; one that was deleted ends it too.
        while let id = row.successorID, id > row.key.id,
            let exists = try Bool.fetchOne(
                db,
                sql: "SELECT EXISTS (SELECT 1 FROM client_keys WHERE id = ?)",
                arguments: [id]
            ), exists
        {
            row = try find(id, db)
        }
        return row
    }
}
