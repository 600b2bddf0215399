import AdminAPI
import ArgumentParser
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Upstream keys: the providers' credentials.
struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool",
        abstract: "List and change upstream keys: the providers' credentials, and what has become of each.",
        subcommands: [
            PoolList.self, PoolShow.self, PoolAdd.self, PoolEdit.self, PoolEnable.self, PoolDisable.self,
            PoolBan.self, PoolReset.self, PoolTest.self, PoolDelete.self,
        ],
        defaultSubcommand: PoolList.self
    )
}

struct PoolList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List upstream keys with their state, why, and until when.",
        discussion: "Example: fastgate pool list --upstream miniai"
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "Only keys of this upstream.")
    var upstream: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let all = try await client.upstreamKeys(upstream: nil, by: GatewayConnection.me).items
            let keys = all.filter { upstream == nil || $0.upstream == upstream }
            if connection.json { return try CommandRun.showJSON(Page(items: keys)) }
            Output.line(
                keys.isEmpty
                    ? "no upstream keys; add one with: fastgate pool add UPSTREAM NAME < FILE"
                    : PoolTable.text(keys)
            )
            // A key that is well serves nobody while its upstream rests.
            for one in try await client.upstreams(by: GatewayConnection.me).items
            where one.health == "cooling" && (upstream == nil || one.slug == upstream) {
                Output.line(
                    "\(one.slug) rests: \(UpstreamTable.why(one)); fastgate upstreams enable \(one.slug) ends it"
                )
            }
        }
    }
}

/// Upstream keys as a person reads them.
enum PoolTable {
    static func text(_ keys: [UpstreamKey]) -> String {
        let header = ["ID", "KEY", "VALUE", "STATE", "UNTIL", "IN FLIGHT", "QUOTA", "LIMITS", "WHY"]
        let rows = keys.map { key in
            [
                "\(key.id)", "\(key.upstream)/\(key.name)", key.maskedValue, key.state.rawValue,
                until(key), "\(key.inFlight)", quota(key), key.limits.text,
                key.reason ?? key.lastError.map { "last error: \($0)" } ?? "",
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    private static func until(_ key: UpstreamKey) -> String {
        if let until = key.until { return until.description }
        return key.state == .active ? "" : key.state == .cooling ? "on trial" : "by hand"
    }

    private static func quota(_ key: UpstreamKey) -> String {
        guard key.enableQuota, let total = key.quotaTotal else { return "" }
        return "\(key.quotaUsed) of \(total)"
            + (key.quotaPeriod == .none ? "" : "/\(key.quotaPeriod.rawValue)")
    }

    static func details(_ key: UpstreamKey) -> String {
        let rows = [
            ["id", "\(key.id)"], ["upstream", key.upstream], ["name", key.name], ["value", key.maskedValue],
            ["goes into", "\(key.location.rawValue) \(key.paramName), prefix “\(key.valuePrefix)”"],
            ["state", key.state.rawValue], ["why", key.reason ?? ""],
            ["since", key.since?.description ?? ""], ["until", until(key)],
            ["weight, priority", "\(key.weight), \(key.priority)"], ["limits", key.limits.text],
            ["quota", quota(key)], ["quota begins anew", key.quotaResetsAt?.description ?? ""],
            ["in flight", "\(key.inFlight)"], ["last used", key.lastUsedAt?.description ?? "never"],
            ["last error", key.lastError ?? ""], ["source", key.source.rawValue],
        ]
        return TextTable(header: ["UPSTREAM KEY", ""], rows: rows).text
    }
}

struct PoolShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show everything about one upstream key.",
        discussion: "Example: fastgate pool show miniai/main"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument

    func run() async throws {
        try await CommandRun.run {
            let found = try await key.find(try connection.client())
            if connection.json { return try CommandRun.showJSON(found) }
            Output.line(PoolTable.details(found))
        }
    }
}

struct PoolEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change an upstream key; what is not named stays.",
        discussion: "Example: fastgate pool edit miniai/main --weight 3 --quota \"500 requests/day\""
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument
    @OptionGroup var limits: LimitOptions
    @Option(help: "Another name.")
    var name: String?
    @Option(help: "Of the strategy weighted: how often it is used, beside the others.")
    var weight: Int?
    @Option(help: "Of the strategy priority: lower ones are used first.")
    var priority: Int?
    @Flag(help: "Replace the value by the first line of standard input.")
    var value = false

    func run() async throws {
        var change = UpstreamKeyChange()
        change.name = name.map { .set($0) } ?? .keep
        change.weight = weight.map { .set($0) } ?? .keep
        change.priority = priority.map { .set($0) } ?? .keep
        change.limits = try limits.change().map { .set($0) } ?? .keep
        switch try limits.quotaChange() {
        case nil, .keep: break
        case .clear: change.enableQuota = .set(false)
        case .set(let quota):
            guard quota.unit != .tokens else {
                throw ValidationError(
                    "--quota: an upstream key's quota counts requests, as in \"500 requests/day\""
                )
            }
            change.enableQuota = .set(true)
            change.quotaTotal = quota.total.map { .set($0) } ?? .keep
            change.quotaPeriod = quota.period.map { .set($0) } ?? .keep
        }
        if value {
            if isatty(STDIN_FILENO) == 1 { Output.errorLine("the key's new value, then Enter:") }
            guard let line = readLine(), !line.isEmpty else {
                throw ValidationError("no value came on standard input")
            }
            change.keyValue = .set(line)
        }
        try await CommandRun.run { [change] in
            let client = try connection.client()
            let found = try await key.find(client)
            let changed = try await client.changeUpstreamKey(
                found.id,
                change,
                ifVersion: found.version,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(changed) }
            Output.line(PoolTable.text([changed]))
        }
    }
}

struct PoolTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract:
            "Ask the upstream something that costs nothing, with this key: its probe's path, or another.",
        discussion: "Example: fastgate pool test miniai/main --path /v1/models"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument
    @Option(help: "Another path than the probe's.")
    var path: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await key.find(client).id
            let result = try await client.testUpstreamKey(id, path: path, by: GatewayConnection.me)
            try ProbeText.show(result, connection)
        }
    }
}

