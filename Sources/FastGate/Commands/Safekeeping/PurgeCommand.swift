import AdminAPI
import ArgumentParser
import Operations

/// Erases what the log holds of one caller.
struct PurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Erase what one caller has done until now from the log: records, headers and bodies.",
        discussion: """
            It cannot be undone, and is written down. Backups hold what they held. Disable the key first when its caller
            should leave no more; exchanges that run now are in the log when they end.

            Examples:
              fastgate purge --key team-a
              fastgate purge --key 7 --yes          a key by its id, also one that was deleted
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "The client key's name or id.")
    var key: String
    @Flag(help: "Do not ask.")
    var yes = false

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await wanted(client)
            if !yes { try confirm(id) }
            let result = try await client.purgeLog(ofClientKey: id, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(result) }
            Output.line("erased \(result.records) records and \(result.bodies) bodies of client key \(id)")
            if result.inFlight > 0 {
                Output.line("\(result.inFlight) exchanges of it run now; purge again when they have ended")
            }
        }
    }

    private func wanted(_ client: AdminClient) async throws -> Int {
        do {
            return try await ClientKeyArgument.id(of: key, client)
        } catch let error as OperationsError where error.code == .notFound {
            throw OperationsError(
                .notFound,
                "there is no client key \(key); one that was deleted goes by its id, which fastgate changes shows"
            )
        }
    }

    private func confirm(_ id: Int) throws {
        Output.errorLine("Everything that the log holds of client key \(id) will be erased for good.")
        Output.errorLine("Type “\(key)” to go on:")
        guard readLine() == key else { throw OperationsError(.badRequest, "nothing was erased") }
    }
}
