import AdminAPI
import ArgumentParser
import Operations

/// Exchanges that run now.
struct ExchangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchanges",
        abstract: "Show the exchanges in flight; cut one off.",
        subcommands: [ExchangesList.self, ExchangesCut.self],
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
                    ByteText.text(exchange.bytesOut), exchange.model ?? "",
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
    @Argument(help: "The exchange's id, as the list shows it.")
    var id: Int

    func run() async throws {
        try await CommandRun.run {
            try await connection.client().cutExchange(id, by: GatewayConnection.me)
            if !connection.json { Output.line("exchange \(id) is cut off") }
        }
    }
}
