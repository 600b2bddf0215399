import Logging
import Operations

/// Puts the words of a message together, and hands it over.
struct MessageSender: Sendable {
    let templates: NotificationTemplateStore
    let transport: CurlTransport
    let settings: @Sendable () -> Configuration
    let host: String
    let logger: Logger

    func send(
        _ entries: [NotificationEntry],
        id: String,
        by channel: NotificationChannelSettings
    ) async -> DeliveryOutcome {
        guard let first = entries.first else { return .hopeless("nothing is left of it") }
        let configuration = settings()
        let composer = MessageComposer(
            language: configuration.notifications.language,
            zone: configuration.timeZone,
            host: host
        )
        let text =
            entries.count == 1
            ? composer.text(first, by: template(first.event, channel.id, composer.language))
            : composer.digest(entries)
        let request = DeliveryRequest(
            channel: channel,
            entries: entries,
            text: text,
            messageID: "\(id).\(first.at)",
            host: host,
            now: Timestamp(microseconds: WallClock.now().microseconds)
        ).request(
            allowed: configuration.notifications.allowAddresses,
            caFile: configuration.notifications.caFile
        )
        return DeliveryOutcome(channel.kind, await transport.perform(request))
    }

    /// The channel's text for an event; the one that ships where the database cannot be asked.
    private func template(
        _ event: NotificationEvent,
        _ channel: Int,
        _ language: NotificationLanguage
    ) -> (title: String, body: String) {
        do {
            if let own = try templates.find(event, channel: channel) { return (own.title, own.body) }
        } catch {
            logger.error("templates cannot be read", metadata: ["reason": "\(error)"])
        }
        return NotificationWords.template(event, language)
    }
}
