import AdminAPI
import ArgumentParser
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Everything that the gateway keeps, in one file.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write everything that the running gateway keeps, but for the master key, into one file.",
        discussion: """
            A tar archive with the sums of all that is in it; nobody has to stop for it. Not in it: the master key, admin.token,
            fastgate.yaml and the files it names. Secrets in it are sealed: keep the master key in another place, without it
            they open for nobody. fastgate restore puts a backup back.

            Examples:
              fastgate backup fastgate-$(date +%F).tar
              fastgate backup --without-log - | ssh elsewhere 'cat > fastgate.tar'
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(
        help: "The file to write, which must not exist yet; - for standard output.",
        completion: .file()
    )
    var file: String
    @Flag(help: "Leave the log of requests out, which can be large.")
    var withoutLog = false
    @Flag(help: "Write over a file that exists.")
    var force = false

    /// What is printed for programs.
    private struct Written: Encodable {
        let file: String
        let bytes: Int
    }

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            if file == "-" {
                guard isatty(STDOUT_FILENO) == 0 else {
                    throw ValidationError("a backup is no text: name a file, or lead it into another program")
                }
                let stream = try await client.backup(log: !withoutLog, by: GatewayConnection.me)
                for try await piece in stream { try Output.file(piece) }
                return
            }
            guard force || access(file, F_OK) != 0 else {
                throw OperationsError(.conflict, "\(file) exists; --force writes over it")
            }
            let stream = try await client.backup(log: !withoutLog, by: GatewayConnection.me)
            let count = try await Self.write(stream, to: file)
            if connection.json { return try CommandRun.showJSON(Written(file: file, bytes: count)) }
            Output.line(
                "\(file) has \(ByteText.short(count)); the master key and fastgate.yaml are not in it: keep them in another place"
            )
        }
    }

    /// Into a file beside it first, so that the name is never one of half a backup.
    private static func write(_ stream: ByteStream, to path: String) async throws -> Int {
        let part = path + ".part"
        unlink(part)
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot create \(part)") }
        defer { close(descriptor) }
        let progress = ProgressLine()
        defer { progress.clear() }
        do {
            var total = 0
            for try await piece in stream {
                if let code = Output.write(piece[...], to: descriptor) {
                    throw failure("cannot write \(part)", code)
                }
                total += piece.count
                progress.show("written", total >> 20, of: 0, unit: "MB")
            }
            guard fsync(descriptor) == 0, rename(part, path) == 0 else {
                throw failure("cannot write \(path)")
            }
            return total
        } catch {
            unlink(part)
            // What is not ours comes of the connection: an answer without its end.
            throw error is OperationsError ? error : brokenOff
        }
    }

    private static let brokenOff = OperationsError(
        .unavailable,
        "the backup broke off and was removed; the gateway's log says why"
    )

    private static func failure(_ what: String, _ code: Int32 = errno) -> OperationsError {
        OperationsError(.unavailable, "\(what): \(String(cString: strerror(code)))")
    }
}
