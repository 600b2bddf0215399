import AdminAPI
import ArgumentParser
import Gateway
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// How a command finds the running gateway.
struct GatewayAddress: ParsableArguments {
    @Option(help: "The gateway's Unix socket.")
    var socket: String?
    @Option(help: "The operators' address, such as http://127.0.0.1:8515, instead of the socket.")
    var url: String?
    @Option(help: "A file with the token for --url.")
    var tokenFile: String?

    func client(isReadOnly: Bool = false) throws -> AdminClient {
        if let url { return AdminClient(.url(url, token: try token()), isReadOnly: isReadOnly) }
        return AdminClient(.socket(try socketPath()), isReadOnly: isReadOnly)
    }

    private func token() throws -> String {
        if let token = Environment.value("FASTGATE_ADMIN_TOKEN") { return token }
        guard let tokenFile else { throw ValidationError("--url needs --token-file or FASTGATE_ADMIN_TOKEN") }
        return try FileText.read(tokenFile)
    }

    private func socketPath() throws -> String {
        if let path = socket ?? Environment.value("FASTGATE_SOCKET") { return path }
        let file = ConfigurationOption.known.flatMap {
            ConfigurationLoader.sockets(file: $0, environment: Environment.all)
        }
        var places = [file?.named, "/run/fastgate/fastgate.sock"].compactMap { $0 }
        if let data = Environment.value("FASTGATE_DATA") { places.append(data + "/fastgate.sock") }
        if let place = file?.inData { places.append(place) }
        if !places.contains("./data/fastgate.sock") { places.append("data/fastgate.sock") }
        for place in places where access(place, F_OK) == 0 {
            return place
        }
        throw ValidationError(
            "no running gateway was found at \(places.joined(separator: ", ")); name it with --socket"
        )
    }
}

/// How a command finds the running gateway, and how it shows an answer.
struct GatewayConnection: ParsableArguments {
    @OptionGroup var address: GatewayAddress
    @Flag(help: "Print the API's JSON.")
    var json = false

    /// Whoever the socket or token says; the client never sends this name.
    static let me = Operator(name: "cli", role: .admin, via: "cli")

    func client() throws -> AdminClient {
        try address.client()
    }
}

enum FileText {
    static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else {
            throw ValidationError("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&buffer, 1, buffer.count, file)
        let text = String(decoding: buffer.prefix(count), as: UTF8.self)
        return String(text.prefix { !$0.isNewline })
    }
}

/// Runs a command's work and turns an operation's refusal into one line and a status.
enum CommandRun {
    static func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as OperationsError {
            Output.errorLine("fastgate: \(error)")
            throw ExitCode(1)
        }
    }

    static func showJSON(_ value: some Encodable) throws {
        Output.json(try JSONForm.text(value))
    }
}

/// Columns of text, as wide as their widest cell.
struct TextTable {
    let header: [String]
    let rows: [[String]]

    var text: String {
        let all =
            [header]
            + rows.map { row in
                row.map { cell in
                    String(Output.safe(cell).map { $0 == "\n" || $0 == "\t" || $0 == "\r\n" ? " " : $0 })
                }
            }
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            var line = cells.joined(separator: "  ")[...]
            while line.last == " " {
                line = line.dropLast()
            }
            return String(line)
        }.joined(separator: "\n")
    }
}
