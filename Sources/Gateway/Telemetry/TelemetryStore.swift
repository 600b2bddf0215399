import GRDB

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The history of the last day in its own database, so that charts survive a restart.
struct TelemetryStore: Sendable {
    let database: DatabasePool

    /// How long each resolution is kept, in seconds; the finest of keys and upstreams only for an hour.
    private static let kept = 86_400
    private static let keptFinePerScope = 3600

    init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        database = try DatabasePool(path: path, configuration: configuration)
        try database.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS cells (
                        resolution INTEGER NOT NULL, kind INTEGER NOT NULL, scope INTEGER NOT NULL,
                        start INTEGER NOT NULL, cell BLOB NOT NULL,
                        PRIMARY KEY (resolution, kind, scope, start)
                    ) STRICT, WITHOUT ROWID
                    """
            )
        }
    }

    /// Adds cells to what is stored, and forgets what is too old.
    func add(_ cells: [Telemetry.Key: TrafficCell], now: Int) throws {
        try database.write { db in
            let find = try db.cachedStatement(
                sql: "SELECT cell FROM cells WHERE resolution = ? AND kind = ? AND scope = ? AND start = ?"
            )
            let put = try db.cachedStatement(
                sql:
                    "INSERT OR REPLACE INTO cells (resolution, kind, scope, start, cell) VALUES (?, ?, ?, ?, ?)"
            )
            for (key, cell) in cells {
                let place: StatementArguments = [
                    key.resolution.rawValue, key.scope.kind, key.scope.id, key.start,
                ]
                var sum = cell
                if let stored = try Data.fetchOne(find, arguments: place),
                    let old = TrafficCell(encoded: Array(stored))
                {
                    sum.merge(old)
                }
                try put.execute(arguments: place + [Data(sum.encoded)])
            }
            try db.execute(sql: "DELETE FROM cells WHERE start < ?", arguments: [now - Self.kept])
            try db.execute(
                sql: "DELETE FROM cells WHERE resolution = 1 AND kind > 0 AND start < ?",
                arguments: [now - Self.keptFinePerScope]
            )
        }
    }

    func close() throws {
        try database.close()
    }

    /// The stored cells of one series from a second on, up to and without another.
    func cells(
        _ scope: SeriesScope,
        _ resolution: Resolution,
        from: Int,
        to: Int
    ) throws -> [Int: TrafficCell] {
        try database.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT start, cell FROM cells
                    WHERE resolution = ? AND kind = ? AND scope = ? AND start >= ? AND start < ?
                    """,
                arguments: [resolution.rawValue, scope.kind, scope.id, from, to]
            )
            var result: [Int: TrafficCell] = [:]
            for row in rows {
                result[row["start"]] = TrafficCell(encoded: Array(row["cell"] as Data))
            }
            return result
        }
    }
}
