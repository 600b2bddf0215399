import Operations

/// The form of a notification channel: fields of its kind, what they must be, and what they become.
enum ChannelForm {
    static func make(_ channel: NotificationChannel?, kind: NotificationChannelKind = .webhook) -> Form {
        let kind = channel?.kind ?? kind
        var fields: [Form.Field] = []
        if channel == nil {
            fields.append(
                .choice("kind", "Kind", NotificationChannelKind.allCases.map(\.rawValue), kind.rawValue)
            )
        }
        fields.append(.text("name", "Name", channel?.name ?? "", placeholder: "what it is called here"))
        fields += kind == .email ? mailFields(channel) : hookFields(channel, kind)
        fields += [
            .text(
                "events",
                "Events",
                channel?.events.map(\.rawValue).joined(separator: ", ") ?? "",
                placeholder: "all; or key_banned, pool_exhausted"
            ),
            .choice(
                "min_severity",
                "From",
                NotificationSeverity.allCases.map(\.rawValue),
                channel?.minSeverity.rawValue
            ),
            .text(
                "quiet_hours",
                "Quiet hours",
                channel?.quietHours.map { "\($0.from)-\($0.to)" } ?? "",
                placeholder: "none; 22:00-07:00, but for what is critical"
            ),
            .text("dedupe", "Same again", channel?.dedupe ?? "", placeholder: "after 5m"),
        ]
        return Form(
            title: channel.map { "Edit \($0.name)" } ?? "New channel",
            submitLabel: channel == nil ? "Create" : "Save",
            fields: fields
        )
    }

    private static func mailFields(_ channel: NotificationChannel?) -> [Form.Field] {
        [
            .text("smtp_host", "Mail server", channel?.smtpHost ?? "", placeholder: "mail.example.com"),
            .text("smtp_port", "Port", channel?.smtpPort.map(String.init) ?? "", placeholder: "587"),
            .choice(
                "smtp_security",
                "Security",
                SMTPSecurity.allCases.map(\.rawValue),
                channel?.smtpSecurity?.rawValue
            ),
            .text("smtp_user", "User", channel?.smtpUser ?? "", placeholder: "none"),
            .secret(
                "smtp_password",
                "Password",
                placeholder: channel?.hasSmtpPassword == true ? "as it is" : "none"
            ),
            .text("from_email", "From", channel?.fromEmail ?? "", placeholder: "gate@example.com"),
            .text(
                "to_emails",
                "To",
                channel?.toEmails?.joined(separator: ", ") ?? "",
                placeholder: "ops@example.com, duty@example.com"
            ),
        ]
    }

    private static func hookFields(
        _ channel: NotificationChannel?,
        _ kind: NotificationChannelKind
    ) -> [Form.Field] {
        [
            .text(
                "webhook_url",
                "URL",
                "",
                placeholder: channel.map { "as it is: \($0.webhookUrl ?? "")" }
                    ?? (kind == .dingtalk
                        ? "https://oapi.dingtalk.com/robot/send?access_token=…" : "https://example.com/hook"),
                limit: 2048
            ),
            .secret(
                "secret",
                "Secret",
                placeholder: channel?.hasSecret == true ? "as it is" : "none; messages are signed with it"
            ),
        ]
    }

    static func field(of parameter: String) -> String? {
        parameter.split(separator: ".").first.map(String.init)
    }

    /// A kind that was chosen brings its own fields; what was typed into the others stays.
    static func check(_ form: inout Form, isComplete: Bool) {
        let kind = form.choice("kind").flatMap(NotificationChannelKind.init)
        if let kind { form.adopt(make(nil, kind: kind).fields) }
        form.errors = [:]
        if isComplete, form.word("name").isEmpty { form.errors["name"] = "needs a name" }
        let isNew = kind != nil
        for (id, what) in [
            ("smtp_host", "a server"), ("from_email", "an address"), ("to_emails", "an address"),
        ]
        where isComplete && form.has(id) && form.word(id).isEmpty {
            form.errors[id] = "needs \(what)"
        }
        if isComplete, isNew, form.has("webhook_url"), form.word("webhook_url").isEmpty {
            form.errors["webhook_url"] = "needs a URL"
        }
        let port = form.word("smtp_port")
        if !port.isEmpty, Int(port).map({ !(1...65_535).contains($0) }) ?? true {
            form.errors["smtp_port"] = "from 1 to 65535"
        }
        for word in form.list("events") where NotificationEvent(rawValue: word).map({ $0 == .test }) ?? true {
            form.errors["events"] =
                "there is no \(word); there are \(NotificationEvent.choosable.map(\.rawValue).joined(separator: ", "))"
        }
        if !form.word("quiet_hours").isEmpty, quiet(form) == nil {
            form.errors["quiet_hours"] = "as in 22:00-07:00"
        }
        let dedupe = form.word("dedupe")
        if !dedupe.isEmpty, Duration(text: dedupe).map({ $0 > .seconds(86_400) }) ?? true {
            form.errors["dedupe"] = "as in 5m, 24h at most"
        }
    }

