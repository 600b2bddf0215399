import ArgumentParser
import MockUpstream
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

/// Runs the fake provider on its own.
struct MockUpstreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mock-upstream",
        abstract: "Run a fake OpenAI-compatible provider for demos, tests and benchmarks.",
        discussion: """
            Every knob can be set for one request by a header: X-Mock-Tokens, X-Mock-TTFT-Ms, X-Mock-Gap-Ms, \
            X-Mock-Status, X-Mock-Retry-After, X-Mock-Cut-After, X-Mock-Header-Delay-Ms, X-Mock-Content-Bytes. \
            GET /_mock/requests returns what it received; DELETE forgets it.

            Example: fastgate mock-upstream --port 9000 --tokens 64 --gap-ms 20
            """
    )

    @Option(help: "Port on 127.0.0.1; 0 takes a free one.")
    var port = 0
    @Option(help: "Events of a stream.")
    var tokens = 16
    @Option(help: "Milliseconds to the first byte of a body.")
    var ttftMs = 0
    @Option(help: "Milliseconds between two events.")
    var gapMs = 20
    @Option(help: "Share of requests, 0 to 1, that fail.")
    var errorRate = 0.0
    @Option(help: "Status of those failures.")
    var errorStatus = 500
    @Option(help: "Answer every request with this status.")
    var status: Int?
    @Option(help: "Seconds in Retry-After of failures.")
    var retryAfter: Int?
    @Option(help: "A provider key that gets 401; may be repeated.")
    var rejectKey: [String] = []
    @Option(help: "A provider key that gets 429 insufficient_quota; may be repeated.")
    var exhaustKey: [String] = []
    @Option(help: "A provider key with a rate limit, 429 beyond it; may be repeated.")
    var throttleKey: [String] = []
    @Option(help: "Requests in each window of that limit.")
    var throttleRequests = 10
    @Option(help: "Seconds of the window.")
    var throttleSeconds = 30
    @Option(help: "Cut every stream after this many events.")
    var cutAfter: Int?
    @Option(help: "Milliseconds before the status line.")
    var headerDelayMs = 0
    @Option(help: "Bytes of text in a plain answer.")
    var contentBytes = 256
    @Option(help: "Requests kept for /_mock/requests.")
    var record = 1000
    @Option(help: "Threads.")
    var threads = 1

    func validate() throws {
        guard throttleRequests > 0 else { throw ValidationError("--throttle-requests must be 1 or more") }
        guard (1...86_400).contains(throttleSeconds) else {
            throw ValidationError("--throttle-seconds must be between 1 and 86400")
        }
    }

    func run() async throws {
        var settings = MockSettings()
        settings.tokens = tokens
        settings.timeToFirstToken = .milliseconds(ttftMs)
        settings.gap = .milliseconds(gapMs)
        settings.errorRate = errorRate
        settings.errorStatus = errorStatus
        settings.status = status
        settings.retryAfter = retryAfter
        settings.rejectedKeys = Set(rejectKey)
        settings.exhaustedKeys = Set(exhaustKey)
        settings.throttledKeys = Set(throttleKey)
        settings.throttleRequests = throttleRequests
        settings.throttleSeconds = throttleSeconds
        settings.cutAfter = cutAfter
        settings.headerDelay = .milliseconds(headerDelayMs)
        settings.contentBytes = contentBytes
        settings.recorded = record
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let server: MockUpstreamServer
        do {
            server = try await MockUpstreamServer.start(port: port, settings: settings, group: group)
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode)).lowercased()
            Output.errorLine("fastgate: 127.0.0.1:\(port) cannot be listened on: \(reason)")
            throw ExitCode(1)
        }
        Output.line("mock upstream on http://127.0.0.1:\(server.port)")
        try await server.untilClosed()
    }
}
