import AdminAPI
import ArgumentParser
import Foundation
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// A file of upstream keys, taken in by the running gateway.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import upstream keys from a CSV or JSON file.",
        discussion: """
            CSV has a line of column names: upstream_id (or upstream, a slug), name and key_value, and any of the others that
            fastgate import --template shows. Rows that do not hold are told and left out, unless --all-or-nothing.

            Examples:
              fastgate import --template > keys.csv
              fastgate import keys.csv --dry-run
              fastgate import keys.csv --all-or-nothing
              fastgate import - --format json < keys.json
            """
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ImportFileOptions

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            if wanted.template { return Output.plain(try await client.text("/batch/template/keys-csv")) }
            var (file, options) = try wanted.resolved()
            // Answered when the file is there, so that there is something to show while it goes on.
            options.isAsync = true
            let progress = ProgressLine()
            let source = try FileSource(file) { progress.show("sent", $0, of: $1, unit: "bytes") }
            let started = try await client.importUpstreamKeys(
                source.stream,
                options,
                by: GatewayConnection.me
            )
            let job = try await Self.end(of: started, client, progress)
            progress.clear()
            try show(job)
        }
    }

    private static func end(
        of job: BatchJob,
        _ client: AdminClient,
        _ progress: ProgressLine
    ) async throws -> BatchJob {
        var job = job
        while !job.isOver {
            progress.show("written", job.written, of: job.rows, unit: "rows")
            try await Task.sleep(for: .milliseconds(200))
            job = try await client.batchJob(job.id, by: GatewayConnection.me)
        }
        return job
    }

    private func show(_ job: BatchJob) throws {
        guard let result = job.result else {
            throw OperationsError(.internalError, job.error ?? "the import has failed")
        }
        if connection.json {
            try CommandRun.showJSON(result)
        } else {
            ImportReport.show(result.errors, of: result.failedCount)
            if wanted.allOrNothing, result.failedCount > 0 {
                Output.line(
                    "nothing is imported: \(result.failedCount) of \(job.rows) rows do not hold, and it is all or nothing"
                )
                throw ExitCode(1)
            }
            let verb = wanted.dryRun ? "would be imported" : "imported"
            Output.line("\(result.successCount) \(verb), \(result.failedCount) left out")
        }
        if result.failedCount > 0 { throw ExitCode(1) }
    }
}

extension ImportFormat: ExpressibleByArgument {}

/// Which file is taken in, and how.
struct ImportFileOptions: ParsableArguments {
    @Argument(help: "The file, or - for standard input.")
    var file: String?
    @Option(help: "csv or json; by the file's name when not given.")
    var format: ImportFormat?
    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false
    @Flag(help: "Take no row unless all of them hold.")
    var allOrNothing = false
    @Flag(help: "Print a file to fill in.")
    var template = false

    func resolved() throws -> (file: String, options: ImportOptions) {
        guard let file else { throw ValidationError("name the file, or --template") }
        let format = try format ?? ImportFormat(file: file)
        return (
            file,
            ImportOptions(format: format, mode: allOrNothing ? .allOrNothing : .keepGood, dryRun: dryRun)
        )
    }
}

/// A file as it is read, piece by piece.
struct FileSource {
    private static let pieceSize = 256 << 10

    let stream: ByteStream
    private let place: ReadPlace

    /// Whether anything of it can have been sent; to be asked once the sending is over.
    var isBegun: Bool { place.count > 0 }

    /// `progress`: told how much was read, of how much where that is known.
    init(_ path: String, progress: @escaping @Sendable (Int, Int) -> Void) throws {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        // A directory can be opened, and is found out by its first byte.
        guard descriptor >= 0, Glibc.read(descriptor, nil, 0) == 0 else {
            throw OperationsError(.badRequest, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: path != "-")
        // Of what is no file the size is not known.
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        let place = ReadPlace(handle)
        self.place = place
        stream = ByteStream {
            guard let piece = try place.next(Self.pieceSize) else { return nil }
            progress(place.count, size)
            return piece
        }
    }

    /// Where the reading has got to.
    ///
    /// `@unchecked`: a stream asks for the next piece only once it has the one before.
    private final class ReadPlace: @unchecked Sendable {
        private let handle: FileHandle
        private(set) var count = 0

        init(_ handle: FileHandle) {
            self.handle = handle
        }

        func next(_ size: Int) throws -> [UInt8]? {
            guard let data = try handle.read(upToCount: size), !data.isEmpty else { return nil }
            count += data.count
            return Array(data)
        }
    }
}
