import GRDB
import Testing

@testable import Gateway

@Suite struct `Bounds of queries` {
    /// Counts for minutes.
    private static let endless = """
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000000)
        SELECT count(*) FROM n
        """

    @Test func `a query that nobody waits for ends`() throws {
        let wanted = QueryBound.Switch()
        wanted.turnOff()
        let error = try #require(throws: DatabaseError.self) {
            try DatabaseQueue().read { db in
                try QueryBound.run(db, while: wanted) { _ = try Int.fetchOne(db, sql: Self.endless) }
            }
        }
        #expect(error.resultCode == .SQLITE_INTERRUPT)
    }

    @Test func `a query ends at its deadline`() throws {
        let error = try #require(throws: DatabaseError.self) {
            try DatabaseQueue().read { db in
                try QueryBound.run(db, until: .now) { _ = try Int.fetchOne(db, sql: Self.endless) }
            }
        }
        #expect(error.resultCode == .SQLITE_INTERRUPT)
    }

    @Test func `what is wanted is read, and the bound ends with it`() throws {
        let wanted = QueryBound.Switch()
        try DatabaseQueue().read { db in
            let count = try QueryBound.run(db, until: .now + .seconds(60), while: wanted) {
                try Int.fetchOne(
                    db,
                    sql:
                        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT count(*) FROM n"
                )
            }
            wanted.turnOff()
            #expect(count == 100_000)
            #expect(try Int.fetchOne(db, sql: "SELECT 1") == 1)
        }
    }
}
