import ArgumentParser
import Foundation
import Gateway
import Logging
import MockUpstream
import NIOCore
import NIOPosix
import Operations
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#endif

/// A whole gateway to play with: temporary data, a fake provider, three client keys, light traffic.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract:
            "Run a gateway on temporary data with a fake provider, three client keys and light traffic.",
        discussion: "Everything is gone when it ends. Example: fastgate demo --traffic 5"
    )
    @Option(help: "Requests per second that the demo makes by itself.")
    var traffic = 3.0
    @Option(help: "Port for callers; 0 takes a free one.")
    var port = 8514
    @Option(help: "Port for operators; 0 takes a free one.")
    var adminPort = 8515
    @Flag(help: "Do not open the console, even on a terminal.")
    var noConsole = false

    func validate() throws {
        guard (0...1000).contains(traffic) else {
            throw ValidationError("--traffic must be between 0 and 1000")
        }
    }

    func run() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let logger = LogOutput.bootstrap(level: .warning)
        var settings = MockSettings()
        settings.timeToFirstToken = .milliseconds(80)
        settings.errorRate = 0.02
        settings.rejectedKeys = [DemoConfiguration.value(of: "revoked")]
        settings.exhaustedKeys = [DemoConfiguration.value(of: "empty")]
        settings.throttledKeys = [DemoConfiguration.value(of: "busy")]
        settings.throttleRequests = 5
        settings.throttleSeconds = 20
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let mock = try await MockUpstreamServer.start(port: 0, settings: settings, group: group)
        var options = GatewayOptions(
            configuration: try DemoConfiguration.make(mockPort: mock.port, port: port, adminPort: adminPort),
            environment: Environment.all
        )
        options.dataPath = folder.path
        let traffic = traffic
        let hasConsole = !noConsole && ConsoleEnvironment.hasTerminal
        try await GatewayProcess.run(options, logger: logger) { gateway, operations in
            let keys = try await DemoConfiguration.makeKeys(operations)
            Output.line(
                DemoConfiguration.welcome(port: gateway.port, folder: gateway.directory.path, key: keys[0])
            )
            let face: any Service =
                hasConsole
                ? GatewayProcess.console(
                    gateway,
                    operations,
                    welcome: DemoConfiguration.curl(port: gateway.port, key: keys[0])
                ) : StatusLines(operations: operations)
            return [DemoTraffic(port: gateway.port, keys: keys, perSecond: traffic), face]
        }
        try await mock.stop()
        try await group.shutdownGracefully()
    }
}

/// A folder that is removed with everything in it.
struct TemporaryFolder {
    let path: String

    init() throws {
        var template = Array(
            "\(FileManager.default.temporaryDirectory.path)/fastgate-demo-XXXXXX".utf8CString
        )
        guard mkdtemp(&template) != nil else { throw SystemError("cannot make a temporary folder") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func remove() {
        // What cannot be removed lies in the system's temporary folder, which the system cleans.
        try? FileManager.default.removeItem(atPath: path)
    }
}

enum DemoConfiguration {
    /// The provider's keys by what becomes of them: two are well, one is throttled every few seconds and comes back, one
    /// has no money left and one is refused.
    private static let providerKeys = ["steady", "spare", "busy", "empty", "revoked"]

    static func value(of name: String) -> String { "demo-provider-key-\(name)" }

    static func make(mockPort: Int, port: Int, adminPort: Int) throws -> Configuration {
        let keys = providerKeys.map { "{ name: \($0), value: \(value(of: $0)) }" }.joined(separator: ", ")
        let text = """
            server: { host: 127.0.0.1, port: \(port) }
            admin: { host: 127.0.0.1, port: \(adminPort) }
            upstreams:
              - slug: miniai
                name: Mini AI (fake provider)
                base_url: http://127.0.0.1:\(mockPort)/miniai
                keys: [ \(keys) ]
            """
        return try ConfigurationLoader.load(text: text, file: "demo.yaml", environment: [:]).configuration
    }

    static func makeKeys(_ operations: GatewayOperations) async throws -> [String] {
        let user = Operator(name: "demo", role: .admin, via: "console")
        var keys: [String] = []
        for (name, owner) in [("key1", "team-a"), ("key2", "team-b"), ("key3", "app")] {
            let key = try await operations.createClientKey(ClientKeyDraft(name: name, owner: owner), by: user)
            keys.append(key.key ?? "")
        }
        return keys
    }

    static func welcome(port: Int, folder: String, key: String) -> String {
        """
        FastGate demo: callers on port \(port), data in \(folder) until it ends.

        \(curl(port: port, key: key).joined(separator: "\n"))

        """
    }

    /// A command that works, in two lines that fit a small terminal.
    static func curl(port: Int, key: String) -> [String] {
        [
            "curl 127.0.0.1:\(port)/proxy/miniai/v2/chat/completions -d '{\"model\":\"m\"}' \\",
            "  -H 'X-API-Key: \(key)'",
        ]
    }
}

/// A line a second on what the gateway does.
struct StatusLines: Service {
    let operations: GatewayOperations

    func run() async throws {
        let user = Operator(name: "demo", role: .viewer, via: "console")
        for try await snapshot in try await operations.live(filter: "", by: user).cancelOnGracefulShutdown() {
            Output.line(StatusText.line(snapshot))
        }
    }
}
