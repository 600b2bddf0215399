import GRDB
import Operations
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
        #expect(throws: CancellationError.self) {
            try DatabaseQueue().read { db in
                try QueryBound.run(db, while: wanted) { _ = try Int.fetchOne(db, sql: Self.endless) }
            }
        }
    }

    @Test func `a query ends with what it is a part of`() throws {
        let whole = QueryBound.Switch()
        let part = QueryBound.Switch(within: whole)
        #expect(!part.hasEnded)
        whole.turnOff()
        #expect(part.hasEnded)
        let other = QueryBound.Switch()
        QueryBound.Switch(within: other).turnOff()
        #expect(!other.hasEnded)
    }

    @Test func `a query is cut short at its deadline`() throws {
        let isComplete = try DatabaseQueue().read { db in
            try QueryBound.run(db, until: .now) { _ = try Int.fetchOne(db, sql: Self.endless) }
        }
        #expect(!isComplete)
    }

    @Test func `what is wanted is read, and the bound ends with it`() throws {
        let wanted = QueryBound.Switch()
        try DatabaseQueue().read { db in
            var count: Int?
            let isComplete = try QueryBound.run(db, until: .now + .seconds(60), while: wanted) {
                count = try Int.fetchOne(
                    db,
                    sql:
                        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT count(*) FROM n"
                )
            }
            wanted.turnOff()
            #expect(isComplete && count == 100_000)
            #expect(try Int.fetchOne(db, sql: "SELECT 1") == 1)
        }
    }

    @Test func `a search ends with the task that waits for it`() async throws {
        let wanted = QueryBound.Switch()
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        let search = Task {
            try await SearchThreads.run(while: wanted) {
                try DatabaseQueue().read { db in
                    continuation.finish()
                    return try QueryBound.run(db, while: wanted) {
                        _ = try Int.fetchOne(db, sql: Self.endless)
                    }
                }
            }
        }
        for await _ in begun {}
        search.cancel()
        await #expect(throws: CancellationError.self) { try await search.value }
    }

    @Test func `who waits for a search while the gateway ends is told`() async throws {
        let whole = QueryBound.Switch()
        let wanted = QueryBound.Switch(within: whole)
        whole.turnOff()
        let error = await #expect(throws: OperationsError.self) {
            try await SearchThreads.run(while: wanted) {
                try DatabaseQueue().read { db in
                    try QueryBound.run(db, while: wanted) { _ = try Int.fetchOne(db, sql: Self.endless) }
                }
            }
        }
        #expect(error?.code == .unavailable)
    }
}
