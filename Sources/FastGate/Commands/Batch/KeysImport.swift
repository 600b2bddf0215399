import AdminAPI
import ArgumentParser
import Foundation
import Operations

/// A file of client keys, which are made all at once.
struct KeysImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make client keys from a CSV or JSON file, and print them; they cannot be shown again.",
        discussion: """
            CSV has a line of column names: name, and any of the others that fastgate keys import --template shows. A row
            with digest, prefix and last4, as fastgate export keys --digests writes them on another gateway, is a key that
            its caller goes on using. Rows that do not hold are told and left out, unless --all-or-nothing.

            Examples:
              fastgate keys import --template > team.csv
              fastgate keys import team.csv --dry-run
              fastgate keys import team.csv --output team-keys.csv
            """
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ImportFileOptions
    @Option(
        help:
            "A new file for the keys that are made, which only its owner can read; standard output when not given."
    )
    var output: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            if wanted.template {
                return Output.plain(try await client.text("/batch/template/client-keys-csv"))
            }
            let (file, options) = try wanted.resolved()
            let progress = ProgressLine()
            let source = try FileSource(file) { progress.show("sent", $0, of: $1, unit: "bytes") }
            // Before anything is made: keys that could not be written down would be lost.
            let sink = try options.dryRun || output == "-" ? nil : output.map { try KeyFile($0) }
            let result: ClientKeyImportResult
            do {
                result = try await client.importClientKeys(source.stream, options, by: GatewayConnection.me)
            } catch {
                progress.clear()
                sink?.discard()
                throw source.isBegun ? Self.explained(error) : error
            }
            progress.clear()
            try write(result, sink)
            tell(result, sink)
            if result.failedCount > 0 { throw ExitCode(1) }
        }
    }

    private static func explained(_ error: any Error) -> any Error {
        guard let error = error as? OperationsError, error.code == .unavailable else { return error }
        // Before the connection broke, or after it.
        return OperationsError(
            .unavailable,
            "\(error.message); keys may have been made, whose values are lost then: see fastgate keys, and delete them before you try again"
        )
    }

    /// The values, where they were asked for.
    private func write(_ result: ClientKeyImportResult, _ sink: KeyFile?) throws {
        var shown = result
        do throws(OperationsError) {
            if let sink {
                if result.keys.isEmpty { sink.discard() } else { try write(result.keys, to: sink) }
                shown.keys = shown.keys.map {
                    ImportedClientKey(row: $0.row, id: $0.id, name: $0.name, key: nil)
                }
            }
            if connection.json {
                try Output.checked(Array((try Self.json(shown) + "\n").utf8))
            } else if sink == nil, !result.keys.isEmpty {
                try Output.checked(Array(Self.lines(result.keys).utf8))
            }
        } catch {
            let ids = result.keys.filter { $0.key != nil }.map(\.id)
            guard let first = ids.first, let last = ids.last else { throw error }
            throw OperationsError(
                .unavailable,
                "\(ids.count) client keys are made, ids \(first) to \(last), and not all of their values could be written (\(error.message)): rotate or delete those that are missing"
            )
        }
    }

    /// Into the file, and where that fails to standard output: they are nowhere else.
    private func write(_ keys: [ImportedClientKey], to sink: KeyFile) throws(OperationsError) {
        do throws(OperationsError) {
            try sink.write(Self.lines(keys))
        } catch {
            Output.errorLine("\(error.message) All keys follow on standard output.")
            try Output.checked(Array(Self.lines(keys).utf8))
        }
    }

    private static func json(_ result: ClientKeyImportResult) throws(OperationsError) -> String {
        do {
            return try JSONForm.text(result)
        } catch {
            throw OperationsError(.internalError, "\(error)")
        }
    }

    private func tell(_ result: ClientKeyImportResult, _ sink: KeyFile?) {
        guard !connection.json else { return }
        ImportReport.show(result.errors, of: result.failedCount)
        if wanted.allOrNothing, result.failedCount > 0 {
            return Output.errorLine(
                "nothing is made: \(result.failedCount) rows do not hold, and it is all or nothing"
            )
        }
        let made = result.keys.count { $0.key != nil }
        let verb = wanted.dryRun ? "would be made" : "made"
        let once = made > 0 ? "; shown only this once" : ""
        let place = result.keys.isEmpty ? "" : sink.map { ", written to \($0.path)" } ?? once
        Output.errorLine("\(result.successCount) \(verb), \(result.failedCount) left out\(place)")
    }

    private static func lines(_ keys: [ImportedClientKey]) -> String {
        let rows = keys.map { CSVWriter.line(["\($0.id)", $0.name, $0.key ?? ""]) }
        return (CSVWriter.line(["id", "name", "key"]) + rows.joined()).replacing("\r\n", with: "\n")
    }
}

/// The rows that an import has left out.
enum ImportReport {
    private static let shownFaults = 20

    static func show(_ faults: [RowFault], of count: Int) {
        for fault in faults.prefix(shownFaults) { Output.errorLine("row \(fault.row): \(fault.error)") }
        guard count > shownFaults else { return }
        Output.errorLine("… and \(count - shownFaults) more; --json lists up to \(BatchResult.faultLimit)")
    }
}

/// A new file that only its owner reads.
private struct KeyFile {
    let path: String
    private let handle: FileHandle

    init(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let isThere = errno == EEXIST ? "; name a new file" : ""
            throw OperationsError(
                .badRequest,
                "cannot make \(path): \(String(cString: strerror(errno)))\(isThere)"
            )
        }
        self.path = path
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func write(_ text: String) throws(OperationsError) {
        do {
            try handle.write(contentsOf: Data(text.utf8))
            try handle.synchronize()
        } catch {
            throw OperationsError(.unavailable, "\(path) is not whole: is the disk full?")
        }
    }

    /// Nothing was made: an empty file would only be in the way of the next try.
    func discard() { unlink(path) }
}
