import Operations

/// A channel with everything that is needed to send by it.
struct NotificationChannelSettings: Sendable, Equatable {
    /// What is sealed in the database: the part that may hold secrets.
    struct Address: Sendable, Equatable, Codable {
        var smtpHost: String?
        var smtpPort: Int?
        var smtpSecurity: SMTPSecurity?
        var smtpUser: String?
        var smtpPassword: String?
        var fromEmail: String?
        var toEmails: [String]?
        var webhookUrl: String?
        var secret: String?
        var headers: [String: String]?
    }

    var id: Int
    var name: String
    var kind: NotificationChannelKind
    var isEnabled = true
    /// Empty for all.
    var events: [NotificationEvent] = []
    var minSeverity = NotificationSeverity.info
    var quietHours: QuietHours?
    var dedupe = Duration.seconds(300)
    var maxPerMinute: Int
    var address = Address()
    var source = Source.database
    var version = 1

    init(id: Int, name: String, kind: NotificationChannelKind) {
        self.id = id
        self.name = name
        self.kind = kind
        maxPerMinute = Self.defaultPerMinute(kind)
    }

    func wants(_ event: NotificationEvent) -> Bool {
        isEnabled && event.severity >= minSeverity && (events.isEmpty || events.contains(event))
    }

    /// Whoever is written to may be a person, or a robot that is closed for ten minutes after twenty in one.
    static func defaultPerMinute(_ kind: NotificationChannelKind) -> Int {
        switch kind {
        case .email: 10
        case .webhook: 60
        case .dingtalk: 15
        }
    }

    static func perMinute(_ kind: NotificationChannelKind) -> ClosedRange<Int> {
        kind == .dingtalk ? 1...18 : 1...600
    }
}

/// What a channel has to be like; the same for file, API, command line and console.
enum NotificationChannelChecks {
    static let countLimit = 50
    private static let recipientLimit = 50
    private static let headerLimit = 20
    private static let dedupeRange = Duration.zero...Duration.seconds(86_400)

    static func check(_ channel: NotificationChannelSettings) throws(OperationsError) {
        try text(channel.name, "name", limit: 100)
        let range = NotificationChannelSettings.perMinute(channel.kind)
        guard range.contains(channel.maxPerMinute) else {
            throw fault("must be from \(range.lowerBound) to \(range.upperBound)", "max_per_minute")
        }
        guard dedupeRange.contains(channel.dedupe) else { throw fault("must be from 0s to 1d", "dedupe") }
        if let event = channel.events.first(where: { !NotificationEvent.choosable.contains($0) }) {
            throw fault("\(event.rawValue) cannot be chosen", "events")
        }
        if let quiet = channel.quietHours {
            guard let from = QuietHours.minutes(quiet.from), let to = QuietHours.minutes(quiet.to), from != to
            else { throw fault("needs two times such as 22:00 and 07:00", "quiet_hours") }
        }
        let foreign = foreignFields(channel)
        if let field = foreign.first { throw fault("is not for \(channel.kind.rawValue) channels", field) }
        switch channel.kind {
        case .email: try checkMail(channel.address)
        case .webhook, .dingtalk: try checkHook(channel.address, channel.kind)
        }
    }

    private static func foreignFields(_ channel: NotificationChannelSettings) -> [String] {
        let address = channel.address
        let mail: [(String, Bool)] = [
            ("smtp_host", address.smtpHost != nil), ("smtp_port", address.smtpPort != nil),
            ("smtp_security", address.smtpSecurity != nil), ("smtp_user", address.smtpUser != nil),
            ("smtp_password", address.smtpPassword != nil), ("from_email", address.fromEmail != nil),
            ("to_emails", address.toEmails != nil),
        ]
        let hook = [
            ("webhook_url", address.webhookUrl != nil), ("secret", address.secret != nil),
            ("headers", address.headers != nil),
        ]
        let robot = [("headers", address.headers?.isEmpty == false)]
        let foreign =
            switch channel.kind {
            case .email: hook
            case .webhook: mail
            case .dingtalk: mail + robot
            }
        return foreign.filter(\.1).map(\.0)
    }

