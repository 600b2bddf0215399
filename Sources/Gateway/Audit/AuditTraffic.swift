import GRDB
import Operations

/// Traffic over time, counted from the audit's rows.
extension AuditQueries {
    /// What a filter accepts of the exchanges that began in a stretch of seconds, by steps of it; newest counted
    /// first, so that what a search cut short has missed is the oldest.
    func traffic(
        matching filter: LogFilter,
        _ resolution: Resolution,
        from: Int,
        to: Int
    ) throws -> [Int: TrafficCell] {
        var cells: [Int: TrafficCell] = [:]
        let deadline = ContinuousClock.now + Self.timeLimit
        // Tokens up to what `TokenUsage` believes: rows of versions before may hold any number, and sums must not overflow.
        for file in files.files(.rows).reversed() {
            let condition = try LogFilterSQL(filter, now: WallClock.now().microseconds)
            let sql = """
                SELECT time, status, error, latency, ttft, bytes_in, bytes_out,
                min(prompt_tokens, 1000000000) AS prompt_tokens, min(completion_tokens, 1000000000) AS completion_tokens
                FROM exchanges WHERE id >= ? AND is_open = 0 AND time >= ? AND time < ? AND \(condition.sql)
                ORDER BY id DESC
                """
            try file.database.read { db in
                let first = try Self.firstID(from: from * 1_000_000, db)
                BodySearch.add(to: db, files: files)
                // What has been counted by the deadline is what there is to show.
                _ = try QueryBound.run(db, until: deadline, while: wanted) {
                    let times = [first, from * 1_000_000, to * 1_000_000]
                    let rows = try Row.fetchCursor(
                        db,
                        sql: sql,
                        arguments: StatementArguments(times + condition.arguments)
                    )
                    while let row = try rows.next() {
                        let second = (row["time"] as Int) / 1_000_000
                        cells[resolution.start(of: second), default: TrafficCell()].add(row)
                    }
                }
            }
            if file.firstID < from * 1_000_000 { break }
        }
        return cells
    }

    /// A sum has no part to show when it is cut short, and is given again for long.
    private static let statsLimit = Duration.seconds(30)
    /// Ids summed up at a time: SQLite sorts what it groups, and a sort that has begun is neither short nor ended.
    private static let statsStretch = 20_000

    /// By everything that exchanges are told apart by, in one pass: who asks by one asks by the others as well.
    func stats(filter: LogFilter, from: Timestamp?) throws -> [StatsGrouping: [StatsItem]] {
        var items: [StatsGrouping: [String?: StatsItem]] = [:]
        let deadline = ContinuousClock.now + Self.statsLimit
        let moment = from?.microseconds ?? 0
        let condition = try LogFilterSQL(filter, now: WallClock.now().microseconds)
        for file in files.files(.rows).reversed() {
            try file.database.read { db in
                BodySearch.add(to: db, files: files)
                var next = from == nil ? 0 : try Self.firstID(from: moment, db)
                while let first = try Self.firstID(atOrAfter: next, db) {
                    next = first + Self.statsStretch
                    for row in try statsRows(db, condition, first..<next, from: moment, until: deadline) {
                        for grouping in StatsGrouping.allCases {
                            let name: String? = row["by_\(grouping.rawValue)"]
                            if grouping == .error, name == nil { continue }
                            let none = StatsItem(name: name, requests: 0, errors: 0, latencyAvgMs: nil)
                            items[grouping, default: [:]][name, default: none].add(row)
                        }
                    }
                }
            }
            if file.firstID < moment { break }
        }
        return items.mapValues { items in
            items.values.sorted { ($0.requests, $1.name ?? "") > ($1.requests, $0.name ?? "") }
        }
    }

