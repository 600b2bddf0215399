import AdminAPI
import ArgumentParser
import Operations

/// Rules: what answers mean.
struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "List, make, order and try rules: what answers of upstreams mean.",
        discussion: """
            A rule is a line of text: conditions, “then”, actions.

              status 429 and body contains "insufficient_quota" then exhaust_key, retry_next_key
              status 5xx and 3 times in 60s then cooldown_key 5m

            Conditions: status, error, header, body contains, body ~ (RE2), json PATH = VALUE, latency >, N times in DURATION, always.
            Actions: cooldown_key, cooldown_model, cooldown_upstream, disable_key, ban_key, exhaust_key, retry_next_key, retry_same_key,
            respond STATUS "TEXT", notify.
            """,
        subcommands: [
            RulesList.self, RulesShow.self, RulesAdd.self, RulesEdit.self, RulesEnable.self,
            RulesDisable.self,
            RulesMove.self, RulesTest.self, RulesDelete.self, RulesReset.self,
        ],
        defaultSubcommand: RulesList.self
    )
}

/// Rules as a person reads them.
enum RuleTable {
    static func text(_ rules: [Rule], _ upstreams: [Upstream]) -> String {
        let slugs = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.id, $0.slug) })
        let header = ["ID", "#", "NAME", "UPSTREAM", "ON", "HITS", "LAST HIT", "RULE"]
        let rows = rules.map { rule in
            [
                "\(rule.id)", "\(rule.position)", rule.name,
                rule.upstreamId.map { slugs[$0] ?? "\($0)" } ?? "all", rule.enabled ? "yes" : "no",
                "\(rule.hits)", rule.lastHitAt?.description ?? "never", RuleText(rule).text,
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    static func show(_ rules: [Rule], _ client: AdminClient, _ connection: GatewayConnection) async throws {
        if connection.json {
            if rules.count == 1 { return try CommandRun.showJSON(rules[0]) }
            return try CommandRun.showJSON(Page(items: rules))
        }
        Output.line(text(rules, try await client.upstreams(by: GatewayConnection.me).items))
    }
}

/// The text of a rule, read before anything is asked of the gateway.
enum RuleArgument {
    static func parse(_ text: String) throws -> RuleText {
        do throws(RuleTextError) {
            return try RuleText(parsing: text)
        } catch {
            throw ValidationError("the rule does not hold: \(error)")
        }
    }

    /// `all` or nil: every upstream.
    static func upstream(_ slug: String?, _ client: AdminClient) async throws -> Int? {
        guard let slug, slug != "all" else { return nil }
        let all = try await client.upstreams(by: GatewayConnection.me).items
        guard let found = all.first(where: { $0.slug == slug }) else {
            throw OperationsError(.notFound, "there is no upstream \(slug)")
        }
        return found.id
    }
}

struct RulesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List rules in the order in which they are tried, with how often they have acted.",
        discussion: "Example: fastgate rules list"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let page = try await client.rules(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else {
                return Output.line(
                    "no rules; bring the default ones back with: fastgate rules reset-defaults"
                )
            }
            try await RuleTable.show(page.items, client, connection)
        }
    }
}

/// Which rule is meant.
struct RuleNameArgument: ParsableArguments {
    @Argument(help: "The rule's name or id.")
    var name: String

    func id(_ client: AdminClient) async throws -> Int {
        if let id = Int(name) { return id }
        let named = try await client.rules(by: GatewayConnection.me).items.filter { $0.name == name }
        return try OnlyOne.id(named.map(\.id), "rule", name)
    }
}

struct RulesShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one rule.",
        discussion: "Example: fastgate rules show 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await wanted.id(client)
            try await RuleTable.show(
                [try await client.rule(id, by: GatewayConnection.me)],
                client,
                connection
            )
        }
    }
}

struct RulesAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a rule.",
        discussion:
            "Example: fastgate rules add region 'status 403 and body contains region then cooldown_key 5m, retry_next_key'"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "A name that tells the rule apart.")
    var name: String
    @Argument(help: "Conditions, “then”, actions.")
    var rule: String
    @Option(help: "Only for this upstream's answers.")
    var upstream: String?
    @Option(help: "Where it stands among the others, from 1; behind them all when not given.")
    var position: Int?

    func run() async throws {
        let text = try RuleArgument.parse(rule)
        try await CommandRun.run {
            let client = try connection.client()
            var draft = RuleDraft(name: name, when: text.when, then: text.then)
            draft.upstreamId = try await RuleArgument.upstream(upstream, client)
            (draft.threshold, draft.position) = (text.threshold, position)
            let made = try await client.createRule(draft, by: GatewayConnection.me)
            try await RuleTable.show([made], client, connection)
        }
    }
}

struct RulesEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a rule; what is not given stays.",
        discussion: "Example: fastgate rules edit 7 'status 429 then cooldown_key 10s fixed, retry_next_key'"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument
    @Argument(help: "Conditions, “then”, actions.")
    var rule: String?
    @Option(help: "Another name.")
    var name: String?
    @Option(help: "Only for this upstream's answers, or all.")
    var upstream: String?

    func run() async throws {
        let text = try rule.map(RuleArgument.parse)
        try await CommandRun.run {
            let client = try connection.client()
            var change = RuleChange()
            if let text {
                (change.when, change.then) = (.set(text.when), .set(text.then))
                change.threshold = text.threshold.map { .set($0) } ?? .clear
            }
            change.name = name.map { .set($0) } ?? .keep
            if upstream != nil {
                change.upstreamId =
                    try await RuleArgument.upstream(upstream, client).map { .set($0) } ?? .clear
            }
            let id = try await wanted.id(client)
            let version = try await client.rule(id, by: GatewayConnection.me).version
            let changed = try await client.changeRule(
                id,
                change,
                ifVersion: version,
                by: GatewayConnection.me
            )
            try await RuleTable.show([changed], client, connection)
        }
    }
}

