import AdminAPI
import ArgumentParser
import Foundation
import Operations

/// Puts another master key in the place of the present one.
struct RotateMasterKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-master-key",
        abstract: "Seal every secret anew under another master key, while the gateway runs.",
        discussion: """
            The new key takes the place of the old one in its file; the old one is kept beside it, for backups from its time.
            Where FASTGATE_MASTER_KEY holds the key, give the next one with --key-file, and set the variable to it afterwards.
            What was changed before can no longer be undone.

            Examples:
              fastgate rotate-master-key
              openssl rand -base64 32 > next.key; fastgate rotate-master-key --key-file next.key
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "A file with the next key: 32 bytes in base64.")
    var keyFile: String?

    func run() async throws {
        try await CommandRun.run {
            let key = try keyFile.map { try Self.read($0) }
            let change = try await connection.client().rotateMasterKey(to: key, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(change) }
            Output.line(
                "\(change.upstreamKeys) provider keys and \(change.notificationChannels) channels are sealed by the new key"
            )
            if let file = change.file, let previous = change.previousFile {
                Output.line("it stands in \(file); backups of before need \(previous)")
            } else {
                Output.line("set FASTGATE_MASTER_KEY to it before the next start")
            }
        }
    }

    private static func read(_ file: String) throws -> String {
        do {
            return try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines
            )
        } catch {
            throw OperationsError(.badRequest, "cannot read \(file)")
        }
    }
}
