import AdminAPI
import ArgumentParser
import Operations

#if canImport(Glibc)
import Glibc
#endif

extension ExportForm: ExpressibleByArgument {}

/// Keys as a file.
struct ExportCommand: AsyncParsableCommand {
    /// What can be exported.
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case pool
        case keys
    }

    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write upstream keys (pool) or client keys (keys) to standard output.",
        discussion: """
            Values of upstream keys are masked, unless --values: that needs an admin, asks before it does, and is written down.
            What is exported as CSV with values can be imported again. What callers send is known to nobody; with --digests
            another gateway knows the same client keys (fastgate keys import), so that callers go on using them.

            Examples:
              fastgate export pool --upstream miniai > keys.csv
              fastgate export pool --values --yes > keys.csv
              fastgate export keys > client-keys.csv
              fastgate export keys --digests > client-keys.csv
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "pool or keys.")
    var kind: Kind = .pool
    @Option(help: "csv or jsonl.")
    var format: ExportForm = .csv
    @Option(help: "Only upstream keys of this upstream.")
    var upstream: String?
    @Flag(help: "Write values as they are.")
    var values = false
    @Flag(
        help:
            "With client keys, write what another gateway knows them by; needs an admin, and is written down."
    )
    var digests = false
    @Flag(help: "Do not ask about --values.")
    var yes = false

    func validate() throws {
        if kind == .keys, upstream != nil || values {
            throw ValidationError("--upstream and --values are of the pool; fastgate export pool")
        }
        if kind == .pool, digests {
            throw ValidationError("--digests is of client keys; fastgate export keys")
        }
    }

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            var export = KeyExport(format: connection.json ? .jsonl : format, revealsValues: values)
            export.upstream = try await RuleArgument.upstream(upstream, client)
            if values, !yes { try Self.confirm() }
            let file =
                kind == .pool
                ? try await client.exportUpstreamKeys(export, by: GatewayConnection.me)
                : try await client.exportClientKeys(
                    export.format,
                    withDigests: digests,
                    by: GatewayConnection.me
                )
            // A terminal is shown text; a file gets what there is.
            guard isatty(STDOUT_FILENO) == 1 else {
                for try await piece in file { try Output.file(piece) }
                return
            }
            // A piece may end in the middle of a character, a line does not.
            var rest: [UInt8] = []
            for try await piece in file {
                rest += piece
                let end = rest.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
                Output.text(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeFirst(end)
            }
            Output.text(String(decoding: rest, as: UTF8.self))
        }
    }

    private static func confirm() throws {
        Output.errorLine(
            "Every value of the pool will be written in the clear, and the operators' audit will say so."
        )
        Output.errorLine("Type “reveal” to go on:")
        guard readLine() == "reveal" else { throw ValidationError("nothing was exported") }
    }
}
