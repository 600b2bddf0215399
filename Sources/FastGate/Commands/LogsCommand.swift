import AdminAPI
import ArgumentParser
import Operations

/// The audit's list, one exchange, or its tail.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "List exchanges, newest last; show one; or follow them.",
        discussion: """
            Examples: fastgate logs --filter 'status>=500 and upstream:miniai' -n 50
                      fastgate logs --follow
                      fastgate logs --id 1795255401452000
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "A filter, such as: status>=500 and latency>2s")
    var filter = ""
    @Option(name: [.customShort("n"), .long], help: "How many.")
    var limit = 20
    @Option(help: "Show everything of one exchange.")
    var id: String?
    @Flag(name: [.customShort("f"), .long], help: "Go on with new exchanges as they end.")
    var follow = false

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("-n must be from 1 to 1000000") }
    }

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            if let id { return try await show(id, client) }
            let (records, cursor) = try await newest(client)
            if connection.json, !follow {
                return try CommandRun.showJSON(Page(items: records, nextCursor: cursor))
            }
            for record in records.reversed() { try show(record) }
            if follow { try await tail(client) }
        }
    }

    /// As many as were asked for, page by page.
    private func newest(_ client: AdminClient) async throws -> (records: [LogRecord], cursor: String?) {
        var query = LogQuery()
        query.filter = filter
        var records: [LogRecord] = []
        repeat {
            query.limit = min(limit - records.count, 1000)
            let page = try await client.logs(query, by: GatewayConnection.me)
            records += page.items
            query.cursor = page.nextCursor
        } while query.cursor != nil && records.count < limit
        return (records, query.cursor)
    }

    private func show(_ id: String, _ client: AdminClient) async throws {
        let detail = try await detail(id, client)
        if connection.json { return try CommandRun.showJSON(detail) }
        Output.line(LogLine.text(detail.record))
        Output.line(LogLine.facts(detail.record))
        if let stream = LogLine.stream(detail) { Output.line(stream) }
        Output.line("\nattempts\n" + LogLine.attempts(detail))
        for (title, headers, body) in [
            ("request", detail.requestHeaders, detail.requestBody),
            (
                detail.passedAnswerOn ? "response" : "the upstream's response, not passed on",
                detail.responseHeaders, detail.responseBody
            ),
        ] {
            Output.line("\n\(title)")
            for (name, value) in (headers ?? [:]).sorted(by: { $0.key < $1.key }) {
                Output.line("  \(name): \(value)")
            }
            Output.line(body.map { "\n" + $0 } ?? "\n  (its body is not kept)")
        }
    }

    /// Callers know an exchange by its `x-request-id`, which may be a number, too.
    private func detail(_ id: String, _ client: AdminClient) async throws -> LogDetail {
        if let number = Int(id) {
            do {
                return try await client.log(number, by: GatewayConnection.me)
            } catch let error as OperationsError where error.code == .notFound {
                // No exchange's own number: the caller's, if it is one.
            }
        }
        var query = LogQuery()
        query.filter = "id=\"\(id.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
        var found = try await client.logs(query, by: GatewayConnection.me).items.first
        // What has just been answered is written down a moment later.
        for _ in 0..<4 where found == nil {
            try await Task.sleep(for: .milliseconds(250))
            found = try await client.logs(query, by: GatewayConnection.me).items.first
        }
        guard let record = found else {
            throw OperationsError(.notFound, "there is no log record with the request id \(id)")
        }
        return try await client.log(record.id, by: GatewayConnection.me)
    }

    private func show(_ record: LogRecord) throws {
        if connection.json { try CommandRun.showJSON(record) } else { Output.line(LogLine.text(record)) }
    }

    private func tail(_ client: AdminClient) async throws {
        let batches = try await client.followLogs(
            filter: filter,
            maxPerSecond: 1000,
            by: GatewayConnection.me
        )
        for try await batch in batches {
            for record in batch.records {
                try show(record)
            }
            if batch.skipped > 0 { Output.errorLine("… \(batch.skipped) skipped") }
        }
    }
}

/// One exchange on one line; nothing a caller or provider wrote reaches the terminal as a control character.
enum LogLine {
    static func text(_ record: LogRecord) -> String {
        let status = record.status.map(String.init) ?? "---"
        let out = record.wasCutByCrash ? "?" : ByteText.short(record.bytesOut)
        let stream = record.isStream ? " stream:\(record.streamChunks)" : ""
        let error = record.error.map { " \($0)" } ?? ""
        let latency = StatusText.number(record.latencyMs)
        // An owner may have several keys; who they are is among the facts.
        let who = record.clientKey ?? "-"
        let line =
            "\(record.time) \(record.id) \(status) \(record.method) \(record.path) \(who) \(latency)ms "
            + "\(out)\(stream)\(error)"
        return line
    }

    /// How a stream went, nil of another answer.
    static func stream(_ detail: LogDetail) -> String? {
        guard detail.record.isStream, let stream = detail.stream else { return nil }
        func time(_ milliseconds: Double?) -> String {
            milliseconds.map { "\(StatusText.number($0))ms" } ?? "–"
        }
        let pauses = stream.gaps.map { "\($0.ms)ms after event \($0.after)" }.joined(separator: ", ")
        return
            "  stream  \(detail.record.streamChunks) chunks in \(stream.reads) reads, first after \(time(stream.firstMs)), "
            + "last after \(time(stream.lastMs)), longest gap \(time(stream.longestGapMs))"
            + (pauses.isEmpty ? "" : "\n  pauses  \(pauses)")
    }

    /// What was tried upstream, and which keys were passed over.
    static func attempts(_ detail: LogDetail) -> String {
        let tried = detail.attemptsDetail.flatMap { attempt in
            let status = attempt.status.map(String.init) ?? "---"
            let error = attempt.error.map { " \($0)" } ?? ""
            let line =
                "  \(attempt.n) \(attempt.upstream ?? "–")/\(attempt.upstreamKey ?? "–") \(status) "
                + "\(StatusText.number(attempt.durationMs))ms\(error)"
            return [line] + attempt.rules.map { "    rule \($0)" }
        }
        let skipped = detail.skipped.map { key in
            let reason = key.reason.map { " \($0)" } ?? ""
            let until = key.until.map { " until \($0)" } ?? ""
            return "  passed over \(key.upstreamKey)\(reason)\(until)"
        }
        return ((tried.isEmpty ? ["  none: nothing went upstream"] : tried) + skipped).joined(separator: "\n")
    }

    /// What the list leaves out.
    static func facts(_ record: LogRecord) -> String {
        let tokens =
            "\(record.promptTokens.map(String.init) ?? "–") in, \(record.completionTokens.map(String.init) ?? "–") out"
        let facts = [
            ("request id", record.requestId), ("client key", record.clientKey ?? "–"),
            ("owner", record.owner ?? "–"),
            ("address", record.clientAddress), ("upstream", record.upstream ?? "–"),
            ("upstream key", record.upstreamKey ?? "–"), ("model", record.model ?? "–"), ("tokens", tokens),
            ("first byte", StatusText.number(record.ttftMs) + " ms"), ("own part", "\(record.overheadUs) µs"),
        ]
        return facts.map { "  \($0): \(Output.oneLine($1))" }.joined(separator: "\n")
    }
}
