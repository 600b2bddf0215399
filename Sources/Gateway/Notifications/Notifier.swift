import Logging
import Operations
import ServiceLifecycle
import Synchronization

/// Tells people what happens: takes news, writes them down, and hands messages over, one at a time for each channel.
///
/// Nothing of the data plane ever waits for it: news lie in the `NotificationInbox`, messages in the `NotificationLog`.
final class Notifier: Service {
    /// What a channel is like, and how it has been doing.
    struct Channel: Sendable {
        var settings: NotificationChannelSettings
        var pace: ChannelPace
        var isBusy = false
        var pending = 0
        var lastError: String?
        var lastSentAt: Int?
        /// nil while it is not waiting for anything but its turn.
        var waitsUntil: Int?
        var isQuiet = false

        init(_ settings: NotificationChannelSettings) {
            self.settings = settings
            pace = ChannelPace(limit: settings.maxPerMinute)
        }
    }

    private static let tick = Duration.seconds(1)
    /// What comes in the meantime is written together.
    private static let turnPause = Duration.milliseconds(100)

    let inbox: NotificationInbox
    let log: NotificationLog
    private let watch: NotificationWatch
    private let templates: NotificationTemplateStore
    private let transport: CurlTransport
    private let settings: @Sendable () -> Configuration
    private let host: String
    private let logger: Logger
    private let channels = Mutex<[Int: Channel]>([:])
    /// News that could not be written down.
    private let unwritten = Mutex<[NotificationLog.Entry]>([])

    init(
        inbox: NotificationInbox,
        log: NotificationLog,
        watch: NotificationWatch,
        templates: NotificationTemplateStore,
        settings: @escaping @Sendable () -> Configuration,
        host: String,
        logger: Logger
    ) throws {
        self.inbox = inbox
        self.log = log
        self.watch = watch
        self.templates = templates
        self.settings = settings
        self.host = host
        self.logger = logger
        transport = try CurlTransport()
    }

    // MARK: Channels

    /// Takes the channels that there are from now on; what those that stay have shown is kept.
    func use(_ all: [NotificationChannelSettings]) {
        channels.withLock { channels in
            let old = channels
            channels = Dictionary(
                uniqueKeysWithValues: all.map { settings in
                    guard var known = old[settings.id] else { return (settings.id, Channel(settings)) }
                    if known.settings != settings {
                        known.pace = ChannelPace(limit: settings.maxPerMinute)
                        known.lastError = nil
                    }
                    known.settings = settings
                    return (settings.id, known)
                }
            )
        }
        inbox.nudge()
    }

    func channel(_ id: Int) -> Channel? { channels.withLock { $0[id] } }