struct PoolAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract:
            "Add an upstream key; its value is the first line of standard input, where no process list shows it.",
        discussion: "Example: fastgate pool add miniai second --weight 2 < key.txt"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The upstream's slug.")
    var upstream: String
    @Argument(help: "A name that tells the key apart.")
    var name: String
    @Option(help: "Of the strategy weighted: how often it is used, beside the others.")
    var weight: Int?
    @Option(help: "Of the strategy priority: lower ones are used first.")
    var priority: Int?
    @OptionGroup var limits: LimitOptions

    func run() async throws {
        let quota = try limits.quotaChange()
        if case .set(let quota) = quota, quota.unit == .tokens {
            throw ValidationError(
                "--quota: an upstream key's quota counts requests, as in \"500 requests/day\""
            )
        }
        let limits = try limits.change()
        if isatty(STDIN_FILENO) == 1 { Output.errorLine("the key's value, then Enter:") }
        guard let value = readLine(), !value.isEmpty else {
            throw ValidationError("no value came on standard input")
        }
        try await CommandRun.run {
            let client = try connection.client()
            let all = try await client.upstreams(by: GatewayConnection.me).items
            guard let target = all.first(where: { $0.slug == upstream }) else {
                throw OperationsError(.notFound, "there is no upstream \(upstream)")
            }
            var draft = UpstreamKeyDraft(upstreamId: target.id, name: name, keyValue: value)
            (draft.weight, draft.priority, draft.limits) = (weight, priority, limits)
            if case .set(let quota) = quota, quota.unit == .requests {
                (draft.enableQuota, draft.quotaTotal, draft.quotaPeriod) = (true, quota.total, quota.period)
            }
            let key = try await client.createUpstreamKey(draft, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(key) }
            Output.line(PoolTable.text([key]))
        }
    }
}

/// One upstream key that a command is about.
struct PoolKeyArgument: ParsableArguments {
    @Argument(help: "The key's id, or UPSTREAM/NAME.")
    var key: String

    func find(_ client: AdminClient) async throws -> UpstreamKey {
        if let id = Int(key) { return try await client.upstreamKey(id, by: GatewayConnection.me) }
        var query = UpstreamKeyQuery()
        query.name = key.firstIndex(of: "/").map { String(key[key.index(after: $0)...]) } ?? key
        let named = try await client.upstreamKeys(query, by: GatewayConnection.me).items
        guard let found = named.first(where: { "\($0.upstream)/\($0.name)" == key }) else {
            throw OperationsError(.notFound, "there is no upstream key \(key)")
        }
        return found
    }

    func set(
        _ state: KeyState,
        reason: String? = nil,
        liftsNoBan: Bool = false,
        _ connection: GatewayConnection
    ) async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await find(client)
            if liftsNoBan, found.state == .banned {
                throw OperationsError(
                    .conflict,
                    "the key is banned; lift the ban with: fastgate pool reset \(key)"
                )
            }
            let changed = try await client.setUpstreamKeyState(
                found.id,
                state,
                reason: reason,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(changed) }
            Output.line(PoolTable.text([changed]))
        }
    }
}

struct PoolEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Use an upstream key again.",
        discussion: "Example: fastgate pool enable miniai/main"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument

    func run() async throws {
        try await key.set(.active, liftsNoBan: true, connection)
    }
}

struct PoolDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Do not use an upstream key until it is enabled.",
        discussion: "Example: fastgate pool disable miniai/main --reason 'being replaced'"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument
    @Option(help: "Why, for whoever looks.")
    var reason: String?

    func run() async throws {
        try await key.set(.disabled, reason: reason, connection)
    }
}

struct PoolBan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ban",
        abstract: "Do not use an upstream key any more, whatever it shows.",
        discussion: "Example: fastgate pool ban miniai/main --reason 'leaked'"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument
    @Option(help: "Why, for whoever looks.")
    var reason: String?

    func run() async throws {
        try await key.set(.banned, reason: reason, connection)
    }
}

struct PoolReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Forget what an upstream key has shown: end its rest, lift its ban.",
        discussion: "Example: fastgate pool reset miniai/main"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument

    func run() async throws {
        try await key.set(.active, connection)
    }
}

struct PoolDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete an upstream key.",
        discussion: "Example: fastgate pool delete miniai/old"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var key: PoolKeyArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await key.find(client)
            try await client.deleteUpstreamKey(found.id, ifVersion: nil, by: GatewayConnection.me)
            Output.errorLine("upstream key \(found.upstream)/\(found.name) is deleted")
        }
    }
}