/// A rule that is put on or off.
private struct RuleSwitch {
    static func set(
        _ wanted: RuleNameArgument,
        enabled: Bool,
        _ connection: GatewayConnection
    ) async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await wanted.id(client)
            var change = RuleChange()
            change.enabled = .set(enabled)
            let changed = try await client.changeRule(id, change, ifVersion: nil, by: GatewayConnection.me)
            try await RuleTable.show([changed], client, connection)
        }
    }
}

struct RulesEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Ask a rule again.",
        discussion: "Example: fastgate rules enable 7"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument

    func run() async throws {
        try await RuleSwitch.set(wanted, enabled: true, connection)
    }
}

struct RulesDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Ask a rule no more.",
        discussion: "Example: fastgate rules disable 7"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument

    func run() async throws {
        try await RuleSwitch.set(wanted, enabled: false, connection)
    }
}

struct RulesMove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Put a rule elsewhere among the others: the first that fits acts.",
        discussion: "Example: fastgate rules move 7 1"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument
    @Argument(help: "Its place, from 1.")
    var position: Int

    func run() async throws {
        guard position >= 1 else { throw ValidationError("the place must be a number from 1") }
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await wanted.id(client)
            var ids = try await client.rules(by: GatewayConnection.me).items.map(\.id)
            guard let place = ids.firstIndex(of: id) else {
                throw OperationsError(.notFound, "there is no rule \(id)")
            }
            ids.remove(at: place)
            ids.insert(id, at: min(max(position - 1, 0), ids.count))
            let page = try await client.reorderRules(ids, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            try await RuleTable.show(page.items, client, connection)
        }
    }
}

struct RulesTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Say what the rules would make of an answer, and why each does not fit; nothing is done.",
        discussion: """
            Examples: fastgate rules test --status 429 --header retry-after=7
                      fastgate rules test --log 1763770000000000 --all
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "A logged exchange whose answer is taken.")
    var log: Int?
    @Option(help: "The upstream whose rules are asked.")
    var upstream: String?
    @Option(help: "The answer's status.")
    var status: Int?
    @Option(help: "How the attempt failed: connect, tls, timeout, reset, truncated or protocol.")
    var error: String?
    @Option(help: "A header of the answer, NAME=VALUE; may be repeated.")
    var header: [String] = []
    @Option(help: "The answer's body.")
    var body: String?
    @Option(help: "The model that was asked for.")
    var model: String?
    @Option(help: "How long the answer took, such as 5s.")
    var latency: String?
    @Flag(help: "Also show the rules that do not fit.")
    var all = false

    func run() async throws {
        var test = RuleTest()
        (test.logId, test.status, test.body, test.model) = (log, status, body, model)
        test.error = try error.map { text in
            guard let error = RuleError(rawValue: text) else {
                let all = RuleError.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--error must be one of \(all)")
            }
            return error
        }
        test.latencyMs = try latency.map { text in
            guard let latency = Duration(text: text) else {
                throw ValidationError("--latency must be a duration such as 5s")
            }
            return latency.milliseconds
        }
        if !header.isEmpty {
            test.headers = try Dictionary(
                header.map { text in
                    guard let place = text.firstIndex(of: "=") else {
                        throw ValidationError("--header must be NAME=VALUE")
                    }
                    return (String(text[..<place]), String(text[text.index(after: place)...]))
                }
            ) { $1 }
        }
        try await CommandRun.run {
            let client = try connection.client()
            test.upstreamId = try await RuleArgument.upstream(upstream, client)
            let result = try await client.testRules(test, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(result) }
            let acting = result.rules.first { $0.acts }
            Output.line((acting.map { "“\($0.name)” acts: " } ?? "no rule acts: ") + result.effect)
            let steps = result.rules.filter { all || $0.fits }
            guard !steps.isEmpty else { return }
            let rows = steps.map { step in
                ["\(step.ruleId)", step.name, step.acts ? "acts" : step.fits ? "fits" : "no", step.why ?? ""]
            }
            Output.line(TextTable(header: ["ID", "RULE", "", "WHY"], rows: rows).text)
        }
    }
}

struct RulesDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a rule.",
        discussion: "Example: fastgate rules delete 7"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: RuleNameArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await wanted.id(client)
            let rule = try await client.rule(id, by: GatewayConnection.me)
            try await client.deleteRule(id, ifVersion: nil, by: GatewayConnection.me)
            Output.errorLine("rule “\(rule.name)” is deleted")
        }
    }
}

struct RulesReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-defaults",
        abstract: "Bring the default rules back; all others that are for every upstream go.",
        discussion: "Example: fastgate rules reset-defaults"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let page = try await client.resetRules(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            try await RuleTable.show(page.items, client, connection)
        }
    }
}
