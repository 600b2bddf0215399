import AdminAPI
import ArgumentParser
import Foundation
import Operations

/// Scripts: trying them before a header depends on them.
struct ScriptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "script",
        abstract: "Try scripts that compute values of headers.",
        discussion: """
            JavaScript is the body of a function: return new Date().toISOString();
            Python sets result: from datetime import datetime; result = datetime.now().isoformat()
            """,
        subcommands: [ScriptTestCommand.self, ScriptExamplesCommand.self]
    )
}

extension ScriptLanguage: ExpressibleByArgument {
    /// By what a file is called, when it is called so.
    init?(file: String) {
        switch file.split(separator: ".").last {
        case "js", "mjs": self = .javascript
        case "py": self = .python
        default: return nil
        }
    }
}

/// A script in a file, or on standard input.
enum ScriptFile {
    static func read(_ path: String) throws -> String {
        let bytes: Data
        do {
            let isInput = path == "-"
            let handle = isInput ? .standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
            // One byte more says that it is too long.
            bytes = try handle.read(upToCount: ScriptTest.sizeLimit + 1) ?? Data()
        } catch {
            throw OperationsError(.badRequest, "\(path) cannot be read")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

struct ScriptTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run a script once, in the jail, and show its value.",
        discussion: """
            The value goes to standard output, what the script has printed to standard error. Exit status 1 when the script fails.

            Examples:
              fastgate script test --code 'return crypto.randomUUID();'
              fastgate script test sign.py --path /v1/chat/completions --client-key team-a
              cat sign.js | fastgate script test - --language javascript
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "A file, or - for standard input.")
    var file: String?
    @Option(help: "The script itself.")
    var code: String?
    @Option(help: "javascript or python; by the file's name when absent, else javascript.")
    var language: ScriptLanguage?
    @Option(help: "The method of the request that the script sees.")
    var method: String?
    @Option(help: "Its path.")
    var path: String?
    @Option(help: "Its query.")
    var query: String?
    @Option(help: "The name of its client key.")
    var clientKey: String?
    @Option(help: "The owner of that key.")
    var owner: String?
    @Option(help: "The slug of the upstream.")
    var upstream: String?
    @Option(help: "The number of the attempt.")
    var attempt: Int?
    @Option(help: "Milliseconds that it may take; at most what the configuration allows.")
    var timeout: Int?

    func validate() throws {
        guard (file == nil) != (code == nil) else {
            throw ValidationError("name either a file or --code")
        }
    }

    func run() async throws {
        try await CommandRun.run {
            var test = ScriptTest(
                language: language ?? file.flatMap(ScriptLanguage.init(file:)) ?? .javascript,
                script: try source()
            )
            var context = ScriptContextDraft()
            (context.method, context.path, context.query) = (method, path, query)
            (context.clientKey, context.owner) = (clientKey, owner)
            (context.upstream, context.attempt) = (upstream, attempt)
            test.context = context
            test.timeoutMs = timeout
            let result = try await connection.client().testScript(test, by: GatewayConnection.me)
            if connection.json {
                try CommandRun.showJSON(result)
            } else {
                show(result)
            }
            if !result.success { throw ExitCode.failure }
        }
    }

    private func source() throws -> String {
        if let code { return code }
        return try ScriptFile.read(file ?? "-")
    }

    private func show(_ result: ScriptTestResult) {
        if !result.output.isEmpty { Output.errorLine(result.output.trimmingCharacters(in: .newlines)) }
        if let value = result.result { Output.line(value) }
        let took = String(format: "%.2f ms", result.durationMs)
        if let failure = result.failure { Output.errorLine("fastgate: the script \(failure) (\(took))") }
    }
}

extension ScriptTestResult {
    /// What went wrong and where, to be read after "the script"; nil when nothing did.
    var failure: String? {
        guard let error else { return nil }
        let line = error.line.map { " at line \($0)" } ?? ""
        let column = error.column.map { ", column \($0)" } ?? ""
        return "failed\(line)\(column): \(error.message)"
    }
}

struct ScriptExamplesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "examples",
        abstract: "Show scripts to begin with.",
        discussion: "Example: fastgate script examples --language python signature"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The name of one.")
    var name: String?
    @Option(help: "javascript or python.")
    var language: ScriptLanguage?

    func run() async throws {
        try await CommandRun.run {
            let found = ScriptExamples.all.filter {
                $0.language == language ?? $0.language && $0.name == name ?? $0.name
            }
            if connection.json { return try CommandRun.showJSON(Page(items: found)) }
            guard !found.isEmpty else { throw OperationsError(.notFound, "there is no such example") }
            let texts = found.map { example in
                let mark = example.language == .python ? "#" : "//"
                let head = "\(mark) \(example.language.rawValue) \(example.name): \(example.title)"
                return "\(head)\n\(example.script)"
            }
            Output.line(texts.joined(separator: "\n\n"))
        }
    }
}
