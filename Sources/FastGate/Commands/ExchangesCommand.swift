import AdminAPI
import ArgumentParser
import Operations

/// Exchanges that run now.
struct ExchangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchanges",
        abstract: "Show the exchanges in flight; watch one, or cut it off.",
        subcommands: [ExchangesList.self, ExchangesWatch.self, ExchangesCut.self],
        defaultSubcommand: ExchangesList.self
    )
}

struct ExchangesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the exchanges in flight, oldest first.",
        discussion: "Example: fastgate exchanges"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let page = try await connection.client().exchanges(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else { return Output.line("nothing is in flight") }
            let rows = page.items.sorted { $0.ageMs > $1.ageMs }.map { exchange in
                [
                    "\(exchange.id)", Duration.milliseconds(Int(exchange.ageMs)).text, exchange.clientKey,
                    exchange.upstream, exchange.upstreamKey ?? "", exchange.state,
                    exchange.status.map(String.init) ?? "",
                    exchange.isStream ? "\(exchange.streamChunks)" : "",
                    ByteText.short(exchange.bytesOut), exchange.model ?? "",
                    exchange.method + " " + exchange.path,
                ]
            }
            let header = [
                "ID", "AGE", "CLIENT KEY", "UPSTREAM", "KEY", "STATE", "STATUS", "CHUNKS", "SENT", "MODEL",
                "REQUEST",
            ]
            Output.line(TextTable(header: header, rows: rows).text)
        }
    }
}

struct ExchangesCut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cut",
        abstract: "Cut a running exchange off: its caller sees an error, the audit says operator_cut.",
        discussion: "Example: fastgate exchanges cut 4503599627370497"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The exchange's id, as the list shows it, or its x-request-id.")
    var id: String

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let number = try await RunningExchange.find(id, client)
            try await client.cutExchange(number, by: GatewayConnection.me)
            if !connection.json { Output.line("exchange \(id) is cut off") }
        }
    }
}

struct ExchangesWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Watch what a model says to a caller, while it says it.",
        discussion: """
            Shows an answer as it comes, and what the log has kept of it before (audit.max_body_bytes), secrets covered.
            Ctrl-C leaves; the caller notices nothing.

            Examples:
              fastgate exchanges watch
              fastgate exchanges watch req_1k1cvt42kmg
              fastgate exchanges watch 4503599627370497 --raw     the events as they are sent
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The exchange's id or x-request-id; not needed where only one runs.")
    var id: String?
    @Flag(help: "Show what is sent instead of what the model says.")
    var raw = false

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let pieces = try await client.watch(
                exchange: try await RunningExchange.find(id, client),
                by: GatewayConnection.me
            )
            var reader: GeneratedText?
            for try await piece in pieces {
                if connection.json {
                    try CommandRun.showJSON(piece)
                    continue
                }
                if piece.restarted {
                    Output.errorLine("\n(that attempt was given up; the next one begins)")
                    reader = nil
                }
                if piece.gap > 0 {
                    Output.errorLine("\n(\(ByteText.short(piece.gap)) had passed before and are not kept)")
                    reader = nil
                }
                // Before its answer begins nobody knows whether it is a stream.
                if !piece.text.isEmpty {
                    var current = reader ?? GeneratedText(isEventStream: piece.exchange.isStream && !raw)
                    Output.text(current.read(piece.text))
                    reader = current
                }
                if piece.ended { Self.showEnd(piece) }
            }
        }
    }

}

/// One that runs, as a command names it.
enum RunningExchange {
    /// `id`: its number or its `x-request-id`; nil where only one runs.
    static func find(_ id: String?, _ client: AdminClient) async throws -> Int {
        if let number = id.flatMap(Int.init) { return number }
        let running = try await client.exchanges(by: GatewayConnection.me).items
        let found = id == nil ? running : running.filter { $0.requestId == id }
        guard let first = found.first else {
            throw OperationsError(
                .notFound,
                id.map { "no exchange \($0) is running" } ?? "nothing is in flight"
            )
        }
        guard found.count == 1 else {
            throw OperationsError(.conflict, "\(found.count) run; name one: fastgate exchanges")
        }
        return first.id
    }
}

extension ExchangesWatch {
    fileprivate static func showEnd(_ piece: WatchedPiece) {
        let exchange = piece.exchange
        Output.errorLine("")
        if piece.leftOut > 0 { Output.errorLine("(\(ByteText.short(piece.leftOut)) of it not seen)") }
        let status = exchange.status.map(String.init) ?? "no status"
        let size = exchange.isStream ? "\(exchange.streamChunks) chunks, " : ""
        let end = piece.error.map { "ended with \($0)" } ?? "ended"
        Output.errorLine(
            "\(end): \(status), \(size)\(ByteText.short(exchange.bytesOut)), \(Duration.milliseconds(Int(exchange.ageMs)).text)"
        )
    }
}
