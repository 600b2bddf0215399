import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads the audit: newest first, over all files, never longer than a bound.
struct AuditQueries: Sendable {
    /// A search that has not filled its page by then gives what it has, and a cursor to go on from.
    static let timeLimit = Duration.seconds(2)

    let files: AuditFiles
    /// Off once nobody waits for the answer any more; off by itself when the gateway ends.
    let wanted: QueryBound.Switch

    init(files: AuditFiles) {
        self.files = files
        wanted = QueryBound.Switch(within: files.searches)
    }

    private struct Found {
        let records: [LogRecord]
        let hasMore: Bool
    }

    func page(_ query: LogQuery) throws -> Page<LogRecord> {
        let filter = try Self.parse(query.filter)
        let limit = min(max(query.limit, 1), 1000)
        let cursor = try query.cursor.map(Cursor.number)
        let found =
            switch query.order {
            case .newest:
                try search(
                    filter,
                    before: cursor ?? .max,
                    from: query.from,
                    to: query.to,
                    limit: limit + 1
                )
            case .oldest: try searchOn(filter, after: cursor, query, limit: limit + 1)
            }
        let items = Array(found.records.prefix(limit))
        return Page(items: items, nextCursor: found.hasMore ? items.last.map { Cursor.text($0.id) } : nil)
    }

    static func parse(_ text: String) throws -> LogFilter {
        do throws(LogFilterError) {
            return try LogFilter(parsing: text)
        } catch {
            throw OperationsError(.invalid, error.description, parameter: "filter")
        }
    }

    /// Exchanges stand in the file in which they ended, so an older file can hold a later id only up to its
    /// successor's first: the search may stop where no older file can add to the page.
    private func search(
        _ filter: LogFilter,
        before: Int,
        from: Timestamp?,
        to: Timestamp?,
        limit: Int
    ) throws -> Found {
        var found: [LogRecord] = []
        let deadline = ContinuousClock.now + Self.timeLimit
        for file in files.files(.rows).reversed() {
            let condition = try LogFilterSQL(filter, now: WallClock.now().microseconds)
            var sql = "SELECT * FROM exchanges WHERE is_open = 0 AND id < ? AND \(condition.sql)"
            var arguments: [(any DatabaseValueConvertible)?] = [before]
            arguments += condition.arguments
            if let from {
                sql += " AND time >= ?"
                arguments.append(from.microseconds)
            }
            if let to {
                sql += " AND time < ?"
                arguments.append(to.microseconds)
            }
            sql += " ORDER BY id DESC LIMIT ?"
            arguments.append(limit)
            let (records, isComplete) = try rows(file, sql, StatementArguments(arguments), until: deadline)
            found += records
            found.sort { $0.id > $1.id }
            found = Array(found.prefix(limit))
            guard isComplete else {
                if found.isEmpty { throw Self.tooSlow(Self.timeLimit) }
                return Found(records: found, hasMore: true)
            }
            if found.count == limit, let last = found.last, last.id >= file.firstID { break }
            if let from, file.firstID < from.microseconds { break }
        }
        return Found(records: found, hasMore: found.count == limit)
    }

    /// Oldest first: on from a moment.
    private func searchOn(
        _ filter: LogFilter,
        after cursor: Int?,
        _ query: LogQuery,
        limit: Int
    ) throws -> Found {
        var found: [LogRecord] = []
        let deadline = ContinuousClock.now + Self.timeLimit
        let all = files.files(.rows)
        let (from, to) = (query.from?.microseconds ?? 0, query.to?.microseconds ?? .max)
        for (index, file) in all.enumerated() {
            // Ids rise with time, and no file holds one that its successor's first has passed.
            if index + 1 < all.count, all[index + 1].firstID <= max(cursor ?? 0, from) { continue }
            let condition = try LogFilterSQL(filter, now: WallClock.now().microseconds)
            let start = try file.database.read { try Self.firstID(from: from, $0) }
            let sql = """
                SELECT * FROM exchanges WHERE is_open = 0 AND id > ? AND time >= ? AND time < ? AND \(condition.sql)
                ORDER BY id LIMIT ?
                """
            let bounds = StatementArguments([max(cursor ?? 0, start - 1), from, to])
            let arguments = bounds + StatementArguments(condition.arguments) + [limit]
            let (records, isComplete) = try rows(file, sql, arguments, until: deadline)
            found = Array((found + records).sorted { $0.id < $1.id }.prefix(limit))
            guard isComplete else {
                if found.isEmpty { throw Self.tooSlow(Self.timeLimit) }
                return Found(records: found, hasMore: true)
            }
            if found.count == limit { break }
        }
        return Found(records: found, hasMore: found.count == limit)
    }