    private static func checkMail(_ address: NotificationChannelSettings.Address) throws(OperationsError) {
        guard let host = address.smtpHost, !host.isEmpty else { throw fault("is required", "smtp_host") }
        // A name or an address, and nothing that could end the URL's host early.
        guard host.utf8.count <= 253, host.utf8.allSatisfy(isHostByte) else {
            throw fault("must be a name or an address", "smtp_host")
        }
        guard (1...65_535).contains(address.smtpPort ?? 587) else {
            throw fault("must be from 1 to 65535", "smtp_port")
        }
        try secret(address.smtpUser, "smtp_user")
        try secret(address.smtpPassword, "smtp_password")
        guard let from = address.fromEmail else { throw fault("is required", "from_email") }
        guard MailAddress.isValid(from) else { throw fault("is no mail address", "from_email") }
        guard let to = address.toEmails, !to.isEmpty else { throw fault("is required", "to_emails") }
        guard to.count <= recipientLimit else {
            throw fault("can have \(recipientLimit) addresses", "to_emails")
        }
        for one in to where !MailAddress.isValid(one) {
            throw fault("“\(TextLine.safe(one))” is no mail address", "to_emails")
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        ASCII.isDigit(byte) || (0x41...0x5A).contains(byte & 0xDF) || ".-:".utf8.contains(byte)
    }

    private static func checkHook(
        _ address: NotificationChannelSettings.Address,
        _ kind: NotificationChannelKind
    ) throws(OperationsError) {
        guard let url = address.webhookUrl else { throw fault("is required", "webhook_url") }
        guard WebhookURL(url) != nil else {
            throw fault(
                "must be a URL such as https://example.com/hook, without a user, of at most 2048 bytes",
                "webhook_url"
            )
        }
        try secret(address.secret, "secret")
        let headers = address.headers ?? [:]
        guard headers.count <= headerLimit else { throw fault("can have \(headerLimit)", "headers") }
        let reserved = [
            "host", "content-length", "transfer-encoding", "connection", "expect", "x-fastgate-signature",
        ]
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            guard DefinitionRules.isHeaderName(name), !reserved.contains(name.lowercased()) else {
                throw fault("“\(TextLine.safe(name))” cannot be set", "headers")
            }
            guard value.utf8.count <= 4096, !TextLine.hasControls(value) else {
                throw fault("the value of \(name) is too long or holds a control character", "headers")
            }
        }
    }

    private static func secret(_ text: String?, _ field: String) throws(OperationsError) {
        guard let text else { return }
        guard text.utf8.count <= 1024, !TextLine.hasControls(text) else {
            throw fault("is too long or holds a control character", field)
        }
    }

    private static func text(_ text: String, _ field: String, limit: Int) throws(OperationsError) {
        guard !text.isEmpty, text.utf8.count <= limit, !TextLine.hasControls(text) else {
            throw fault("must have 1 to \(limit) bytes and no control characters", field)
        }
    }

    private static func fault(_ message: String, _ field: String) -> OperationsError {
        OperationsError(.invalid, message, parameter: field)
    }
}

/// Text that goes into one line of a protocol.
enum TextLine {
    static func hasControls(_ text: String) -> Bool {
        text.unicodeScalars.contains {
            $0.value < 0x20 || $0.value == 0x7F || (0x80...0x9F).contains($0.value)
        }
    }

    /// With every control character turned into a space.
    static func safe(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { hasControls(String($0)) ? " " : $0 }))
    }
}

/// A URL that messages are posted to.
struct WebhookURL: Equatable {
    let text: String
    /// Scheme, host and port: what may be shown.
    let origin: String

    init?(_ text: String) {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            !text.contains("\\"), !text.contains("#")
        else { return nil }
        let scheme = ["https://", "http://"].first { text.lowercased().hasPrefix($0) }
        guard let scheme else { return nil }
        let host = text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        guard !host.isEmpty, !host.contains("@"), host.first != ":" else { return nil }
        self.text = text
        origin = scheme + host
    }

    /// `https://oapi.dingtalk.com/…`: what stands behind the host lets whoever knows it in.
    var shown: String { text.utf8.count <= origin.utf8.count + 1 ? text : origin + "/…" }
}
