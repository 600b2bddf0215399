import AdminAPI
import ArgumentParser
import Operations

/// Notifications: channels, what they were told, and in which words.
struct NotificationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifications",
        abstract: "List, make and try notification channels; see what was told; edit the texts.",
        subcommands: [
            ChannelsList.self, ChannelsShow.self, ChannelsAdd.self, ChannelsEdit.self, ChannelsEnable.self,
            ChannelsDisable.self, ChannelsTest.self, ChannelsDelete.self, NotificationsHistory.self,
            NotificationsResend.self, NotificationsTemplate.self,
        ],
        defaultSubcommand: ChannelsList.self
    )
}

extension NotificationChannelKind: ExpressibleByArgument {}
extension NotificationSeverity: ExpressibleByArgument {}
extension NotificationEvent: ExpressibleByArgument {}
extension SMTPSecurity: ExpressibleByArgument {}
extension NotificationRecord.Status: ExpressibleByArgument {}

/// Channels as a person reads them.
enum ChannelTable {
    static func text(_ channels: [NotificationChannel]) -> String {
        let header = [
            "ID", "NAME", "KIND", "ON", "TO", "EVENTS", "FROM", "STATE", "PENDING", "LAST SENT", "LAST ERROR",
        ]
        let rows = channels.map { channel in
            [
                "\(channel.id)", channel.name, channel.kind.rawValue, channel.enabled ? "yes" : "no",
                channel.target,
                channel.events.isEmpty ? "all" : channel.events.map(\.rawValue).joined(separator: ","),
                channel.minSeverity.rawValue, channel.state, "\(channel.pending)",
                channel.lastSentAt?.description ?? "never", channel.lastError ?? "",
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    static func details(_ channel: NotificationChannel) -> String {
        var rows = [
            ["id", "\(channel.id)"], ["name", channel.name], ["kind", channel.kind.rawValue],
            ["on", channel.enabled ? "yes" : "no"], ["to", channel.target],
            [
                "events",
                channel.events.isEmpty ? "all" : channel.events.map(\.rawValue).joined(separator: ", "),
            ],
            ["from severity", channel.minSeverity.rawValue],
            ["quiet hours", channel.quietHours.map { "\($0.from) to \($0.to)" } ?? "none"],
            ["the same again after", channel.dedupe], ["messages a minute", "\(channel.maxPerMinute)"],
        ]
        if channel.kind == .email {
            rows += [
                ["server", "\(channel.smtpHost ?? ""):\(channel.smtpPort ?? 0)"],
                ["security", channel.smtpSecurity?.rawValue ?? ""], ["user", channel.smtpUser ?? "none"],
                ["password", channel.hasSmtpPassword == true ? "set" : "none"],
                ["from", channel.fromEmail ?? ""],
            ]
        } else {
            rows.append(["secret", channel.hasSecret == true ? "set" : "none"])
        }
        rows += [
            ["state", channel.state], ["pending", "\(channel.pending)"],
            ["last sent", channel.lastSentAt?.description ?? "never"],
            ["last error", channel.lastError ?? ""],
            ["tried again", channel.nextTryAt?.description ?? ""], ["source", channel.source.rawValue],
        ]
        return TextTable(header: ["CHANNEL", ""], rows: rows).text
    }
}

extension NotificationChannel {
    /// Where it leads.
    fileprivate var target: String { webhookUrl ?? toEmails?.joined(separator: ", ") ?? "" }
}

/// One channel that a command is about.
struct ChannelArgument: ParsableArguments {
    @Argument(help: "The channel's id or name.")
    var channel: String

    func find(_ client: AdminClient) async throws -> NotificationChannel {
        let all = try await client.notificationChannels(by: GatewayConnection.me).items
        if let found = all.first(where: { $0.name == channel || "\($0.id)" == channel }) { return found }
        throw OperationsError(.notFound, "there is no notification channel \(channel)")
    }
}

struct ChannelsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List channels with how they are doing.",
        discussion: "Example: fastgate notifications list"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let page = try await connection.client().notificationChannels(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            Output.line(
                page.items.isEmpty
                    ? "no channels; make one with: fastgate notifications add --help"
                    : ChannelTable.text(page.items)
            )
        }
    }
}

struct ChannelsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show everything about one channel but its secrets.",
        discussion: "Example: fastgate notifications show ops"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument

    func run() async throws {
        try await CommandRun.run {
            let found = try await channel.find(try connection.client())
            if connection.json { return try CommandRun.showJSON(found) }
            Output.line(ChannelTable.details(found))
        }
    }
}

