import ArgumentParser
import Operations

/// What a channel is like, as `add` and `edit` take it.
struct ChannelOptions: ParsableArguments {
    @Option(help: "Events between commas, or all.")
    var events: String?
    @Option(help: "Only what matters as much: info, warning or critical.")
    var minSeverity: NotificationSeverity?
    @Option(name: .customLong("quiet"), help: "When only what is critical is sent, as 22:00-07:00; or none.")
    var quietHours: String?
    @Option(help: "The same about the same is not told again for so long, as 5m.")
    var dedupe: String?
    @Option(help: "Messages within any minute; what is more waits and is told together.")
    var maxPerMinute: Int?
    @Option(help: "The mail server's name or address.")
    var smtpHost: String?
    @Option(help: "Its port; 587 when not given.")
    var smtpPort: Int?
    @Option(help: "starttls, tls or none.")
    var smtpSecurity: SMTPSecurity?
    @Option(help: "Who to log in as there.")
    var smtpUser: String?
    @Option(help: "The password, or file:/path of it.")
    var smtpPassword: String?
    @Option(help: "The address that mail comes from.")
    var from: String?
    @Option(help: "An address that mail goes to; once for each.")
    var to: [String] = []
    @Option(help: "The URL of a webhook or robot, or file:/path of it.")
    var webhookUrl: String?
    @Option(help: "What messages are signed with, or file:/path of it.")
    var secret: String?
    @Option(name: .customLong("header"), help: "A header of a webhook, as 'X-Team: ops'; once for each.")
    var headers: [String] = []

    func eventList() throws -> [NotificationEvent]? {
        guard let events else { return nil }
        if events == "all" { return [] }
        return try events.split(separator: ",").map { word in
            guard let event = NotificationEvent(rawValue: String(word)), event != .test else {
                let all = NotificationEvent.choosable.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--events: there is no \(word); there are \(all)")
            }
            return event
        }
    }

    /// nil where none were given.
    func quiet() throws -> QuietHours? {
        guard let quietHours, quietHours != "none" else { return nil }
        let parts = quietHours.split(separator: "-").map(String.init)
        guard parts.count == 2 else { throw ValidationError("--quiet: two times such as 22:00-07:00") }
        return QuietHours(from: parts[0], to: parts[1])
    }

    func headerMap() throws -> [String: String]? {
        guard !headers.isEmpty else { return nil }
        let pairs = try headers.map { text in
            guard let colon = text.firstIndex(of: ":") else {
                throw ValidationError("--header: “\(text)” has no colon")
            }
            return (String(text[..<colon]), String(text[text.index(after: colon)...].drop { $0 == " " }))
        }
        return Dictionary(pairs) { $1 }
    }
}

/// Secrets that a command is given: as they are, or where they lie.
enum SecretText {
    static func read(_ text: String) throws -> String {
        text.hasPrefix("file:") ? try FileText.read(String(text.dropFirst(5))) : text
    }
}
