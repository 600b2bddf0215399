import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The configuration database: upstreams, keys, and who changed what.
///
/// Write methods are whole transactions that keep the database's promises; there is one writer.
struct Store: Sendable {
    let database: DatabasePool

    /// Opens, checks and migrates the database.
    ///
    /// - Throws: `StartFailure` for a lost, damaged or newer database; nothing is changed then.
    static func open(_ directory: DataDirectory) throws -> Store {
        let file = directory.configurationDatabase
        let wasUsed = TextFile.exists(directory.marker)
        if wasUsed, DataDirectory.size(of: file) ?? 0 == 0 {
            throw StartFailure(
                "\(file) is missing or empty, but this data directory was in use; restore it from a backup, or remove "
                    + "\(directory.marker) to begin anew"
            )
        }
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            // A revoked key must not come back after a power cut.
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            let pool = try DatabasePool(path: file, configuration: configuration)
            let store = Store(database: pool)
            try store.check(file)
            try Migrations.all.migrate(pool)
            if !wasUsed { try TextFile.createPrivate(directory.marker, "1\n") }
            return store
        } catch let error as DatabaseError {
            throw StartFailure(
                "\(file) cannot be used: \(error.message ?? "unknown fault"); restore it from a backup"
            )
        }
    }

    /// Opens a copy to look at it: it is checked, and left as it is.
    static func inspect(_ file: String) throws -> Store {
        do {
            let store = Store(database: try DatabasePool(path: file))
            try store.check(file)
            return store
        } catch let error as DatabaseError {
            throw StartFailure("\(file) is damaged: \(error.message ?? "unknown fault")")
        }
    }

    private func check(_ file: String) throws {
        let (verdict, isNewer) = try database.read { db in
            let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no verdict"
            return (verdict, try Migrations.all.hasBeenSuperseded(db))
        }
        guard verdict == "ok" else {
            throw StartFailure("\(file) is damaged (\(verdict)); restore it from a backup")
        }
        guard !isNewer else {
            throw StartFailure("\(file) was written by a newer version of fastgate; install that version")
        }
    }

    private static let checkPlace = "meta/master_check"

    /// Checks that the master key is the one that sealed what is here, and remembers it on the first start.
    func verify(_ key: MasterKey) throws {
        guard let stored = try database.read(Self.masterCheck) else {
            return try database.write { try Self.remember(key, $0) }
        }
        guard Self.opens(stored, key) else {
            throw StartFailure("the master key is not the one that sealed this database; nothing was changed")
        }
    }

    /// Whether it is this key that has sealed what is here.
    func isSealed(by key: MasterKey) throws -> Bool {
        try database.read(Self.masterCheck).map { Self.opens($0, key) } ?? false
    }

    private static func masterCheck(_ db: Database) throws -> Data? {
        try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'master_check'")
    }

    private static func opens(_ sealed: Data, _ key: MasterKey) -> Bool {
        // Why it does not open does not matter: only the right key ever does.
        (try? key.open(sealed, place: checkPlace)) != nil
    }

    static func remember(_ key: MasterKey, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO meta (name, value) VALUES ('master_check', ?)",
            arguments: [try key.seal(Secret("fastgate"), place: checkPlace)]
        )
    }

    /// Whether a master key has ever been used here.
    func hasSealedValues() throws -> Bool {
        try database.read { db in
            try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'master_check')")
                ?? false
        }
    }

    // MARK: Changes

    /// Writes down who changed what, in the same transaction as the change.
    static func record(_ change: ChangeRecord, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO changes (at, operator, role, via, action, object, object_id, before, after, undoes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                change.at, change.user.name, change.user.role.rawValue, change.user.via, change.action,
                change.object, change.objectID, change.before, change.after, change.undoes,
            ]
        )
    }
}
