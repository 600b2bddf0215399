import AdminAPI
import ArgumentParser
import Foundation
import Operations

struct NotificationsHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show what was told, newest first, and what came of it.",
        discussion: "Example: fastgate notifications history --status dead"
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "Only of this channel.")
    var channel: String?
    @Option(help: "Only of this event.")
    var event: NotificationEvent?
    @Option(help: "pending, sent, dead, dropped or unrouted.")
    var status: NotificationRecord.Status?
    @Option(name: [.customShort("n"), .long], help: "How many.")
    var limit = 20
    @Flag(help: "Show every try.")
    var tries = false

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            var query = NotificationQuery()
            if let channel {
                var argument = ChannelArgument()
                argument.channel = channel
                query.channel = try await argument.find(client).id
            }
            (query.event, query.status, query.limit) = (event, status, min(max(limit, 1), 1000))
            let page = try await client.notificationHistory(query, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else { return Output.line("nothing was told yet") }
            Output.line(Self.table(page.items))
            guard tries else { return }
            for record in page.items {
                for one in record.tries {
                    Output.line(
                        "\(record.id)  \(one.time)  \(one.succeeded ? "ok" : "failed")  \(one.durationMs) ms  \(one.detail)"
                    )
                }
            }
        }
    }

    private static func table(_ records: [NotificationRecord]) -> String {
        let header = ["ID", "TIME", "EVENT", "ABOUT", "TIMES", "CHANNEL", "STATUS", "TRIES", "WHY"]
        let rows = records.map { record in
            [
                "\(record.id)", record.time.description, record.event.rawValue, record.subject,
                "\(record.count)", record.channel ?? "–", record.status.rawValue, "\(record.tries.count)",
                record.reason ?? record.data["reason"] ?? "",
            ]
        }
        return TextTable(header: header, rows: rows).text
    }
}

struct NotificationsResend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resend",
        abstract: "Put a dead letter back into its channel's queue.",
        discussion: "Example: fastgate notifications resend 17"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The id that history shows.")
    var id: Int

    func run() async throws {
        try await CommandRun.run {
            let record = try await connection.client().resendNotification(id, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(record) }
            Output.line(
                "\(record.event.rawValue) \(record.subject) waits for \(record.channel ?? "its channel") again"
            )
        }
    }
}

struct NotificationsTemplate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Show the text for an event, or set it.",
        discussion: """
            Examples:
              fastgate notifications template key_disabled
              fastgate notifications template key_disabled --file key.md --title 'Key {{key_name}} is out' --preview
              fastgate notifications template key_disabled --reset
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The event.")
    var event: NotificationEvent
    @Option(help: "Of this channel only.")
    var channel: String?
    @Option(help: "Another title.")
    var title: String?
    @Option(help: "A file with another text.")
    var file: String?
    @Flag(help: "Show what would be sent, and keep nothing.")
    var preview = false
    @Flag(help: "Go back to the text that ships.")
    var reset = false

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            var id: Int?
            if let channel {
                var argument = ChannelArgument()
                argument.channel = channel
                id = try await argument.find(client).id
            }
            var change = NotificationTemplateChange()
            change.title = title.map { .set($0) } ?? .keep
            if let file { change.body = .set(try Self.read(file)) }
            if reset { change.body = .clear }
            change.previewOnly = preview ? true : nil
            let isChange = title != nil || file != nil || reset
            let template =
                isChange
                ? try await client.changeNotificationTemplate(
                    event,
                    channel: id,
                    change,
                    by: GatewayConnection.me
                )
                : try await client.notificationTemplate(event, channel: id, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(template) }
            Output.line(template.isDefault ? "(the text that ships)" : "(an operator's text)")
            Output.line(
                "title    \(template.title)\n\n\(template.body)\n\nfields   \(template.fields.joined(separator: " "))"
            )
            Output.line("\npreview\n\(template.previewTitle)\n\n\(template.preview)")
        }
    }

    private static func read(_ path: String) throws -> String {
        do {
            let handle = path == "-" ? .standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
            // One byte more says that it is too long.
            let bytes = try handle.read(upToCount: TemplateText.limit + 1) ?? Data()
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw OperationsError(.badRequest, "\(path) cannot be read")
        }
    }
}