struct ChannelsAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a channel.",
        discussion: """
            The URL of a webhook or robot, its secret and a password may be given as file:/path, so that no process list shows them.

            Examples:
              fastgate notifications add ops --kind webhook --webhook-url https://example.com/hook --secret file:hook.secret
              fastgate notifications add duty --kind dingtalk --webhook-url file:robot.url --secret file:robot.secret
              fastgate notifications add mail --kind email --smtp-host mail.example.com --smtp-user gate \\
                --smtp-password file:mail.password --from gate@example.com --to ops@example.com --min-severity critical
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "What the channel is called.")
    var name: String
    @Option(help: "email, webhook or dingtalk.")
    var kind: NotificationChannelKind
    @OptionGroup var options: ChannelOptions

    func run() async throws {
        try await CommandRun.run {
            var draft = NotificationChannelDraft(name: name, kind: kind)
            (draft.events, draft.minSeverity) = (try options.eventList(), options.minSeverity)
            (draft.dedupe, draft.maxPerMinute) = (options.dedupe, options.maxPerMinute)
            draft.quietHours = try options.quiet()
            (draft.smtpHost, draft.smtpPort) = (options.smtpHost, options.smtpPort)
            (draft.smtpSecurity, draft.smtpUser) = (options.smtpSecurity, options.smtpUser)
            draft.smtpPassword = try options.smtpPassword.map(SecretText.read)
            (draft.fromEmail, draft.toEmails) = (options.from, options.to.isEmpty ? nil : options.to)
            draft.webhookUrl = try options.webhookUrl.map(SecretText.read)
            draft.secret = try options.secret.map(SecretText.read)
            draft.headers = try options.headerMap()
            let made = try await connection.client().createNotificationChannel(
                draft,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(made) }
            Output.line(ChannelTable.text([made]))
            Output.line("try it with: fastgate notifications test \(made.name)")
        }
    }
}

struct ChannelsEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a channel; what is not named stays.",
        discussion: "Example: fastgate notifications edit ops --min-severity critical --quiet 22:00-07:00"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument
    @Option(help: "Another name.")
    var name: String?
    @OptionGroup var options: ChannelOptions

    func run() async throws {
        try await CommandRun.run {
            var change = NotificationChannelChange()
            func set<Value>(_ value: Value?) -> Change<Value> { value.map { .set($0) } ?? .keep }
            change.name = set(name)
            change.events = set(try options.eventList())
            change.minSeverity = set(options.minSeverity)
            (change.dedupe, change.maxPerMinute) = (set(options.dedupe), set(options.maxPerMinute))
            if options.quietHours == "none" {
                change.quietHours = .clear
            } else {
                change.quietHours = set(try options.quiet())
            }
            (change.smtpHost, change.smtpPort) = (set(options.smtpHost), set(options.smtpPort))
            (change.smtpSecurity, change.smtpUser) = (set(options.smtpSecurity), set(options.smtpUser))
            change.smtpPassword = set(try options.smtpPassword.map(SecretText.read))
            change.fromEmail = set(options.from)
            change.toEmails = set(options.to.isEmpty ? nil : options.to)
            change.webhookUrl = set(try options.webhookUrl.map(SecretText.read))
            change.secret = set(try options.secret.map(SecretText.read))
            change.headers = set(try options.headerMap())
            let client = try connection.client()
            let found = try await channel.find(client)
            let after = try await client.changeNotificationChannel(
                found.id,
                change,
                ifVersion: found.version,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(after) }
            Output.line(ChannelTable.text([after]))
        }
    }
}

struct ChannelsEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Use a channel again.",
        discussion: "Example: fastgate notifications enable ops"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument

    func run() async throws { try await ChannelSwitch.turn(channel, true, connection) }
}

struct ChannelsDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Send nothing by a channel until it is enabled.",
        discussion: "Example: fastgate notifications disable ops"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument

    func run() async throws { try await ChannelSwitch.turn(channel, false, connection) }
}

private enum ChannelSwitch {
    static func turn(_ channel: ChannelArgument, _ isOn: Bool, _ connection: GatewayConnection) async throws {
        try await CommandRun.run {
            var change = NotificationChannelChange()
            change.enabled = .set(isOn)
            let client = try connection.client()
            let found = try await channel.find(client)
            let after = try await client.changeNotificationChannel(
                found.id,
                change,
                ifVersion: nil,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(after) }
            Output.line(ChannelTable.text([after]))
        }
    }
}

struct ChannelsTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Send a test message now, and say what has come of it.",
        discussion: "Example: fastgate notifications test ops"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let id = try await channel.find(client).id
            let record = try await client.testNotificationChannel(id, by: GatewayConnection.me)
            if connection.json {
                try CommandRun.showJSON(record)
            } else {
                let detail = record.tries.last?.detail ?? record.reason ?? ""
                Output.line(record.status == .sent ? "sent: \(detail)" : "not sent: \(detail)")
            }
            if record.status != .sent { throw ExitCode(1) }
        }
    }
}

struct ChannelsDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a channel; what waits on it is not sent.",
        discussion: "Example: fastgate notifications delete ops"
    )
    @OptionGroup var connection: GatewayConnection
    @OptionGroup var channel: ChannelArgument

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let found = try await channel.find(client)
            try await client.deleteNotificationChannel(found.id, ifVersion: nil, by: GatewayConnection.me)
            Output.errorLine("the channel \(found.name) is deleted")
        }
    }
}