    /// The sums of some exchanges, by all groupings at once.
    private func statsRows(
        _ db: Database,
        _ condition: LogFilterSQL,
        _ ids: Range<Int>,
        from moment: Int,
        until deadline: ContinuousClock.Instant
    ) throws -> [Row] {
        let names = StatsGrouping.allCases.map { "\(Self.expression($0)) AS by_\($0.rawValue)" }
        let columns = names.joined(separator: ", ")
        let places = names.indices.map { "\($0 + 1)" }.joined(separator: ", ")
        let sql = """
            SELECT \(columns), count(*) AS requests,
            sum(error IS NOT NULL OR status >= 400) AS errors, sum(latency) AS latency,
            sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out,
            sum(min(prompt_tokens, 1000000000)) AS prompt_tokens,
            sum(min(completion_tokens, 1000000000)) AS completion_tokens
            FROM exchanges WHERE id >= ? AND id < ? AND is_open = 0 AND time >= ? AND \(condition.sql)
            GROUP BY \(places)
            """
        let bounds = [ids.lowerBound, ids.upperBound, moment]
        var rows: [Row] = []
        let isComplete = try QueryBound.run(db, until: deadline, while: wanted) {
            rows = try Row.fetchAll(db, sql: sql, arguments: StatementArguments(bounds + condition.arguments))
        }
        guard isComplete, ContinuousClock.now < deadline else { throw Self.tooSlow(Self.statsLimit) }
        return rows
    }

    /// Ids have gaps where the gateway was not running.
    private static func firstID(atOrAfter id: Int, _ db: Database) throws -> Int? {
        try Int.fetchOne(
            db.cachedStatement(sql: "SELECT min(id) FROM exchanges WHERE id >= ?"),
            arguments: [id]
        )
    }

    /// What exchanges are told apart by; failures that were the upstream's own answers go by their status.
    private static func expression(_ grouping: StatsGrouping) -> String {
        guard grouping == .error else { return grouping.rawValue }
        return "coalesce(error, CASE WHEN status >= 400 THEN 'upstream_' || status END)"
    }

    /// The first id of a file's exchanges that began at a moment or later: ids rise with time, so it is found by
    /// halving instead of by reading.
    static func firstID(from moment: Int, _ db: Database) throws -> Int {
        guard var low = try Int.fetchOne(db, sql: "SELECT min(id) FROM exchanges"),
            var high = try Int.fetchOne(db, sql: "SELECT max(id) FROM exchanges")
        else { return 0 }
        let probe = try db.cachedStatement(
            sql: "SELECT id, time FROM exchanges WHERE id >= ? ORDER BY id LIMIT 1"
        )
        while low < high {
            let middle = low + (high - low) / 2
            guard let row = try Row.fetchOne(probe, arguments: [middle]) else { break }
            if (row["time"] as Int) >= moment { high = middle } else { low = (row["id"] as Int) + 1 }
        }
        // A long exchange may stand before its elders by its clock; a little more is read than needed.
        return low - 1000
    }
}

extension TrafficCell {
    fileprivate mutating func add(_ row: Row) {
        count(status: row["status"], error: row["error"])
        bytesIn += row["bytes_in"] ?? 0
        bytesOut += row["bytes_out"] ?? 0
        promptTokens += row["prompt_tokens"] ?? 0
        completionTokens += row["completion_tokens"] ?? 0
        if let microseconds: Int = row["latency"] {
            latencySum += microseconds
            latency.record(microseconds: microseconds)
        }
        if let microseconds: Int = row["ttft"] { timeToFirstByte.record(microseconds: microseconds) }
    }
}

extension StatsItem {
    fileprivate mutating func add(_ row: Row) {
        let count: Int = row["requests"]
        let latency = Double(row["latency"] as Int? ?? 0) / 1000
        latencyAvgMs = ((latencyAvgMs ?? 0) * Double(requests) + latency) / Double(requests + count)
        requests += count
        errors += row["errors"] ?? 0
        bytesIn += row["bytes_in"] ?? 0
        bytesOut += row["bytes_out"] ?? 0
        promptTokens += row["prompt_tokens"] ?? 0
        completionTokens += row["completion_tokens"] ?? 0
    }
}
