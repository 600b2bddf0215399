import AdminAPI
import ArgumentParser
import Operations

/// Upstreams: the backends that requests are sent to.
struct UpstreamsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstreams",
        abstract: "List, add, change and test upstreams: the backends that requests are sent to.",
        subcommands: [
            UpstreamsList.self, UpstreamsShow.self, UpstreamsAdd.self, UpstreamsEdit.self,
            UpstreamsEnable.self, UpstreamsDisable.self, UpstreamsTest.self, UpstreamsDelete.self,
        ],
        defaultSubcommand: UpstreamsList.self
    )
}

/// Upstreams as a person reads them.
enum UpstreamTable {
    static func text(_ upstreams: [Upstream]) -> String {
        let header = ["ID", "SLUG", "HEALTH", "KEYS", "STRATEGY", "LIMITS", "BASE URL", "SOURCE", "WHY"]
        let rows = upstreams.map { upstream in
            [
                "\(upstream.id)", upstream.slug, upstream.health, "\(upstream.keys)",
                upstream.strategy.rawValue,
                upstream.limits.text, upstream.baseUrl, upstream.source.rawValue, why(upstream),
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    /// Why it rests, and until when.
    static func why(_ upstream: Upstream) -> String {
        guard let reason = upstream.healthReason else { return "" }
        guard upstream.health == "cooling" else { return reason }
        return reason + (upstream.healthUntil.map { ", until \($0)" } ?? ", on trial")
    }

    static func details(_ upstream: Upstream) -> String {
        let timeouts = upstream.timeouts
        let probe = upstream.probe.map { "\($0.path) every \($0.interval ?? "60s")" }
        let lastProbe = upstream.lastProbe.map { "\($0.time): \($0.message)" }
        let rows: [(String, String)] = [
            ("id", "\(upstream.id)"), ("slug", upstream.slug), ("name", upstream.name),
            ("base url", upstream.baseUrl), ("health", upstream.health), ("why", why(upstream)),
            ("keys", "\(upstream.keys)"),
            ("strategy", upstream.strategy.rawValue), ("limits", upstream.limits.text),
            ("fallbacks", upstream.fallbacks.joined(separator: " ")),
            ("retry", "\(upstream.retry.maxAttempts) attempts within \(upstream.retry.maxTime)"),
            (
                "timeouts",
                "connect \(timeouts.connect), first byte \(timeouts.firstByte), idle \(timeouts.idle)"
            ),
            ("longest rest of a key", upstream.maxCooldown), ("probe", probe ?? "none"),
            ("last probe", lastProbe ?? ""),
            ("headers stripped", upstream.stripHeaders.joined(separator: " ")),
            ("query stripped", upstream.stripQuery.joined(separator: " ")),
            ("body fields stripped", upstream.stripBodyFields.joined(separator: " ")),
            ("accept-encoding", upstream.acceptEncoding.rawValue), ("ca file", upstream.caFile ?? ""),
            ("proxy", upstream.proxyUrl ?? "none"),
            ("source", upstream.source.rawValue),
        ]
        return TextTable(header: ["UPSTREAM", ""], rows: rows.map { [$0.0, $0.1] }).text
    }
}

/// One upstream that a command is about.
struct UpstreamArgument: ParsableArguments {
    @Argument(help: "The upstream's slug or id.")
    var upstream: String

    func find(_ client: AdminClient) async throws -> Upstream {
        let all = try await client.upstreams(by: GatewayConnection.me).items
        // A slug may be a number, too; it goes before an id.
        guard
            let found = all.first(where: { $0.slug == upstream })
                ?? all.first(where: { "\($0.id)" == upstream })
        else {
            throw OperationsError(.notFound, "there is no upstream \(upstream)")
        }
        return found
    }
}

/// What an upstream is made of besides its slug and address.
struct UpstreamOptions: ParsableArguments {
    @Option(help: "A name for people.")
    var name: String?
    @Option(help: "How the next key is found: round_robin, weighted, least_used, random or priority.")
    var strategy: String?
    @Option(help: "Limits such as \"60/minute 1000/hour 10000/day 8 at once\", or none.")
    var limits: String?
    @Option(help: "Slugs of upstreams that stand in, with commas between, or none.")
    var fallbacks: String?
    @Option(help: "How often a request is tried.")
    var maxAttempts: Int?
    @Option(help: "How long it is tried again, such as 60s.")
    var maxTime: String?
    @Option(help: "How long connecting may take, such as 5s.")
    var connectTimeout: String?
    @Option(help: "How long the first byte may take, such as 600s.")
    var firstByteTimeout: String?
    @Option(help: "How long an answer may stand still, such as 120s.")
    var idleTimeout: String?
    @Option(help: "The longest rest of a key, such as 24h.")
    var maxCooldown: String?
    @Option(help: "A path that costs nothing, such as /v1/models, or none.")
    var probe: String?
    @Option(help: "How often the probe is asked, such as 60s.")
    var probeEvery: String?
    @Option(help: "Headers that are not passed on, with commas between, or none.")
    var stripHeaders: String?
    @Option(help: "Query parameters that are not passed on, with commas between, or none.")
    var stripQuery: String?
    @Option(help: "Top-level JSON fields that are not passed on, with commas between, or none.")
    var stripBodyFields: String?
    @Option(help: "identity, or pass for the caller's own.")
    var acceptEncoding: String?
    @Option(help: "A PEM file of trusted authorities, or none.")
    var caFile: String?
    @Option(help: "A proxy on the way to it, such as http://proxy:3128, or none.")
    var proxyUrl: String?

    /// The change that these make; also of a new upstream, whose draft has the same fields.
    func change(of known: Upstream?) throws -> UpstreamChange {
        var change = UpstreamChange()
        change.name = name.map { .set($0) } ?? .keep
        change.strategy = try Self.choice(strategy, "--strategy")
        change.acceptEncoding = try Self.choice(acceptEncoding, "--accept-encoding")
        change.limits = try limitsChange()
        change.fallbacks = Self.list(fallbacks)
        if maxAttempts != nil || maxTime != nil {
            change.retry = .set(RetryChange(maxAttempts: maxAttempts, maxTime: maxTime))
        }
        if connectTimeout != nil || firstByteTimeout != nil || idleTimeout != nil {
            change.timeouts = .set(
                TimeoutsChange(connect: connectTimeout, firstByte: firstByteTimeout, idle: idleTimeout)
            )
        }
        change.maxCooldown = maxCooldown.map { .set($0) } ?? .keep
        if probe == "none" {
            change.probe = .clear
        } else if probe != nil || probeEvery != nil {
            guard let path = probe ?? known?.probe?.path else {
                throw ValidationError("--probe-every needs --probe with a path")
            }
            change.probe = .set(Probe(path: path, interval: probeEvery ?? known?.probe?.interval))
        }
        change.stripHeaders = Self.list(stripHeaders)
        change.stripQuery = Self.list(stripQuery)
        change.stripBodyFields = Self.list(stripBodyFields)
        change.caFile = caFile.map { $0 == "none" ? .clear : .set($0) } ?? .keep
        change.proxyUrl = proxyUrl.map { $0 == "none" ? .clear : .set($0) } ?? .keep
        return change
    }

    private func limitsChange() throws -> Change<RateLimitsChange> {
        guard let limits else { return .keep }
        do throws(OperationsError) {
            return .set(try RateLimits(text: limits).change)
        } catch {
            throw ValidationError("--limits: \(error.message)")
        }
    }

    private static func choice<Value: RawRepresentable & CaseIterable & Codable & Sendable>(
        _ text: String?,
        _ option: String
    ) throws -> Change<Value> where Value.RawValue == String {
        guard let text else { return .keep }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\(option) must be one of \(all)")
        }
        return .set(value)
    }

    private static func list(_ text: String?) -> Change<[String]> {
        guard let text else { return .keep }
        if text == "none" { return .set([]) }
        return .set(text.split(separator: ",").map { String($0.drop { $0 == " " }) })
    }
}

struct UpstreamsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List upstreams with their health.",
        discussion: "Example: fastgate upstreams list"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let page = try await connection.client().upstreams(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            Output.line(
                page.items.isEmpty
                    ? "no upstreams; add one with: fastgate upstreams add SLUG BASE_URL"
                    : UpstreamTable.text(page.items)
            )
        }
    }
}

