package import Operations

extension GatewayOperations {
    private var channelStore: NotificationChannelStore {
        NotificationChannelStore(database: gateway.store.database, masterKey: gateway.masterKey)
    }

    private var templateStore: NotificationTemplateStore {
        NotificationTemplateStore(database: gateway.store.database)
    }

    private var fileChannels: [NotificationChannelSettings] { gateway.configuration.notifications.channels }

    // MARK: Channels

    package func notificationChannels(by user: Operator) async throws -> Page<NotificationChannel> {
        Page(items: try channelStore.all(file: fileChannels).map(view))
    }

    package func notificationChannel(_ id: Int, by user: Operator) async throws -> NotificationChannel {
        view(try settings(id))
    }

    private func settings(_ id: Int) throws -> NotificationChannelSettings {
        guard let found = try channelStore.all(file: fileChannels).first(where: { $0.id == id }) else {
            throw OperationsError(.notFound, "there is no notification channel \(id)")
        }
        return found
    }

    private func view(_ settings: NotificationChannelSettings) -> NotificationChannel {
        var view = NotificationChannel(
            id: settings.id,
            name: settings.name,
            kind: settings.kind,
            source: settings.source
        )
        (view.enabled, view.events) = (settings.isEnabled, settings.events)
        (view.minSeverity, view.quietHours) = (settings.minSeverity, settings.quietHours)
        (view.dedupe, view.maxPerMinute) = (settings.dedupe.text, settings.maxPerMinute)
        view.version = settings.version
        let address = settings.address
        switch settings.kind {
        case .email:
            (view.smtpHost, view.smtpPort) = (address.smtpHost, address.smtpPort ?? 587)
            (view.smtpSecurity, view.smtpUser) = (address.smtpSecurity ?? .starttls, address.smtpUser)
            (view.fromEmail, view.toEmails) = (address.fromEmail, address.toEmails)
            view.hasSmtpPassword = address.smtpPassword != nil
        case .webhook, .dingtalk:
            view.webhookUrl = address.webhookUrl.flatMap { WebhookURL($0)?.shown }
            view.hasSecret = address.secret != nil
            if settings.kind == .webhook { view.headers = (address.headers ?? [:]).mapValues { _ in "••••" } }
        }
        guard let channel = gateway.notifier.channel(settings.id) else { return view }
        view.pending = channel.pending
        view.lastError = channel.lastError
        view.lastSentAt = channel.lastSentAt.map { Timestamp(microseconds: $0) }
        if channel.pace.failures > 0 || channel.lastError != nil {
            view.state = "failing"
            view.nextTryAt = channel.pending > 0 ? Timestamp(microseconds: channel.pace.retryAt) : nil
        } else if channel.pending > 0, channel.waitsUntil != nil || channel.isQuiet {
            view.state = "waiting"
        } else if channel.lastSentAt != nil {
            view.state = "ok"
        }
        return view
    }

    package func createNotificationChannel(
        _ draft: NotificationChannelDraft,
        by user: Operator
    ) async throws -> NotificationChannel {
        try user.require(.operator)
        var channel = NotificationChannelSettings(id: 0, name: draft.name, kind: draft.kind)
        channel.isEnabled = draft.enabled ?? true
        channel.events = draft.events ?? []
        channel.minSeverity = draft.minSeverity ?? .info
        channel.quietHours = draft.quietHours
        channel.dedupe = try Self.dedupe(draft.dedupe) ?? channel.dedupe
        channel.maxPerMinute = draft.maxPerMinute ?? channel.maxPerMinute
        channel.address = .init(draft)
        try NotificationChannelChecks.check(channel)
        let id = try channelStore.create(channel, by: user)
        return try await published(id)
    }