    static func tooSlow(_ limit: Duration) -> OperationsError {
        OperationsError(
            .unavailable,
            "the search took longer than \(limit.text); narrow it, for instance with time>-1h",
            parameter: "filter"
        )
    }

    private func rows(
        _ file: AuditFile,
        _ sql: String,
        _ arguments: StatementArguments,
        until deadline: ContinuousClock.Instant
    ) throws -> (records: [LogRecord], isComplete: Bool) {
        try file.database.read { db in
            BodySearch.add(to: db, files: files)
            var records: [LogRecord] = []
            let isComplete = try QueryBound.run(db, until: deadline, while: wanted) {
                let cursor = try Row.fetchCursor(db, sql: sql, arguments: arguments)
                while let row = try cursor.next() {
                    records.append(LogRecord(row: row))
                }
            }
            return (records, isComplete)
        }
    }

    func detail(_ id: Int) throws -> LogDetail {
        let record = try record(id)
        guard let (record, extra) = record else {
            throw OperationsError(.notFound, "there is no log record \(id)")
        }
        var detail = LogDetail(record: record)
        (detail.attemptsDetail, detail.skipped) = extra
        for file in files.candidates(.bodies, holding: id) {
            let row = try file.database.read { db in
                try Row.fetchOne(db, sql: "SELECT * FROM bodies WHERE id = ?", arguments: [id])
            }
            guard let row else { continue }
            detail.fill(row)
            break
        }
        return detail
    }

    /// Time for one look at what is new; it comes several times a second.
    private static let tailLimit = Duration.milliseconds(200)
    /// How far back, for each of the newest exchanges, reading on costs less than looking up.
    private static let nearFactor = 4

    /// Those of the newest exchanges that the filter accepts, oldest first, and whether all of them were looked at.
    func records(
        _ ids: [Int],
        matching filter: LogFilter
    ) throws -> (records: [LogRecord], isComplete: Bool) {
        guard let first = ids.min(), let last = ids.max() else { return ([], true) }
        let wanted = Set(ids)
        let deadline = ContinuousClock.now + Self.tailLimit
        // Most have begun lately and stand side by side; what ends now but began long ago is looked up by itself.
        let near = max(first, last - wanted.count * Self.nearFactor)
        let far = wanted.filter { $0 < near }.sorted()
        let listed = "[" + far.map(String.init).joined(separator: ",") + "]"
        var found: [LogRecord] = []
        var isComplete = true
        for file in files.candidates(.rows, holding: first) {
            let condition = try LogFilterSQL(filter, now: WallClock.now().microseconds)
            // Two statements, each in the order of ids without sorting: what a search cut short has found stands.
            for (sql, bounds) in [
                (
                    "SELECT * FROM exchanges WHERE id BETWEEN ? AND ? AND is_open = 0 AND \(condition.sql)",
                    StatementArguments([near, last])
                ),
                (
                    """
                    SELECT * FROM exchanges WHERE id IN (SELECT value FROM json_each(?)) AND is_open = 0
                    AND \(condition.sql)
                    """, StatementArguments([listed])
                ),
            ] {
                let arguments = bounds + StatementArguments(condition.arguments)
                let part = try rows(file, sql, arguments, until: deadline)
                found += part.records
                isComplete = isComplete && part.isComplete
            }
        }
        return (found.filter { wanted.contains($0.id) }.sorted { $0.id < $1.id }, isComplete)
    }

    private func record(
        _ id: Int
    ) throws -> (record: LogRecord, (attempts: [LogAttempt], skipped: [SkippedKey]))? {
        for file in files.candidates(.rows, holding: id) {
            let row = try file.database.read { db in
                try Row.fetchOne(
                    db,
                    sql: "SELECT * FROM exchanges WHERE id = ? AND is_open = 0",
                    arguments: [id]
                )
            }
            if let row { return (LogRecord(row: row), try LogAttempt.list(row: row)) }
        }
        return nil
    }
}

