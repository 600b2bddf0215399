import AdminAPI
import ArgumentParser
import Foundation
import Operations

/// Header rules: what is added to the attempts against an upstream.
struct HeadersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "headers",
        abstract: "List, make, order and remove headers that are added to what goes to an upstream.",
        discussion: """
            A value is static, or computed by a script for every attempt (docs/scripts.md); try scripts first with:
            fastgate script test
            """,
        subcommands: [
            HeadersList.self, HeadersShow.self, HeadersAdd.self, HeadersEdit.self, HeadersEnable.self,
            HeadersDisable.self, HeadersMove.self, HeadersDelete.self,
        ],
        defaultSubcommand: HeadersList.self
    )
}

extension HeaderFailurePolicy: ExpressibleByArgument {}

/// Header rules as a person reads them.
private enum HeaderTable {
    static func show(
        _ rules: [HeaderRule],
        _ client: AdminClient,
        _ connection: GatewayConnection
    ) async throws {
        if connection.json {
            if rules.count == 1 { return try CommandRun.showJSON(rules[0]) }
            return try CommandRun.showJSON(Page(items: rules))
        }
        let upstreams = try await client.upstreams(by: GatewayConnection.me).items
        let slugs = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.id, $0.slug) })
        let header = [
            "ID", "UPSTREAM", "#", "NAME", "KIND", "ON", "IF IT FAILS", "CACHE", "RUNS", "ERRORS", "P50",
            "P95",
            "LAST ERROR",
        ]
        let rows = rules.map { rule in
            [
                "\(rule.id)", slugs[rule.upstreamId] ?? "\(rule.upstreamId)", "\(rule.position)", rule.name,
                rule.kind.rawValue, rule.enabled ? "yes" : "no",
                rule.kind == .static ? "–" : rule.onFailure.rawValue,
                rule.cacheSeconds > 0 ? "\(rule.cacheSeconds) s" : "–",
                rule.kind == .static ? "–" : "\(rule.runs)", rule.kind == .static ? "–" : "\(rule.errors)",
                Self.milliseconds(rule.p50Ms), Self.milliseconds(rule.p95Ms), rule.lastError ?? "–",
            ]
        }
        Output.line(TextTable(header: header, rows: rows).text)
    }

    private static func milliseconds(_ time: Double?) -> String {
        time.map { String(format: "%.2f ms", $0) } ?? "–"
    }
}

/// What a header's value is, as `add` and `edit` take it.
struct HeaderValueOptions: ParsableArguments {
    @Option(help: "A value that is always the same.")
    var value: String?
    @Option(help: "The body of a function in JavaScript.")
    var javascript: String?
    @Option(help: "Statements in Python that set result.")
    var python: String?
    @Option(help: "A file with a script, .js or .py.")
    var file: String?
    @Option(help: "What happens without a value: fail, omit or fallback.")
    var onFailure: HeaderFailurePolicy?
    @Option(help: "The value in its place; implies --on-failure fallback.")
    var fallback: String?
    @Option(help: "Seconds for which a value serves the requests of one client key; 0 for one request.")
    var cache: Int?
    @Flag(help: "Do not run a script once before, for one that fails without a real request.")
    var skipTrial = false

