import AdminAPI
import ArgumentParser
import Operations

/// Rate limits: how the windows stand.
struct LimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Show how many requests each window has counted, and when one more may come.",
        discussion: """
            Examples: fastgate limits --scope client_key
                      fastgate keys edit 3 --limits "60/minute 8 at once"
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "Only these: global, upstream, client_key or upstream_key.")
    var scope: String?
    @Option(help: "Only the upstream or key of this id.")
    var id: Int?

    func run() async throws {
        let wanted = try scope.map { text in
            guard let scope = LimitScope(rawValue: text) else {
                let all = LimitScope.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--scope must be one of \(all)")
            }
            return scope
        }
        try await CommandRun.run {
            let page = try await connection.client().rateLimits(
                scope: wanted,
                id: id,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else {
                Output.line(
                    "nothing is limited by minute, hour or day here; set a limit with: fastgate keys edit ID --limits \"60/minute\""
                )
                return
            }
            let rows = page.items.map { item in
                [
                    item.scope.rawValue, item.id.map(String.init) ?? "", item.name ?? "",
                    item.window.rawValue, "\(item.current)",
                    "\(item.limit)", "\(item.remaining)", item.allowed ? "now" : item.resetAt.description,
                ]
            }
            let header = ["SCOPE", "ID", "NAME", "WINDOW", "CURRENT", "LIMIT", "REMAINING", "NEXT AT"]
            Output.line(TextTable(header: header, rows: rows).text)
        }
    }
}

/// `--limits "60/minute 8 at once"` and `--quota "1000000 tokens/month"`.
struct LimitOptions: ParsableArguments {
    @Option(help: "Limits such as \"60/minute 1000/hour 10000/day 8 at once\", or none.")
    var limits: String?

    @Option(help: "A quota such as \"1000000 tokens/month\" or \"500 requests\", or none.")
    var quota: String?

    /// nil where none was given.
    func quotaChange() throws -> Change<QuotaChange>? {
        do throws(OperationsError) {
            guard let quota else { return nil }
            return try Quota.parse(quota).map { .set($0.change) } ?? .clear
        } catch {
            throw ValidationError("--quota: \(error.message)")
        }
    }

    func change() throws -> RateLimitsChange? {
        do throws(OperationsError) {
            return try limits.map { text throws(OperationsError) in try RateLimits(text: text).change }
        } catch {
            throw ValidationError("--limits: \(error.message)")
        }
    }
}
