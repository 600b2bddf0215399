import AdminAPI
import ArgumentParser
import Operations

/// Client keys.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Create, list and change client keys: what callers send.",
        subcommands: [
            KeysCreate.self, KeysList.self, KeysShow.self, KeysEdit.self, KeysEnable.self, KeysDisable.self,
            KeysRevoke.self, KeysRotate.self, KeysDelete.self, KeysImport.self,
        ],
        defaultSubcommand: KeysList.self
    )
}

/// What a key may reach, as options.
struct PermissionOptions: ParsableArguments {
    @Option(help: "Upstream it may use; may be repeated. None given allows all.")
    var upstream: [String] = []
    @Option(help: "Path pattern it may use, such as /v1/**; may be repeated.")
    var path: [String] = []
    @Option(help: "Model pattern it may use, such as gpt-4*; may be repeated.")
    var model: [String] = []
    @Option(help: "Address or range it may come from; may be repeated.")
    var cidr: [String] = []

    var isEmpty: Bool { upstream.isEmpty && path.isEmpty && model.isEmpty && cidr.isEmpty }

    /// The lists that were given in place of those that were there.
    func applied(to kept: ClientKeyPermissions) -> ClientKeyPermissions {
        ClientKeyPermissions(
            upstreams: upstream.isEmpty ? kept.upstreams : upstream,
            paths: path.isEmpty ? kept.paths : path,
            models: model.isEmpty ? kept.models : model,
            cidrs: cidr.isEmpty ? kept.cidrs : cidr
        )
    }

    var permissions: ClientKeyPermissions {
        ClientKeyPermissions(upstreams: upstream, paths: path, models: model, cidrs: cidr)
    }
}

/// Which client key is meant.
struct ClientKeyArgument: ParsableArguments {
    @Argument(help: "The key's name or id.")
    var key: String

    func id(_ client: AdminClient) async throws -> Int { try await Self.id(of: key, client) }

    static func id(of key: String, _ client: AdminClient) async throws -> Int {
        // A name may be a number; then it has to be named by its id.
        if let id = Int(key) { return id }
        var query = ClientKeyQuery()
        (query.search, query.limit) = (key, 1000)
        let named = try await client.clientKeys(query, by: GatewayConnection.me).items.filter {
            $0.name == key
        }
        return try OnlyOne.id(named.map(\.id), "client key", key)
    }
}

/// Names need not be unique; what is done is done to one.
enum OnlyOne {
    static func id(_ found: [Int], _ what: String, _ name: String) throws -> Int {
        guard let first = found.first else { throw OperationsError(.notFound, "there is no \(what) \(name)") }
        guard found.count == 1 else {
            let ids = found.map(String.init).joined(separator: ", ")
            throw OperationsError(.conflict, "\(name) is the name of several; give an id: \(ids)")
        }
        return first
    }
}

/// A point in time as people write it: a date, a time, or a duration from now.
enum ExpiryText {
    static func parse(_ text: String) throws -> Timestamp {
        if let duration = Duration(text: text) { return Clock.now().advanced(by: duration) }
        guard let time = Timestamp(text: text) ?? Timestamp(text: text + "T00:00:00Z") else {
            throw ValidationError("\(text) is no time; write 90d, 2027-01-31 or 2027-01-31T12:00:00Z")
        }
        return time
    }
}

struct KeysCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a client key and print it; it cannot be shown again.",
        discussion: "Example: fastgate keys create team-a --owner alice --upstream miniai --expires 90d"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var permissions: PermissionOptions
    @OptionGroup var limits: LimitOptions
    @Argument(help: "A name that tells the key apart.")
    var name: String
    @Option(help: "Whose key it is.")
    var owner: String?
    @Option(help: "When it ends: 90d, 2027-01-31 or a full time.")
    var expires: String?
    @Option(help: "Anything worth remembering.")
    var notes: String?

    func run() async throws {
        var draft = ClientKeyDraft(name: name, owner: owner)
        draft.expiresAt = try expires.map(ExpiryText.parse)
        draft.notes = notes
        draft.permissions = permissions.permissions
        draft.limits = try limits.change()
        if case .set(let quota) = try limits.quotaChange() { draft.quota = quota }
        let prepared = draft
        try await CommandRun.run {
            let client = try connection.client()
            let key = try await client.createClientKey(prepared, by: GatewayConnection.me)
            let slugs = Set(try await client.upstreams(by: GatewayConnection.me).items.map(\.slug))
            for slug in permissions.upstream where !slugs.contains(slug) && !slug.contains("*") {
                Output.errorLine(
                    "warning: there is no upstream \(slug) yet; the key may use it once there is"
                )
            }
            if connection.json { return try CommandRun.showJSON(key) }
            Output.line(key.key ?? "")
            Output.errorLine(
                "client key \(key.id) \(key.name) is made; its value above is shown only this once"
            )
        }
    }
}

struct KeysList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List client keys.",
        discussion: "Example: fastgate keys list --search team"
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "Part of a name, owner or prefix.")
    var search: String?

    func run() async throws {
        try await CommandRun.run {
            var query = ClientKeyQuery()
            query.search = search
            query.limit = 1000
            let client = try connection.client()
            var keys: [ClientKey] = []
            repeat {
                let page = try await client.clientKeys(query, by: GatewayConnection.me)
                keys += page.items
                query.cursor = page.nextCursor
            } while query.cursor != nil
            if connection.json { return try CommandRun.showJSON(Page(items: keys)) }
            guard !keys.isEmpty else {
                Output.line("no client keys; make one with: fastgate keys create NAME")
                return
            }
            Output.line(KeyTable.text(keys))
        }
    }
}

