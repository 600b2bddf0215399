import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// `/logs`: the audit.
enum LogRoutes {
    private static let filter = AdminRoute.Parameter(
        name: "filter",
        type: "string",
        summary: "status>=500 and upstream:miniai and latency>2s"
    )
    private static let range: [AdminRoute.Parameter] = [
        filter,
        .init(
            name: "from",
            type: "string",
            summary: "Not before this time (RFC 3339, or seconds since 1970)"
        ),
        .init(name: "to", type: "string", summary: "Before this time"),
    ]

    static let all: [AdminRoute] = [
        .get(
            "/logs",
            "logs",
            "List exchanges, newest first",
            query: range + [
                .init(
                    name: "order",
                    type: "string",
                    summary: "newest or oldest first, default newest",
                    choices: LogOrder.allCases.map(\.rawValue)
                ),
                .limit,
                .cursor,
            ]
        ) { request in
            var query = try Self.query(request)
            query.limit = try request.number("limit", default: 100, in: 1...1000)
            query.cursor = request.text("cursor")
            query.order = try request.choice("order", default: LogOrder.newest)
            return try request.json(try await request.port.logs(query, by: request.user))
        },
        .get(
            "/logs/stream",
            "logs",
            "New exchanges as they are written (server-sent events)",
            query: [
                filter,
                .init(
                    name: "max_per_second",
                    type: "integer",
                    summary: "1 to 1000, default 100; more are skipped",
                    range: 1...1000
                ),
            ],
            contentType: "text/event-stream"
        ) { request in
            let limit = try request.number("max_per_second", default: 100, in: 1...1000)
            let batches = try await request.port.followLogs(
                filter: request.text("filter") ?? "",
                maxPerSecond: limit,
                by: request.user
            )
            return EventStream.response(batches, while: request.context.isStillAllowed) { batch in
                var events = try batch.records.map { try JSONForm.text($0) }
                if batch.skipped > 0 { events.append("{\"skipped\":\(batch.skipped)}") }
                return EventStream.events(events)
            }
        },
        .get(
            "/logs/export",
            "logs",
            "Export exchanges, newest first",
            query: range + [
                .init(name: "format", type: "string", summary: "csv or jsonl", choices: ["csv", "jsonl"])
            ],
            contentType: "text/csv"
        ) { request in
            let format = try request.choice("format", default: ExportFormat.csv)
            return LogExport.response(try Self.query(request), format, request)
        },
        .get("/logs/{id}", "logs", "One exchange with headers and bodies") { request in
            try request.json(try await request.port.log(try request.id(), by: request.user))
        },
    ]

    private static func query(_ request: AdminRequest) throws -> LogQuery {
        var query = LogQuery()
        query.filter = request.text("filter") ?? ""
        query.from = try request.time("from")
        query.to = try request.time("to")
        return query
    }
}

enum ExportFormat: String, CaseIterable {
    case csv
    case jsonl
}

/// Writes pages of the log as they are read; memory stays flat however long the log is.
enum LogExport {
    static func response(_ query: LogQuery, _ format: ExportFormat, _ request: AdminRequest) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = format == .csv ? "text/csv; charset=utf-8" : "application/x-ndjson"
        headers[.contentDisposition] = "attachment; filename=\"fastgate-logs.\(format.rawValue)\""
        let (port, user) = (request.port, request.user)
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                var query = query
                query.limit = 1000
                if format == .csv { try await writer.write(ByteBuffer(string: LogCSV.header)) }
                repeat {
                    let page = try await port.logs(query, by: user)
                    let lines = try page.items.map {
                        try format == .csv ? LogCSV.line($0) : JSONForm.text($0) + "\n"
                    }
                    try await writer.write(ByteBuffer(string: lines.joined()))
                    query.cursor = page.nextCursor
                } while query.cursor != nil
                try await writer.finish(nil)
            }
        )
    }
}

/// RFC 4180, with values that a spreadsheet would take for a formula made plain (OWASP ASVS 1.2.10).
enum LogCSV {
    static let header = """
        id,time,request_id,owner,client_key,upstream,upstream_key,client_address,method,path,query,status,error,\
        latency_ms,ttft_ms,bytes_in,bytes_out,is_stream,stream_chunks,model,prompt_tokens,completion_tokens,attempts\r\n
        """

    static func line(_ record: LogRecord) -> String {
        let fields: [String?] = [
            String(record.id), record.time.description, record.requestId, record.owner, record.clientKey,
            record.upstream, record.upstreamKey, record.clientAddress, record.method, record.path,
            record.query,
            record.status.map(String.init), record.error, record.latencyMs.map { "\($0)" },
            record.ttftMs.map { "\($0)" }, String(record.bytesIn), String(record.bytesOut),
            String(record.isStream),
            String(record.streamChunks), record.model, record.promptTokens.map(String.init),
            record.completionTokens.map(String.init), String(record.attempts),
        ]
        return fields.map { field($0 ?? "") }.joined(separator: ",") + "\r\n"
    }

    static func field(_ text: String) -> String {
        var text = text
        if let first = text.first, "=+-@\t\r\0＝＋－＠".contains(first) { text = "'" + text }
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
            + "\""
    }
}