    func validate() throws {
        guard [value, javascript, python, file].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("name one of --value, --javascript, --python and --file")
        }
    }

    /// The kind, and the value or the script; nil when none was given.
    func source() throws -> (kind: HeaderValueKind, value: String?, script: String?)? {
        if let value { return (.static, value, nil) }
        if let javascript { return (.javascript, nil, javascript) }
        if let python { return (.python, nil, python) }
        guard let file else { return nil }
        guard let language = ScriptLanguage(file: file) else {
            throw ValidationError("\(file) ends neither with .js nor with .py")
        }
        let script = try ScriptFile.read(file)
        return (language == .python ? .python : .javascript, nil, script)
    }

    /// Runs a script once in the jail, before callers depend on it.
    ///
    /// - Parameters:
    ///   - source: What `source()` returned.
    ///   - upstream: The upstream's slug, which the script may ask for.
    ///   - client: The gateway's.
    /// - Throws: What was wrong with the script, or a fault of the gateway's.
    func tryOut(
        _ source: (kind: HeaderValueKind, value: String?, script: String?),
        upstream: String,
        _ client: AdminClient
    ) async throws {
        guard let language = source.kind.language, let script = source.script, !skipTrial else { return }
        var test = ScriptTest(language: language, script: script)
        var context = ScriptContextDraft()
        context.upstream = upstream
        test.context = context
        guard let failure = try await client.testScript(test, by: GatewayConnection.me).failure else {
            return
        }
        throw OperationsError(
            .invalid,
            "the script \(failure); nothing was changed (--skip-trial does it without this trial)"
        )
    }

    var isEmpty: Bool {
        value == nil && javascript == nil && python == nil && file == nil && policy == nil && cache == nil
    }

    var policy: HeaderFailurePolicy? { onFailure ?? (fallback == nil ? nil : .fallback) }
}

/// Which header rule is meant.
struct HeaderRuleArgument: ParsableArguments {
    @Argument(help: "The rule as upstream/name, or its id.")
    var rule: String

    /// - Throws: `OperationsError` when there is none of that name, or more than one.
    func id(_ client: AdminClient) async throws -> Int {
        if let id = Int(rule) { return id }
        let parts = rule.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw ValidationError("\(rule) is no rule; write upstream/name, or an id")
        }
        guard let upstream = try await RuleArgument.upstream(parts[0], client) else {
            throw OperationsError(.notFound, "there is no upstream \(parts[0])")
        }
        let named = try await client.headerRules(ofUpstream: upstream, by: GatewayConnection.me).items
            .filter { $0.name.lowercased() == parts[1].lowercased() }
        return try OnlyOne.id(named.map(\.id), "header rule", rule)
    }
}

struct HeadersList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List header rules in order, with how their scripts have run since the start.",
        discussion: "Example: fastgate headers list --upstream miniai"
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "Only those of this upstream.")
    var upstream: String?

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await RuleArgument.upstream(upstream, client)
            let page = try await client.headerRules(ofUpstream: id, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else {
                return Output.line("no header rules; make one with: fastgate headers add --help")
            }
            try await HeaderTable.show(page.items, client, connection)
        }
    }
}

struct HeadersShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one header rule with its value or script.",
        discussion: "Example: fastgate headers show miniai/X-Team"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await client.headerRule(rule.id(client), by: GatewayConnection.me)
            try await HeaderTable.show([found], client, connection)
            if !connection.json { Output.line("\n" + (found.script ?? found.value ?? "")) }
        }
    }
}