/// Client keys as a person reads them.
enum KeyTable {
    static func text(_ keys: [ClientKey]) -> String {
        let header = ["ID", "NAME", "OWNER", "KEY", "STATE", "EXPIRES", "LAST USED", "LIMITS", "QUOTA"]
        let rows = keys.map { key in
            [
                "\(key.id)", key.name, key.owner, "\(key.prefix)…\(key.last4)", state(key),
                key.expiresAt?.description ?? "never", key.lastUsedAt?.description ?? "never",
                key.limits.text, key.quota.map { "\($0.used) of \($0.quota.text)" } ?? "",
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    private static func state(_ key: ClientKey) -> String {
        if key.revokedAt != nil { return "revoked" }
        if let expiry = key.expiresAt, expiry <= Clock.now() { return "expired" }
        return key.enabled ? "enabled" : "disabled"
    }
}

struct KeysShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one client key.",
        discussion: "Example: fastgate keys show 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let key = try await client.clientKey(try await wanted.id(client), by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(key) }
            Output.line(KeyTable.text([key]))
            let permissions = key.permissions
            for (label, values) in [
                ("upstreams", permissions.upstreams), ("paths", permissions.paths),
                ("models", permissions.models),
                ("addresses", permissions.cidrs),
            ] {
                Output.line("\(label): \(values.isEmpty ? "all" : values.joined(separator: ", "))")
            }
            let quota = key.quota.map { "\($0.used) of \($0.quota.text)" }
            Output.line("quota: \(quota ?? "none")")
            Output.line("limits: \(key.limits.isUnlimited ? "none" : key.limits.text)")
            if !key.notes.isEmpty { Output.line("notes: \(key.notes)") }
        }
    }
}

struct KeysEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a client key; only what is given changes.",
        discussion: "Example: fastgate keys edit 3 --owner bob --expires never"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var permissions: PermissionOptions
    @OptionGroup var limits: LimitOptions
    @OptionGroup var wanted: ClientKeyArgument
    @Option(help: "Another name.")
    var name: String?
    @Option(help: "Another owner.")
    var owner: String?
    @Option(help: "Another end: 90d, 2027-01-31, a full time, or never.")
    var expires: String?
    @Option(help: "Other notes.")
    var notes: String?
    @Flag(help: "Allow everything again.")
    var allowAll = false

    func run() async throws {
        var change = ClientKeyChange()
        if let name { change.name = .set(name) }
        if let owner { change.owner = .set(owner) }
        if let expires {
            change.expiresAt = expires == "never" ? .clear : .set(try ExpiryText.parse(expires))
        }
        if let notes { change.notes = .set(notes) }
        if allowAll { change.permissions = .clear }
        if let limits = try limits.change() { change.limits = .set(limits) }
        if let quota = try limits.quotaChange() { change.quota = quota }
        let prepared = change
        try await KeyAction.run(connection) { client in
            let id = try await wanted.id(client)
            var change = prepared
            var version: Int?
            if !permissions.isEmpty {
                // A list that is not given stays as it is, unless everything was allowed first.
                let key = try await client.clientKey(id, by: GatewayConnection.me)
                version = key.version
                let kept = allowAll ? ClientKeyPermissions() : key.permissions
                change.permissions = .set(PermissionsChange(permissions.applied(to: kept)))
            }
            return try await client.changeClientKey(id, change, ifVersion: version, by: GatewayConnection.me)
        }
    }
}

/// What every command that changes one key does with the answer.
enum KeyAction {
    static func run(
        _ connection: GatewayConnection,
        _ body: (AdminClient) async throws -> ClientKey
    ) async throws {
        try await CommandRun.run {
            let key = try await body(try connection.client())
            if connection.json { return try CommandRun.showJSON(key) }
            if let value = key.key { Output.line(value) }
            Output.errorLine(KeyTable.text([key]))
        }
    }

    static func setEnabled(
        _ enabled: Bool,
        _ wanted: ClientKeyArgument,
        _ connection: GatewayConnection
    ) async throws {
        try await run(connection) { client in
            var change = ClientKeyChange()
            change.enabled = .set(enabled)
            let id = try await wanted.id(client)
            return try await client.changeClientKey(id, change, ifVersion: nil, by: GatewayConnection.me)
        }
    }
}

struct KeysEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Enable a client key.",
        discussion: "Example: fastgate keys enable 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument

    func run() async throws {
        try await KeyAction.setEnabled(true, wanted, connection)
    }
}

struct KeysDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Disable a client key.",
        discussion: "Example: fastgate keys disable 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument

    func run() async throws {
        try await KeyAction.setEnabled(false, wanted, connection)
    }
}

struct KeysRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke a client key for good.",
        discussion: "Example: fastgate keys revoke 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument

    func run() async throws {
        try await KeyAction.run(connection) { client in
            try await client.revokeClientKey(try await wanted.id(client), by: GatewayConnection.me)
        }
    }
}

struct KeysRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Make a successor and print it; the old key works until the overlap ends.",
        discussion: "Example: fastgate keys rotate 3 --overlap 24h"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument
    @Option(help: "How long the old key still works.")
    var overlap = "24h"

    func run() async throws {
        guard let time = Duration(text: overlap) else {
            throw ValidationError("\(overlap) is no duration; write 24h")
        }
        try await KeyAction.run(connection) { client in
            try await client.rotateClientKey(
                try await wanted.id(client),
                overlap: time,
                by: GatewayConnection.me
            )
        }
    }
}

struct KeysDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a client key.",
        discussion: "Example: fastgate keys delete 3"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var wanted: ClientKeyArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            try await client.deleteClientKey(
                try await wanted.id(client),
                ifVersion: nil,
                by: GatewayConnection.me
            )
            Output.errorLine("client key \(wanted.key) is deleted")
        }
    }
}