    package func changeNotificationChannel(
        _ id: Int,
        _ change: NotificationChannelChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> NotificationChannel {
        try user.require(.operator)
        try channelStore.change(id, ifVersion: ifVersion, file: fileChannels, by: user) { channel in
            guard channel.source == .database || change.isSwitchOnly else { throw Self.managedByFile }
            channel.name = change.name.applied(to: channel.name) ?? channel.name
            channel.isEnabled = change.enabled.applied(to: channel.isEnabled) ?? true
            channel.events = change.events.applied(to: channel.events) ?? []
            channel.minSeverity = change.minSeverity.applied(to: channel.minSeverity) ?? .info
            channel.quietHours = change.quietHours.applied(to: channel.quietHours)
            switch change.dedupe {
            case .keep: break
            case .clear: channel.dedupe = .seconds(300)
            case .set(let text): channel.dedupe = try Self.dedupe(text) ?? channel.dedupe
            }
            channel.maxPerMinute =
                change.maxPerMinute.applied(to: channel.maxPerMinute)
                ?? NotificationChannelSettings.defaultPerMinute(channel.kind)
            let before = channel.address
            channel.address.apply(change)
            if user.role < .admin { try before.keepSecrets(from: channel.address, change) }
            try NotificationChannelChecks.check(channel)
        }
        return try await published(id)
    }

    private static func dedupe(_ text: String?) throws(OperationsError) -> Duration? {
        guard let text else { return nil }
        guard let duration = Duration(text: text) else {
            throw OperationsError(.invalid, "must be a duration such as 5m", parameter: "dedupe")
        }
        return duration
    }

    package func deleteNotificationChannel(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try user.require(.operator)
        try channelStore.delete(id, ifVersion: ifVersion, file: fileChannels, by: user)
        try gateway.notifier.log.forget(channel: id)
        try gateway.publishNotificationChannels()
    }

    private func published(_ id: Int) async throws -> NotificationChannel {
        try gateway.publishNotificationChannels()
        return view(try settings(id))
    }

    package func testNotificationChannel(_ id: Int, by user: Operator) async throws -> NotificationRecord {
        try user.require(.operator)
        let record = try await gateway.notifier.test(try settings(id), by: user)
        try recordChange(by: user, action: "test", object: "notification_channel", id: id)
        return record
    }

    // MARK: History

    package func notificationHistory(
        _ query: NotificationQuery,
        by user: Operator
    ) async throws -> Page<NotificationRecord> {
        let before = try query.cursor.map(Cursor.number) ?? Int.max
        let items = try gateway.notifier.log.history(query, before: before)
        let next = items.count > query.limit ? Cursor.text(items[query.limit - 1].id) : nil
        return Page(items: Array(items.prefix(query.limit)), nextCursor: next)
    }

    package func resendNotification(_ id: Int, by user: Operator) async throws -> NotificationRecord {
        try user.require(.operator)
        let log = gateway.notifier.log
        guard let before = try log.record(id) else {
            throw OperationsError(.notFound, "there is no notification \(id)")
        }
        guard before.channelId.flatMap({ gateway.notifier.channel($0) }) != nil else {
            throw OperationsError(.conflict, "its channel is gone")
        }
        try log.resend(id)
        try recordChange(by: user, action: "resend", object: "notification", id: id)
        gateway.notifier.inbox.nudge()
        return try log.record(id) ?? before
    }

    // MARK: Templates

    package func notificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        by user: Operator
    ) async throws -> NotificationTemplate {
        if let channel { _ = try settings(channel) }
        let stored = try templateStore.find(event, channel: channel)
        let text = stored.map { ($0.title, $0.body) } ?? NotificationWords.template(event, composer.language)
        return template(event, channel, text, isDefault: stored == nil)
    }

    private var composer: MessageComposer {
        MessageComposer(
            language: gateway.configuration.notifications.language,
            zone: gateway.configuration.timeZone,
            host: gateway.hostName
        )
    }