struct HeadersAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a header rule.",
        discussion: """
            Examples:
              fastgate headers add miniai X-Team --value platform
              fastgate headers add miniai X-Timestamp --javascript 'return new Date().toISOString();'
              fastgate headers add miniai X-Signature --file sign.py --on-failure fail
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The upstream's slug.")
    var upstream: String
    @Argument(help: "The header's name.")
    var name: String
    @OptionGroup var options: HeaderValueOptions
    @Option(help: "Where it stands among the others, from 1; behind them all when not given.")
    var position: Int?

    func run() async throws {
        try await CommandRun.run {
            guard let source = try options.source() else {
                throw ValidationError("give its value: --value, --javascript, --python or --file")
            }
            let client = try connection.client()
            guard let id = try await RuleArgument.upstream(upstream, client) else {
                throw OperationsError(.notFound, "there is no upstream \(upstream)")
            }
            try await options.tryOut(source, upstream: upstream, client)
            var draft = HeaderRuleDraft(upstreamId: id, name: name, kind: source.kind)
            (draft.value, draft.script) = (source.value, source.script)
            (draft.onFailure, draft.fallback) = (options.policy, options.fallback)
            (draft.cacheSeconds, draft.position) = (options.cache, position)
            let made = try await client.createHeaderRule(draft, by: GatewayConnection.me)
            try await HeaderTable.show([made], client, connection)
        }
    }
}

struct HeadersEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a header rule; what is not given stays.",
        discussion: "Example: fastgate headers edit miniai/X-Signature --file sign.js --cache 60"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument
    @Option(help: "Another name.")
    var name: String?
    @OptionGroup var options: HeaderValueOptions

    func validate() throws {
        guard name != nil || !options.isEmpty else {
            throw ValidationError(
                "say what to change: its name, its value, --on-failure, --fallback or --cache"
            )
        }
    }

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await client.headerRule(rule.id(client), by: GatewayConnection.me)
            var change = HeaderRuleChange()
            change.name = name.map { .set($0) } ?? .keep
            if let source = try options.source() {
                let upstreams = try await client.upstreams(by: GatewayConnection.me).items
                let slug = upstreams.first { $0.id == found.upstreamId }?.slug ?? ""
                try await options.tryOut(source, upstream: slug, client)
                change.kind = .set(source.kind)
                change.value = source.value.map { .set($0) } ?? .clear
                change.script = source.script.map { .set($0) } ?? .clear
            }
            if let policy = options.policy {
                change.onFailure = .set(policy)
                change.fallback = options.fallback.map { .set($0) } ?? (policy == .fallback ? .keep : .clear)
            }
            change.cacheSeconds = options.cache.map { .set($0) } ?? .keep
            let changed = try await client.changeHeaderRule(
                found.id,
                change,
                ifVersion: found.version,
                by: GatewayConnection.me
            )
            try await HeaderTable.show([changed], client, connection)
        }
    }
}

/// A header rule that is put on or off.
private struct HeaderSwitch {
    static func set(
        _ rule: HeaderRuleArgument,
        enabled: Bool,
        _ connection: GatewayConnection
    ) async throws {
        try await CommandRun.run {
            let client = try connection.client()
            var change = HeaderRuleChange()
            change.enabled = .set(enabled)
            let me = GatewayConnection.me
            let changed = try await client.changeHeaderRule(rule.id(client), change, ifVersion: nil, by: me)
            try await HeaderTable.show([changed], client, connection)
        }
    }
}

struct HeadersEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Add a header again.",
        discussion: "Example: fastgate headers enable miniai/X-Team"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument

    func run() async throws {
        try await HeaderSwitch.set(rule, enabled: true, connection)
    }
}

struct HeadersDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Add a header no more.",
        discussion: "Example: fastgate headers disable miniai/X-Team"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument

    func run() async throws {
        try await HeaderSwitch.set(rule, enabled: false, connection)
    }
}

struct HeadersMove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Put a header elsewhere among those of its upstream.",
        discussion: "Example: fastgate headers move miniai/X-Team 1"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument
    @Argument(help: "Its place, from 1.")
    var position: Int

    func run() async throws {
        guard position >= 1 else { throw ValidationError("the place must be a number from 1") }
        try await CommandRun.run {
            let client = try connection.client()
            var change = HeaderRuleChange()
            change.position = .set(position)
            let me = GatewayConnection.me
            let moved = try await client.changeHeaderRule(rule.id(client), change, ifVersion: nil, by: me)
            let page = try await client.headerRules(ofUpstream: moved.upstreamId, by: me)
            if connection.json { return try CommandRun.showJSON(page) }
            try await HeaderTable.show(page.items, client, connection)
        }
    }
}

struct HeadersDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Remove a header rule.",
        discussion: "Example: fastgate headers delete miniai/X-Team"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var rule: HeaderRuleArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            try await client.deleteHeaderRule(rule.id(client), ifVersion: nil, by: GatewayConnection.me)
            if !connection.json { Output.line("deleted") }
        }
    }
}
