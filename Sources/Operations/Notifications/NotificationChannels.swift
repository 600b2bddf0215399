/// How a channel reaches people.
package enum NotificationChannelKind: String, Codable, Sendable, CaseIterable {
    case email
    case webhook
    case dingtalk
}

/// How a mail server is spoken to.
package enum SMTPSecurity: String, Codable, Sendable, CaseIterable {
    /// Begins in the clear and goes on encrypted, or not at all.
    case starttls
    /// Encrypted from the start (port 465).
    case tls
    case none
}

/// When a channel is left alone, in the gateway's time zone; what is critical goes out all the same.
package struct QuietHours: Codable, Sendable, Equatable {
    /// `22:00`.
    package var from: String
    /// `07:00`, of the next day where it is not after `from`.
    package var to: String

    package init(from: String, to: String) {
        self.from = from
        self.to = to
    }

    /// Minutes since midnight; nil for what is no time of day.
    package static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(\.isASCII) }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), (0..<24).contains(hour),
            (0..<60).contains(minute), parts.allSatisfy({ !$0.hasPrefix("+") && !$0.hasPrefix("-") })
        else { return nil }
        return hour * 60 + minute
    }
}

/// A way to tell people, as operators see it; passwords, secrets and what follows a URL's host never leave the gateway.
package struct NotificationChannel: Codable, Sendable, Equatable {
    package var id: Int
    package var name: String
    package var kind: NotificationChannelKind
    package var enabled: Bool
    /// Empty for all.
    package var events: [NotificationEvent]
    package var minSeverity: NotificationSeverity
    @ShownNull package var quietHours: QuietHours?
    /// The same event about the same thing is not told again for so long; a duration as text.
    package var dedupe: String
    package var maxPerMinute: Int

    // Of email.
    package var smtpHost: String?
    package var smtpPort: Int?
    package var smtpSecurity: SMTPSecurity?
    package var smtpUser: String?
    package var fromEmail: String?
    package var toEmails: [String]?
    package var hasSmtpPassword: Bool?

    // Of webhook and dingtalk.
    /// Scheme and host; the rest may be a secret.
    package var webhookUrl: String?
    package var hasSecret: Bool?
    /// Names only have meaning here; values are shown as dots.
    package var headers: [String: String]?

    package var source: Source
    /// `ok`, `waiting` (quiet hours or its own limit), `failing`, or `idle` before the first message.
    package var state: String
    package var pending: Int
    @ShownNull package var lastError: String?
    @ShownNull package var lastSentAt: Timestamp?
    /// When a failing one is tried again.
    @ShownNull package var nextTryAt: Timestamp?
    package var version: Int

    package init(id: Int, name: String, kind: NotificationChannelKind, source: Source) {
        self.id = id
        self.name = name
        self.kind = kind
        self.source = source
        enabled = true
        events = []
        minSeverity = .info
        dedupe = "5m"
        maxPerMinute = 60
        state = "idle"
        pending = 0
        version = 1
        _quietHours = ShownNull(wrappedValue: nil)
        _lastError = ShownNull(wrappedValue: nil)
        _lastSentAt = ShownNull(wrappedValue: nil)
        _nextTryAt = ShownNull(wrappedValue: nil)
    }
}

/// What it takes to make a channel; the names of its kind's settings are the seeds'.
package struct NotificationChannelDraft: Codable, Sendable, Equatable {
    package var name: String
    package var kind: NotificationChannelKind
    package var enabled: Bool?
    package var events: [NotificationEvent]?
    package var minSeverity: NotificationSeverity?
    package var quietHours: QuietHours?
    package var dedupe: String?
    package var maxPerMinute: Int?
    package var smtpHost: String?
    package var smtpPort: Int?
    package var smtpSecurity: SMTPSecurity?
    package var smtpUser: String?
    package var smtpPassword: String?
    package var fromEmail: String?
    package var toEmails: [String]?
    package var webhookUrl: String?
    package var secret: String?
    package var headers: [String: String]?

    package init(name: String, kind: NotificationChannelKind) {
        self.name = name
        self.kind = kind
    }

    package static let fields = [
        "name", "kind", "enabled", "events", "min_severity", "quiet_hours", "dedupe", "max_per_minute",
        "smtp_host",
        "smtp_port", "smtp_security", "smtp_user", "smtp_password", "from_email", "to_emails", "webhook_url",
        "secret", "headers",
    ]
}

/// What may change of a channel; its kind stays.
package struct NotificationChannelChange: Codable, Sendable, Equatable {
    package var name: Change<String> = .keep
    package var enabled: Change<Bool> = .keep
    package var events: Change<[NotificationEvent]> = .keep
    package var minSeverity: Change<NotificationSeverity> = .keep
    package var quietHours: Change<QuietHours> = .keep
    package var dedupe: Change<String> = .keep
    package var maxPerMinute: Change<Int> = .keep
    package var smtpHost: Change<String> = .keep
    package var smtpPort: Change<Int> = .keep
    package var smtpSecurity: Change<SMTPSecurity> = .keep
    package var smtpUser: Change<String> = .keep
    package var smtpPassword: Change<String> = .keep
    package var fromEmail: Change<String> = .keep
    package var toEmails: Change<[String]> = .keep
    package var webhookUrl: Change<String> = .keep
    package var secret: Change<String> = .keep
    package var headers: Change<[String: String]> = .keep

    package init() {}

    package static let fields = NotificationChannelDraft.fields.filter { $0 != "kind" }
}

/// Telling people what happens.
package protocol NotificationOperations: Sendable {
    func notificationChannels(by user: Operator) async throws -> Page<NotificationChannel>
    func notificationChannel(_ id: Int, by user: Operator) async throws -> NotificationChannel
    func createNotificationChannel(
        _ draft: NotificationChannelDraft,
        by user: Operator
    ) async throws -> NotificationChannel
    func changeNotificationChannel(
        _ id: Int,
        _ change: NotificationChannelChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> NotificationChannel
    func deleteNotificationChannel(_ id: Int, ifVersion: Int?, by user: Operator) async throws
    /// Sends a test message at once and returns what has come of it.
    func testNotificationChannel(_ id: Int, by user: Operator) async throws -> NotificationRecord
    /// Newest first.
    func notificationHistory(
        _ query: NotificationQuery,
        by user: Operator
    ) async throws
        -> Page<NotificationRecord>
    /// Puts a dead letter, or one that was dropped, back into its channel's queue.
    func resendNotification(_ id: Int, by user: Operator) async throws -> NotificationRecord
    /// The text that is sent for an event on a channel: its own, else all channels', else the one that ships.
    func notificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        by user: Operator
    ) async throws -> NotificationTemplate
    /// `change.body`: null goes back to the text that ships.
    func changeNotificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        _ change: NotificationTemplateChange,
        by user: Operator
    ) async throws -> NotificationTemplate
}