    private func template(
        _ event: NotificationEvent,
        _ channel: Int?,
        _ text: (title: String, body: String),
        isDefault: Bool
    ) -> NotificationTemplate {
        var template = NotificationTemplate(
            event: event,
            channelId: channel,
            title: text.title,
            body: text.body,
            isDefault: isDefault
        )
        let entry = NotificationEntry(
            id: 0,
            event: event,
            subject: event.subject(event.example),
            data: event.example,
            at: WallClock.now().microseconds,
            count: 1
        )
        let preview = composer.text(entry, by: text)
        (template.previewTitle, template.preview) = (preview.title, preview.body)
        return template
    }

    package func changeNotificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        _ change: NotificationTemplateChange,
        by user: Operator
    ) async throws -> NotificationTemplate {
        try user.require(.operator)
        let now = try await notificationTemplate(event, channel: channel, by: user)
        var text = MessageText(title: now.title, body: now.body)
        if case .clear = change.body {
            if change.previewOnly != true {
                try templateStore.set(event, channel: channel, nil, by: user)
            }
            return try await notificationTemplate(event, channel: channel, by: user)
        }
        if case .set(let title) = change.title { text.title = title }
        if case .set(let body) = change.body { text.body = body }
        for (field, value) in [("title", text.title), ("body", text.body)] {
            if value.allSatisfy(\.isWhitespace) {
                throw OperationsError(.invalid, "must not be empty", parameter: field)
            }
            if let fault = TemplateText.fault(in: value, fields: now.fields) {
                throw OperationsError(.invalid, fault, parameter: field)
            }
        }
        if change.previewOnly == true {
            return template(event, channel, (text.title, text.body), isDefault: false)
        }
        try templateStore.set(event, channel: channel, text, by: user)
        return try await notificationTemplate(event, channel: channel, by: user)
    }
}

extension NotificationChannelChange {
    /// Whether it does no more than turn a channel on or off.
    fileprivate var isSwitchOnly: Bool {
        var rest = self
        rest.enabled = .keep
        return rest == NotificationChannelChange()
    }
}

extension NotificationChannelSettings.Address {
    init(_ draft: NotificationChannelDraft) {
        self.init()
        (smtpHost, smtpPort, smtpSecurity) = (draft.smtpHost, draft.smtpPort, draft.smtpSecurity)
        (smtpUser, smtpPassword) = (draft.smtpUser, draft.smtpPassword)
        (fromEmail, toEmails) = (draft.fromEmail, draft.toEmails)
        (webhookUrl, secret, headers) = (draft.webhookUrl, draft.secret, draft.headers)
    }

    mutating func apply(_ change: NotificationChannelChange) {
        smtpHost = change.smtpHost.applied(to: smtpHost)
        smtpPort = change.smtpPort.applied(to: smtpPort)
        smtpSecurity = change.smtpSecurity.applied(to: smtpSecurity)
        smtpUser = change.smtpUser.applied(to: smtpUser)
        smtpPassword = change.smtpPassword.applied(to: smtpPassword)
        fromEmail = change.fromEmail.applied(to: fromEmail)
        toEmails = change.toEmails.applied(to: toEmails)
        webhookUrl = change.webhookUrl.applied(to: webhookUrl)
        secret = change.secret.applied(to: secret)
        headers = change.headers.applied(to: headers)
    }

    /// Nobody who may not read a secret may have it sent elsewhere, and read it there.
    fileprivate func keepSecrets(from new: Self, _ change: NotificationChannelChange) throws(OperationsError)
    {
        let isSamePlace =
            smtpHost == new.smtpHost && smtpPort == new.smtpPort && smtpSecurity == new.smtpSecurity
            && webhookUrl == new.webhookUrl
        guard !isSamePlace else { return }
        let kept = [
            ("smtp_password", smtpPassword != nil && change.smtpPassword == .keep),
            ("secret", secret != nil && change.secret == .keep),
            ("headers", headers?.isEmpty == false && change.headers == .keep),
        ].first { $0.1 }
        guard let kept else { return }
        throw OperationsError(
            .invalid,
            "must be given again, or cleared, when the channel leads elsewhere; only admins may keep it",
            parameter: kept.0
        )
    }
}