extension LogRecord {
    init(row: Row) {
        self.init(
            id: row["id"],
            requestId: row["request_id"] ?? "",
            time: Timestamp(microseconds: row["time"])
        )
        owner = row["owner"]
        clientKey = row["client_key"]
        clientKeyId = row["client_key_id"]
        upstream = row["upstream"]
        upstreamId = row["upstream_id"]
        upstreamKey = row["upstream_key"]
        upstreamKeyId = row["upstream_key_id"]
        clientAddress = row["client_address"] ?? ""
        method = row["method"] ?? ""
        path = row["path"] ?? ""
        query = row["query"]
        status = row["status"]
        error = row["error"]
        latencyMs = Self.milliseconds(row["latency"])
        ttftMs = Self.milliseconds(row["ttft"])
        bytesIn = row["bytes_in"] ?? 0
        bytesOut = row["bytes_out"] ?? 0
        isStream = row["is_stream"] ?? false
        streamChunks = row["stream_chunks"] ?? 0
        model = row["model"]
        promptTokens = row["prompt_tokens"]
        completionTokens = row["completion_tokens"]
        usage = row["usage"] == 1 ? .reported : .missing
        attempts = row["attempts"] ?? 0
        overheadUs = row["overhead"] ?? 0
    }

    fileprivate static func milliseconds(_ microseconds: Int?) -> Double? {
        microseconds.map { Double($0) / 1000 }
    }
}

extension LogAttempt {
    /// As the exchange wrote it down.
    private struct Written: Decodable {
        let tries: [LogAttempt]
        let skipped: [SkippedKey]
    }

    fileprivate static func list(row: Row) throws -> (attempts: [LogAttempt], skipped: [SkippedKey]) {
        if let text: String = row["attempts_detail"] {
            let written = try JSONForm.value(Written.self, from: Data(text.utf8))
            if !written.tries.isEmpty { return (written.tries, written.skipped) }
            return (one(row), written.skipped)
        }
        return (one(row), [])
    }

    private static func one(_ row: Row) -> [LogAttempt] {
        guard (row["attempts"] as Int?) ?? 0 > 0 else { return [] }
        var attempt = LogAttempt(n: 1)
        attempt.upstream = row["upstream"]
        attempt.upstreamKey = row["upstream_key"]
        attempt.status = row["upstream_status"]
        attempt.error = row["detail"]
        attempt.ttftMs = LogRecord.milliseconds(row["ttft"])
        attempt.durationMs = LogRecord.milliseconds(row["latency"])
        return [attempt]
    }
}

extension LogDetail {
    fileprivate mutating func fill(_ row: Row) {
        requestHeaders = Self.headers(row["request_headers"])
        requestBody = Self.text(row["request_body"])
        requestBodyBytes = row["request_size"]
        responseHeaders = Self.headers(row["response_headers"])
        responseBody = Self.text(row["response_body"])
        responseBodyBytes = row["response_size"]
        guard let pieces: Int = row["pieces"] else { return }
        var stream = LogStream(reads: pieces, bytes: row["piece_bytes"] ?? 0)
        stream.firstMs = LogRecord.milliseconds(row["first_piece"])
        stream.lastMs = LogRecord.milliseconds(row["last_piece"])
        stream.longestGapMs = LogRecord.milliseconds(row["longest_gap"])
        stream.gaps = Self.gaps(row["gaps"])
        self.stream = stream
    }

    private static func gaps(_ text: String?) -> [LogGap] {
        (text ?? "").split(separator: " ").compactMap { part in
            let numbers = part.split(separator: ":").map { Int($0) }
            guard numbers.count == 2, let after = numbers[0], let length = numbers[1] else { return nil }
            return LogGap(after: after, ms: length)
        }
    }

    private static func text(_ data: Data?) -> String? {
        data.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Lines `name: value`; a name that comes twice has its values joined.
    private static func headers(_ data: Data?) -> [String: String]? {
        guard let data else { return nil }
        var result: [String: String] = [:]
        for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = String(line[..<colon])
            let value = String(line[line.index(after: colon)...].trimmingSpaces())
            result[name] = result[name].map { $0 + ", " + value } ?? value
        }
        return result
    }
}
