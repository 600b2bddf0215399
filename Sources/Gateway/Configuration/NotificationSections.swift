import Operations

/// Reads `notifications` of the file: the channels, and where they may go.
enum NotificationSections {
    private static let channelKeys = NotificationChannelDraft.fields.filter { $0 != "name" }

    static func read(_ root: ConfigurationSection, into notifications: inout Configuration.Notifications) {
        let keys = ["language", "allow_addresses", "ca_file", "channels"]
        guard let section = root.section("notifications", keys) else { return }
        section.read("language", into: &notifications.language)
        notifications.caFile = section.filePath("ca_file")
        if let file = notifications.caFile, !TextFile.exists(file) {
            section.report("there is no file \(file)", at: "ca_file")
        }
        for text in section.strings("allow_addresses") ?? [] {
            if let range = CIDR(text) {
                notifications.allowAddresses.append(range)
            } else {
                section.report(
                    "\(text) is not an address or a range such as 10.0.0.0/8",
                    at: "allow_addresses"
                )
            }
        }
        notifications.channels = section.namedSections("channels", channelKeys).compactMap(channel)
    }

    private static func channel(
        _ name: String,
        _ section: ConfigurationSection
    ) -> NotificationChannelSettings? {
        guard section.has("kind") else {
            section.report("is required", at: "kind")
            return nil
        }
        var kind = NotificationChannelKind.webhook
        section.read("kind", into: &kind)
        var channel = NotificationChannelSettings(id: 0, name: name, kind: kind)
        channel.source = .file
        section.read("enabled", into: &channel.isEnabled)
        channel.events = (section.strings("events") ?? []).compactMap { text in
            guard let event = NotificationEvent(rawValue: text), event != .test else {
                let all = NotificationEvent.choosable.map(\.rawValue).joined(separator: ", ")
                section.report("\(text) is no event; there are \(all)", at: "events")
                return nil
            }
            return event
        }
        section.read("min_severity", into: &channel.minSeverity)
        section.read("dedupe", into: &channel.dedupe)
        section.read(
            "max_per_minute",
            into: &channel.maxPerMinute,
            in: NotificationChannelSettings.perMinute(kind)
        )
        if let quiet = section.section("quiet_hours", ["from", "to"]) {
            channel.quietHours = QuietHours(from: quiet.string("from") ?? "", to: quiet.string("to") ?? "")
        }
        readAddress(section, &channel.address)
        do throws(OperationsError) {
            try NotificationChannelChecks.check(channel)
        } catch {
            section.report(error.message, at: error.parameter ?? "kind")
            return nil
        }
        return channel
    }

    private static func readAddress(
        _ section: ConfigurationSection,
        _ address: inout NotificationChannelSettings.Address
    ) {
        address.smtpHost = section.string("smtp_host")
        if section.has("smtp_port") {
            var port = 587
            section.read("smtp_port", into: &port, in: 1...65_535)
            address.smtpPort = port
        }
        if section.has("smtp_security") {
            var security = SMTPSecurity.starttls
            section.read("smtp_security", into: &security)
            address.smtpSecurity = security
        }
        address.smtpUser = section.string("smtp_user")
        address.smtpPassword = section.secret("smtp_password")?.value
        address.fromEmail = section.string("from_email")
        address.toEmails = section.strings("to_emails")
        address.webhookUrl = section.secret("webhook_url")?.value
        address.secret = section.secret("secret")?.value
        address.headers = section.texts("headers")
    }
}