struct UpstreamsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show everything about one upstream.",
        discussion: "Example: fastgate upstreams show miniai"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var upstream: UpstreamArgument

    func run() async throws {
        try await CommandRun.run {
            let found = try await upstream.find(try connection.client())
            if connection.json { return try CommandRun.showJSON(found) }
            Output.line(UpstreamTable.details(found))
        }
    }
}

struct UpstreamsAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add an upstream; its keys come after it, with: fastgate pool add SLUG NAME < FILE",
        discussion: "Example: fastgate upstreams add openai https://api.openai.com --probe /v1/models"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var options: UpstreamOptions
    @Argument(help: "Its name in paths: /proxy/SLUG/…")
    var slug: String
    @Argument(help: "http(s)://host[:port][/path]")
    var baseURL: String

    func run() async throws {
        let draft = UpstreamDraft(slug: slug, baseUrl: baseURL, try options.change(of: nil))
        try await CommandRun.run {
            let made = try await connection.client().createUpstream(draft, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(made) }
            Output.line(UpstreamTable.text([made]))
        }
    }
}

struct UpstreamsEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change an upstream; what is not named stays.",
        discussion: "Example: fastgate upstreams edit miniai --strategy least_used --limits \"600/minute\""
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var options: UpstreamOptions
    @OptionGroup var upstream: UpstreamArgument
    @Option(help: "Another address.")
    var baseURL: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await upstream.find(client)
            var change = try options.change(of: found)
            change.baseUrl = baseURL.map { .set($0) } ?? .keep
            let changed = try await client.changeUpstream(
                found.id,
                change,
                ifVersion: found.version,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(changed) }
            Output.line(UpstreamTable.text([changed]))
        }
    }
}

