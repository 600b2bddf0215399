import GRDB

/// The statements that put exchanges into one pair of files.
///
/// Only the audit writer uses it, inside its own executor.
final class AuditSink {
    private let insertRow: RawStatement
    private let insertBody: RawStatement
    private let finishRow: RawStatement
    private let finishBody: RawStatement

    static let rowColumns = [
        "id", "request_id", "time", "client_key_id", "client_key", "owner", "upstream_id", "upstream",
        "upstream_key_id", "upstream_key", "client_address", "method", "path", "query", "status", "error",
        "latency",
        "ttft", "bytes_in", "bytes_out", "is_stream", "stream_chunks", "model", "prompt_tokens",
        "completion_tokens",
        "usage", "attempts", "overhead", "upstream_status", "detail", "is_open",
        "attempts_detail",
    ]

    init(rows: Database, bodies: Database) throws {
        guard let rows = rows.sqliteConnection, let bodies = bodies.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE)
        }
        let marks = Self.rowColumns.map { _ in "?" }.joined(separator: ",")
        // Replaying a journal after a crash writes the same exchange again.
        insertRow = try RawStatement(rows, "INSERT OR REPLACE INTO exchanges VALUES (\(marks))")
        insertBody = try RawStatement(
            bodies,
            "INSERT OR REPLACE INTO bodies VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
        )
        let outcome = Self.rowColumns.dropFirst(14).map { "\($0) = ?" }.joined(separator: ", ")
        finishRow = try RawStatement(
            rows,
            """
            UPDATE exchanges SET \(outcome), upstream_key_id = coalesce(?, upstream_key_id),
            upstream_key = coalesce(?, upstream_key) WHERE id = ? AND is_open = 1
            """
        )
        finishBody = try RawStatement(
            bodies,
            """
            UPDATE bodies SET response_headers = ?, response_body = ?, response_size = ?, pieces = ?, piece_bytes = ?,
            first_piece = ?, last_piece = ?, longest_gap = ?, gaps = ? WHERE id = ?
            """
        )
    }

    /// Writes an exchange into both files.
    ///
    /// `end` is nil while the exchange runs, or when its end is lost; `isOpen` says whether the end may still
    /// come, and such rows are in no list.
    func write(_ start: AuditStart, _ end: AuditEnd?, isOpen: Bool) throws(RawStatement.Failure) {
        bindRequest(start, end)
        bindOutcome(start, end, isOpen: isOpen, to: insertRow)
        try insertRow.run()
        insertBody.bind(start.id)
        insertBody.bindBlob(start.headers)
        insertBody.bindBlob(end?.requestBody ?? start.body)
        insertBody.bind(end?.requestBodySize ?? start.bodySize)
        Self.bindAnswer(end, to: insertBody)
        try insertBody.run()
    }

    /// Completes a row that was secured earlier, when its start is no longer in the journal.
    func finish(_ end: AuditEnd) throws(RawStatement.Failure) {
        bindOutcome(nil, end, isOpen: false, to: finishRow)
        finishRow.bind(end.upstreamKeyID)
        finishRow.bindText(end.upstreamKey)
        finishRow.bind(end.id)
        try finishRow.run()
        Self.bindAnswer(end, to: finishBody)
        finishBody.bind(end.id)
        try finishBody.run()
    }

    private static func bindAnswer(_ end: AuditEnd?, to statement: RawStatement) {
        statement.bindBlob(end?.headers)
        statement.bindBlob(end?.body)
        statement.bind(end?.bodySize)
        statement.bind(end?.stream.pieces)
        statement.bind(end?.stream.bytes)
        statement.bind(end?.stream.first)
        statement.bind(end?.stream.last)
        statement.bind(end?.stream.longestGap)
        statement.bindText(end?.gaps)
    }

    /// The key of the last attempt, which only the end knows when there were several.
    private func bindRequest(_ start: AuditStart, _ end: AuditEnd?) {
        insertRow.bind(start.id)
        insertRow.bindText(start.requestID)
        insertRow.bind(start.time)
        insertRow.bind(start.clientKeyID == 0 ? nil : start.clientKeyID)
        insertRow.bindText(start.clientKey)
        insertRow.bindText(start.owner)
        insertRow.bind(start.upstreamID == 0 ? nil : start.upstreamID)
        insertRow.bindText(start.upstream)
        insertRow.bind(end?.upstreamKeyID ?? start.upstreamKeyID)
        insertRow.bindText(end?.upstreamKey ?? start.upstreamKey)
        insertRow.bindText(start.address)
        insertRow.bindText(start.method)
        insertRow.bindText(start.path)
        insertRow.bindText(start.query)
    }

    private func bindOutcome(
        _ start: AuditStart?,
        _ end: AuditEnd?,
        isOpen: Bool,
        to statement: RawStatement
    ) {
        statement.bind(end?.status)
        if let end { statement.bindText(end.error) } else { statement.bindText(Self.interrupted) }
        statement.bind(end?.latency)
        statement.bind(end?.timeToFirstByte)
        statement.bind(end?.bytesIn ?? start?.bodySize)
        statement.bind(end?.bytesOut ?? 0)
        statement.bind(end?.isStream ?? 0)
        statement.bind(end?.chunks ?? 0)
        if let end { statement.bindText(end.model) } else { statement.bindCopy(Self.model(start?.body)) }
        statement.bind(end?.promptTokens)
        statement.bind(end?.completionTokens)
        statement.bind(end?.usage ?? 0)
        statement.bind(end?.attempts ?? 1)
        statement.bind(end?.overhead ?? 0)
        statement.bind(end?.upstreamStatus)
        statement.bindText(end?.detail)
        statement.bind(isOpen ? 1 : 0)
        statement.bindText(end?.attemptsDetail)
    }

    private static func model(_ body: UnsafeRawBufferPointer?) -> String? {
        body.flatMap(JSONFields.model)?.withUnsafeBytes(Redaction.textWithoutClientKeys)
    }

    /// What a row says until its end is known, and for ever when the process died first.
    private static var interrupted: UnsafeRawBufferPointer {
        let text: StaticString = "interrupted"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
