import AdminAPI
import ArgumentParser
import Operations

extension StatsGrouping: ExpressibleByArgument {}

/// Exchanges of the audit, counted.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Count the audit's exchanges by client key, owner, upstream, provider key, model or error.",
        discussion: """
            Examples: fastgate stats --by model --since 24h
                      fastgate stats --by owner --filter 'upstream:openai and stream:true'
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "What they are counted by: client_key, owner, upstream, upstream_key, model or error.")
    var by = StatsGrouping.clientKey
    @Option(help: "A filter, such as: status>=500 and latency>2s")
    var filter = ""
    @Option(help: "Only what began since then: a duration such as 24h, a date, or a time.")
    var since: String?

    func run() async throws {
        let from = try since.map(PastText.parse)
        try await CommandRun.run {
            let page = try await connection.client().stats(
                by: by,
                filter: filter,
                from: from,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else { return Output.line("the audit has no such exchange") }
            let rows = page.items.map { item in
                [
                    item.name ?? "none", "\(item.requests)", "\(item.errors)",
                    item.latencyAvgMs.map { "\(StatusText.number($0)) ms" } ?? "",
                    ByteText.short(item.bytesIn),
                    ByteText.short(item.bytesOut), "\(item.promptTokens)", "\(item.completionTokens)",
                ]
            }
            let header = [
                by.rawValue.uppercased().replacing("_", with: " "), "REQUESTS", "ERRORS", "LATENCY", "IN",
                "OUT",
                "PROMPT", "COMPLETION",
            ]
            Output.line(TextTable(header: header, rows: rows).text)
        }
    }
}

/// A point in the past as people write it: a date, a time, or a duration until now.
enum PastText {
    static func parse(_ text: String) throws -> Timestamp {
        if let duration = Duration(text: text) { return Clock.now().advanced(by: .zero - duration) }
        guard let time = Timestamp(text: text) ?? Timestamp(text: text + "T00:00:00Z") else {
            throw ValidationError("\(text) is no time; write 24h, 2027-01-31 or 2027-01-31T12:00:00Z")
        }
        return time
    }
}