    // MARK: Running

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                group.addTask { await self.tickOn() }
                for await _ in inbox.arrivals {
                    if Task.isCancelled { break }
                    takeNews()
                    for channel in dueChannels() {
                        group.addTask { await self.deliver(channel) }
                    }
                    // A cancelled sleep is the end of the loop.
                    try? await Task.sleep(for: Self.turnPause)
                }
                transport.stop()
                group.cancelAll()
            }
        }
        // What came while everything ended is told at the next start.
        takeNews()
    }

    private func tickOn() async {
        while !Task.isCancelled {
            await watch.look(now: WallClock.now().microseconds)
            let isNeeded = channels.withLock { $0.values.contains { $0.pending > 0 } }
            if isNeeded || !unwritten.withLock(\.isEmpty) { inbox.nudge() }
            // A cancelled sleep is the end of the loop.
            try? await Task.sleep(for: Self.tick)
        }
        inbox.nudge()
    }

    private func takeNews() {
        let (news, lost) = inbox.take()
        if lost > 0 {
            logger.error("too much happened at once to tell of all of it", metadata: ["lost": "\(lost)"])
        }
        let wanted = channels.withLock { $0.values.map(\.settings).sorted { $0.id < $1.id } }
        var entries = unwritten.withLock { entries in
            defer { entries = [] }
            return entries
        }
        entries += news.map { watch.described($0) }.map { news in
            NotificationLog.Entry(
                news: news,
                subject: news.place.event.subject(news.data),
                channels: wanted.filter { $0.wants(news.place.event) }
            )
        }
        do {
            if !entries.isEmpty { try log.add(entries, now: WallClock.now().microseconds) }
            let waiting = try log.waiting()
            channels.withLock { channels in
                for id in channels.keys { channels[id]?.pending = waiting[id] ?? 0 }
            }
        } catch {
            logger.error("notifications cannot be written down", metadata: ["reason": "\(error)"])
            keep(entries)
        }
    }

    /// A full disk is what people have to be told of most.
    private func keep(_ entries: [NotificationLog.Entry]) {
        unwritten.withLock { kept in
            kept = Array((entries + kept).prefix(NotificationLog.queueLimit))
        }
    }

    // MARK: Messages

    private func dueChannels() -> [NotificationChannelSettings] {
        let now = WallClock.now().microseconds
        let zone = settings().timeZone
        let minute = ZoneTime.minuteOfDay(in: zone, at: now)
        let untold = unwritten.withLock { Set($0.flatMap { $0.channels.map(\.id) }) }
        return channels.withLock { channels in
            channels.values.compactMap { channel -> NotificationChannelSettings? in
                let id = channel.settings.id
                let waiting = channel.pending + (untold.contains(id) ? 1 : 0)
                guard channel.settings.isEnabled, !channel.isBusy, waiting > 0 else { return nil }
                channels[id]?.isQuiet =
                    QuietTime(channel.settings.quietHours)?.contains(minute: minute) ?? false
                let at = channel.pace.mayGo(DigestPlan(channel.settings.kind), waiting: waiting)
                channels[id]?.waitsUntil = at > now ? at : nil
                guard at <= now else { return nil }
                channels[id]?.isBusy = true
                return channel.settings
            }
        }
    }

    private func deliver(_ channel: NotificationChannelSettings) async {
        defer {
            channels.withLock { $0[channel.id]?.isBusy = false }
            inbox.nudge()
        }
        let began = WallClock.now().microseconds
        let isQuiet = channels.withLock { $0[channel.id]?.isQuiet ?? false }
        do {
            let found = try log.message(
                for: channel.id,
                DigestPlan(channel.kind),
                critical: isQuiet,
                now: began
            )
            guard let message = found else { return await deliverUnwritten(channel) }
            let outcome = await send(message.entries, id: "\(message.id)", by: channel)
            // What the end of the gateway has cut off has not failed, and is sent at the next start.
            guard !Task.isCancelled || outcome.isDelivered else { return }
            let isOver = note(outcome, channel, messageAt: message.at)
            try log.tried(
                message.id,
                outcome,
                isOver: isOver,
                began: began,
                now: WallClock.now().microseconds
            )
        } catch {
            logger.error(
                "a message's outcome cannot be written down",
                metadata: ["channel": "\(channel.name)", "reason": "\(error)"]
            )
            // Else it would be sent again and again, as fast as it goes.
            _ = note(.unreachable("the history cannot be written"), channel, messageAt: began)
        }
    }

    /// What no database takes is told all the same, and only once.
    private func deliverUnwritten(_ channel: NotificationChannelSettings) async {
        let mine = unwritten.withLock { $0.filter { $0.channels.contains { $0.id == channel.id } } }
        guard !mine.isEmpty else { return }
        let entries = mine.map { entry in
            NotificationEntry(
                id: 0,
                event: entry.news.place.event,
                subject: entry.subject,
                data: entry.news.data,
                at: entry.news.first,
                count: entry.news.count
            )
        }
        let now = WallClock.now().microseconds
        let outcome = await send(entries, id: "unwritten-\(now)", by: channel)
        _ = note(outcome, channel, messageAt: now)
        guard outcome.isDelivered else { return }
        logger.warning(
            "told without being written down",
            metadata: ["channel": "\(channel.name)", "events": "\(mine.count)"]
        )
        let told = Set(mine.map(\.news.place))
        unwritten.withLock { kept in
            for index in kept.indices where told.contains(kept[index].news.place) {
                kept[index].channels.removeAll { $0.id == channel.id }
            }
            kept.removeAll { $0.channels.isEmpty }
        }
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

    private func send(
        _ entries: [NotificationEntry],
        id: String,
        by channel: NotificationChannelSettings
    ) async -> DeliveryOutcome {
        guard !entries.isEmpty else { return .hopeless("nothing is left of it") }
        channels.withLock {
            $0[channel.id]?.pace.began(now: WallClock.now().microseconds, isDigest: entries.count > 1)
        }
        let configuration = settings()
        let composer = MessageComposer(
            language: configuration.notifications.language,
            zone: configuration.timeZone,
            host: host
        )
        let text: MessageText
        if entries.count == 1 {
            text = composer.text(
                entries[0],
                by: template(entries[0].event, channel.id, composer.language)
            )
        } else {
            text = composer.digest(entries)
        }
        let request = DeliveryRequest(
            channel: channel,
            entries: entries,
            text: text,
            messageID: "\(id).\(entries[0].at)",
            host: host,
            now: Timestamp(microseconds: WallClock.now().microseconds)
        ).request(
            allowed: configuration.notifications.allowAddresses,
            caFile: configuration.notifications.caFile
        )
        return DeliveryOutcome(channel.kind, await transport.perform(request))
    }

    /// - Returns: whether the message is not tried any more.
    private func note(
        _ outcome: DeliveryOutcome,
        _ channel: NotificationChannelSettings,
        messageAt: Int
    ) -> Bool {
        let now = WallClock.now().microseconds
        let (isOver, isFirst) = channels.withLock { channels in
            guard var state = channels[channel.id] else { return (false, false) }
            let isFirst = state.pace.failures == 0
            var isOver = false
            if outcome.isDelivered {
                state.pace.delivered()
                (state.lastError, state.lastSentAt) = (nil, now)
            } else {
                let verdict = state.pace.failed(
                    outcome,
                    messageAt: messageAt,
                    now: now,
                    jitter: .random(in: 0...1)
                )
                state.lastError = outcome.detail
                isOver = verdict == .giveUp
            }
            channels[channel.id] = state
            return (isOver, isFirst && !outcome.isDelivered)
        }
        if isFirst || isOver {
            logger.warning(
                isOver ? "a notification was given up" : "a notification channel fails; it is tried again",
                metadata: ["channel": "\(channel.name)", "reason": "\(outcome.detail)"]
            )
        }
        return isOver
    }

    // MARK: Operators

    /// Sends a test now, whatever waits, and writes it down.
    func test(_ channel: NotificationChannelSettings, by user: Operator) async throws -> NotificationRecord {
        let now = WallClock.now().microseconds
        let place = NotificationInbox.Place(event: .test, id: channel.id, detail: "\(now)")
        let data = [
            "operator": user.name, "channel": channel.name, "reason": "sent by \(user.name) to try it",
        ]
        let news = NotificationInbox.News(place: place, data: data, first: now, last: now)
        let message = try log.begin(test: news, on: channel)
        let outcome = await send(message.entries, id: "\(message.id)", by: channel)
        let end = WallClock.now().microseconds
        try log.tried(message.id, outcome, isOver: true, began: now, now: end)
        channels.withLock { channels in
            guard outcome.isDelivered else {
                channels[channel.id]?.lastError = outcome.detail
                return
            }
            // What kept it from sending is over.
            channels[channel.id]?.pace.forgive()
            channels[channel.id]?.lastError = nil
            channels[channel.id]?.lastSentAt = end
        }
        inbox.nudge()
        guard let record = try message.entries.first.flatMap({ try log.record($0.id) }) else {
            throw OperationsError(.internalError, "the test was not written down")
        }
        return record
    }
}