    private static func quiet(_ form: Form) -> QuietHours? {
        let parts = form.word("quiet_hours").split(separator: "-").map { String($0).trimmingSpaces() }
        guard parts.count == 2, parts[0] != parts[1], parts.allSatisfy({ QuietHours.minutes($0) != nil })
        else {
            return nil
        }
        return QuietHours(from: parts[0], to: parts[1])
    }

    private static func events(_ form: Form) -> [NotificationEvent] {
        form.list("events").compactMap(NotificationEvent.init)
    }

    static func edit(_ form: Form, of channel: NotificationChannel?) -> AlertEdit? {
        let severity = form.choice("min_severity").flatMap(NotificationSeverity.init) ?? .info
        guard let channel else {
            guard let kind = form.choice("kind").flatMap(NotificationChannelKind.init) else { return nil }
            var draft = NotificationChannelDraft(name: form.word("name"), kind: kind)
            (draft.events, draft.minSeverity) = (events(form), severity)
            (draft.quietHours, draft.dedupe) = (quiet(form), form.given("dedupe"))
            if kind == .email {
                (draft.smtpHost, draft.smtpPort) = (form.given("smtp_host"), Int(form.word("smtp_port")))
                draft.smtpSecurity = form.choice("smtp_security").flatMap(SMTPSecurity.init)
                (draft.smtpUser, draft.fromEmail) = (form.given("smtp_user"), form.given("from_email"))
                draft.smtpPassword = form.text("smtp_password").isEmpty ? nil : form.text("smtp_password")
                draft.toEmails = form.list("to_emails")
            } else {
                draft.webhookUrl = form.given("webhook_url")
                draft.secret = form.text("secret").isEmpty ? nil : form.text("secret")
            }
            return .create(draft)
        }
        var change = NotificationChannelChange()
        func text(_ id: String) -> Change<String> {
            guard form.has(id), !form.isUntouched(id) else { return .keep }
            return form.given(id).map { .set($0) } ?? .clear
        }
        (change.name, change.dedupe) = (text("name"), text("dedupe"))
        if !form.isUntouched("events") { change.events = .set(events(form)) }
        if severity != channel.minSeverity { change.minSeverity = .set(severity) }
        if !form.isUntouched("quiet_hours") { change.quietHours = quiet(form).map { .set($0) } ?? .clear }
        (change.smtpHost, change.smtpUser, change.fromEmail) = (
            text("smtp_host"), text("smtp_user"), text("from_email")
        )
        if form.has("smtp_port"), !form.isUntouched("smtp_port") {
            change.smtpPort = Int(form.word("smtp_port")).map { .set($0) } ?? .clear
        }
        if let security = form.choice("smtp_security").flatMap(SMTPSecurity.init),
            security != channel.smtpSecurity
        {
            change.smtpSecurity = .set(security)
        }
        if form.has("to_emails"), !form.isUntouched("to_emails") {
            change.toEmails = .set(form.list("to_emails"))
        }
        // What is not typed stays as it is: nobody here knows it.
        for (id, path) in [
            ("smtp_password", \NotificationChannelChange.smtpPassword), ("webhook_url", \.webhookUrl),
            ("secret", \.secret),
        ] where form.has(id) && !form.text(id).isEmpty {
            change[keyPath: path] = .set(form.text(id).trimmingSpaces())
        }
        return .change(channel, change)
    }

    // MARK: Tasks

    static func makeInterval(_ task: ScheduledTask) -> Form {
        Form(
            title: "How often \(task.name.rawValue) runs",
            submitLabel: "Save",
            fields: [
                .text("interval", "Every", task.interval, placeholder: "by default \(task.defaultInterval)")
            ]
        )
    }

    static func checkInterval(_ form: inout Form) {
        let text = form.word("interval")
        form.errors = [:]
        if !text.isEmpty, Duration(text: text) == nil { form.errors["interval"] = "as in 30s or 1h" }
    }
}