extension UpstreamArgument {
    fileprivate func set(enabled: Bool, _ connection: GatewayConnection) async throws {
        try await CommandRun.run {
            let client = try connection.client()
            var change = UpstreamChange()
            change.enabled = .set(enabled)
            let changed = try await client.changeUpstream(
                try await find(client).id,
                change,
                ifVersion: nil,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(changed) }
            Output.line(UpstreamTable.text([changed]))
        }
    }
}

struct UpstreamsEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Send requests to an upstream again, also to one that rests.",
        discussion: "Example: fastgate upstreams enable miniai"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var upstream: UpstreamArgument

    func run() async throws {
        try await upstream.set(enabled: true, connection)
    }
}

struct UpstreamsDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Refuse requests to an upstream with 503 until it is enabled.",
        discussion: "Example: fastgate upstreams disable miniai"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var upstream: UpstreamArgument

    func run() async throws {
        try await upstream.set(enabled: false, connection)
    }
}

struct UpstreamsTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Ask an upstream something that costs nothing: its probe's path, or another.",
        discussion: "Example: fastgate upstreams test miniai --path /v1/models"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var upstream: UpstreamArgument
    @Option(help: "Another path than the probe's.")
    var path: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await upstream.find(client).id
            let result = try await client.testUpstream(id, path: path, by: GatewayConnection.me)
            try ProbeText.show(result, connection)
        }
    }
}

/// What came of asking, as a person reads it.
enum ProbeText {
    static func show(_ result: ProbeResult, _ connection: GatewayConnection) throws {
        if connection.json { try CommandRun.showJSON(result) } else { Output.line(text(result)) }
        if !result.success { throw ExitCode(1) }
    }

    private static func text(_ result: ProbeResult) -> String {
        var lines = [result.message]
        let key = result.upstreamKey.map { " with the key \($0)" } ?? ""
        let place = result.address.map { " at \($0)" } ?? ""
        lines.append("GET \(result.path)\(key)\(place)")
        if let status = result.status {
            let times = [
                result.connectMs.map { "connected in \($0) ms" },
                result.firstByteMs.map { "first byte after \($0) ms" },
            ]
            lines.append("status \(status), " + times.compactMap { $0 }.joined(separator: ", "))
        }
        if let error = result.error { lines.append(error) }
        if let body = result.body { lines.append(body) }
        return lines.joined(separator: "\n")
    }
}

struct UpstreamsDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete an upstream with its keys.",
        discussion: """
            Its keys go with it, so --yes has to be said where it has any. fastgate undo brings all of it back.

            Example: fastgate upstreams delete old --yes
            """
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var upstream: UpstreamArgument
    @Flag(help: "Delete its keys, too.")
    var yes = false

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await upstream.find(client)
            let keys = try await client.upstreamKeys(upstream: found.id, by: GatewayConnection.me)
            guard yes || keys.items.isEmpty else {
                throw OperationsError(
                    .conflict,
                    "\(found.slug) has provider keys (\(keys.items.count)), which would go with it; say --yes to delete them"
                )
            }
            try await client.deleteUpstream(found.id, ifVersion: nil, by: GatewayConnection.me)
            Output.errorLine("upstream \(found.slug) is deleted")
        }
    }
}
