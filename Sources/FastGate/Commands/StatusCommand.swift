import AdminAPI
import ArgumentParser
import Operations

/// The gateway's condition on one screen.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the running gateway's condition.",
        discussion: "Example: fastgate status"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            if connection.json {
                Output.json(try await client.text("/status"))
                return
            }
            let status = try await client.status(by: GatewayConnection.me)
            let dashboard = try await client.dashboard(filter: "", by: GatewayConnection.me)
            Output.line(StatusText.text(status, dashboard))
        }
    }
}

/// A status as a person reads it.
enum StatusText {
    static func text(_ status: Status, _ dashboard: Dashboard) -> String {
        let uptime = Duration.seconds(status.uptimeSeconds)
        var lines = [
            "FastGate \(status.version)  \(status.state)  pid \(status.pid)  up \(uptime.text)  on \(status.address)",
            "requests   \(dashboard.requests) in 24 h, \(number(dashboard.requestsPerSecond))/s now, \(status.inFlight) in flight",
            "success    \(percent(dashboard.successRate))   latency avg \(number(dashboard.latencyAvgMs)) ms, "
                + "p95 \(number(dashboard.latencyP95Ms)) ms, of the last minute",
            "keys       \(status.clientKeys) client \(status.clientKeys == 1 ? "key" : "keys"), \(dashboard.upstreamKeysActive) of provider keys in use, "
                + "\(status.upstreams) \(status.upstreams == 1 ? "upstream" : "upstreams")",
            "audit      \(status.audit.mode), \(status.audit.pending) pending, \(status.audit.dropped) dropped, "
                + "\(ByteText.short(status.audit.diskBytes)) on disk",
            "process    \(ByteText.short(status.residentBytes)) resident, \(status.connections) connections in, "
                + "\(status.upstreamConnections) out, "
                + "\(status.openFiles) open files, \(status.eventLoops) event loops",
        ]
        lines += dashboard.problems.map { problem in
            let name = problem.name.isEmpty ? problem.kind : "\(problem.kind) \(problem.name)"
            return Output.safe("! \(name): \(problem.state), \(problem.detail)")
        }
        return lines.joined(separator: "\n")
    }

    /// The figures of one second.
    static func line(_ snapshot: LiveSnapshot) -> String {
        let figures = snapshot.dashboard
        return
            "\(snapshot.time.description.dropFirst(11).prefix(8))  \(number(figures.requestsPerSecond))/s  "
            + "success \(percent(figures.successRate))  p95 \(number(figures.latencyP95Ms)) ms  "
            + "\(snapshot.exchanges.count) in flight  \(figures.requests) requests  \(figures.state)"
    }

    static func number(_ value: Double?) -> String {
        guard let value else { return "–" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    static func percent(_ share: Double?) -> String {
        share.map { number($0 * 100) + " %" } ?? "–"
    }
}

/// Asks the gateway to read its file again.
struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Make the running gateway read its configuration file again.",
        discussion: "An invalid file changes nothing. Example: fastgate reload"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            try await connection.client().reload(by: GatewayConnection.me)
            Output.line(connection.json ? "{\"reloaded\":true}" : "reloaded")
        }
    }
}
