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
        /// What is told later, unless it is over by then.
        var isWaitingForLater = false
        var lastError: String?
        var lastSentAt: Int?
        /// nil while it is not waiting for anything but its turn.
        var waitsUntil: Int?
        var isQuiet = false
        /// What has come of its last message, while that cannot be written down.
        var late: Outcome?

        init(_ settings: NotificationChannelSettings) {
            self.settings = settings
            pace = ChannelPace(limit: settings.maxPerMinute)
        }
    }

    /// What has come of a message.
    struct Outcome: Sendable {
        var message: Int
        var outcome: DeliveryOutcome
        var isOver: Bool
        var began: Int
        var ended: Int
    }

    private static let tick = Duration.seconds(1)
    /// What comes in the meantime is written together.
    private static let turnPause = Duration.milliseconds(100)

    let inbox: NotificationInbox
    let log: NotificationLog
    private let watch: NotificationWatch
    private let sender: MessageSender
    private let settings: @Sendable () -> Configuration
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
        self.settings = settings
        self.logger = logger
        sender = MessageSender(
            templates: templates,
            transport: try CurlTransport(),
            settings: settings,
            host: host,
            logger: logger
        )
    }

    // MARK: Channels

    /// Takes the channels that there are from now on; what those that stay have shown is kept.
    func use(_ all: [NotificationChannelSettings]) {
        let isKnown = channels.withLock { channels in all.allSatisfy { channels[$0.id] != nil } }
        let lastSent = isKnown ? [:] : lastSent()
        channels.withLock { channels in
            let old = channels
            channels = Dictionary(
                uniqueKeysWithValues: all.map { settings in
                    guard var known = old[settings.id] else {
                        var new = Channel(settings)
                        new.lastSentAt = lastSent[settings.id]
                        return (settings.id, new)
                    }
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

    /// Of the time before this process.
    private func lastSent() -> [Int: Int] {
        do {
            return try log.lastSent()
        } catch {
            logger.error("the history of notifications cannot be read", metadata: ["reason": "\(error)"])
            return [:]
        }
    }

    /// Channels that cannot tell anybody anything, in the order of their names.
    var failing: [(name: String, reason: String)] {
        channels.withLock { channels in
            channels.values.compactMap { channel in
                channel.settings.isEnabled ? channel.lastError.map { (channel.settings.name, $0) } : nil
            }
        }.sorted { $0.name < $1.name }
    }

    func channel(_ id: Int) -> Channel? { channels.withLock { $0[id] } }

    // MARK: Running

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                group.addTask { await self.tickOn() }
                for await _ in inbox.arrivals {
                    if Task.isCancelled { break }
                    // What is over at once is no news; a cancelled sleep is the end of the loop.
                    try? await Task.sleep(for: Self.turnPause)
                    takeNews()
                    for channel in dueChannels() {
                        group.addTask { await self.deliver(channel) }
                    }
                }
                sender.transport.stop()
                group.cancelAll()
            }
        }
        // What came while everything ended is told at the next start.
        takeNews()
    }

    private func tickOn() async {
        while !Task.isCancelled {
            await watch.look(now: WallClock.now().microseconds)
            let isNeeded = channels.withLock { $0.values.contains { $0.pending > 0 || $0.isWaitingForLater } }
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
            // They are there: what fails from here on must not have them written twice.
            entries = []
            let waiting = try log.waiting(now: WallClock.now().microseconds)
            channels.withLock { channels in
                for id in channels.keys {
                    channels[id]?.pending = waiting[id]?.due ?? 0
                    channels[id]?.isWaitingForLater = waiting[id]?.later ?? 0 > 0
                }
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
        var hasMore = true
        defer {
            channels.withLock { $0[channel.id]?.isBusy = false }
            if hasMore { inbox.nudge() }
        }
        let began = WallClock.now().microseconds
        let (isQuiet, late) = channels.withLock { ($0[channel.id]?.isQuiet ?? false, $0[channel.id]?.late) }
        do {
            // It was told: before anything else is, that has to be known, or it would be told again and again.
            if let late { try write(late, channel) }
            let found = try log.message(
                for: channel.id,
                DigestPlan(channel.kind),
                critical: isQuiet,
                now: began
            )
            guard let message = found else {
                hasMore = await deliverUnwritten(channel, critical: isQuiet)
                return
            }
            let outcome = await send(message.entries, id: "\(message.id)", by: channel)
            // What the end of the gateway has cut off has not failed, and is sent at the next start.
            guard !Task.isCancelled || outcome.isDelivered else { return }
            let isOver = note(outcome, channel, messageAt: message.at)
            let end = WallClock.now().microseconds
            try write(
                Outcome(message: message.id, outcome: outcome, isOver: isOver, began: began, ended: end),
                channel
            )
        } catch {
            logger.error(
                "a message's outcome cannot be written down",
                metadata: ["channel": "\(channel.name)", "reason": "\(error)"]
            )
            // Else it would be sent again and again, as fast as it goes.
            _ = note(.unreachable("the history cannot be written"), channel, messageAt: began)
            _ = await deliverUnwritten(channel, critical: isQuiet)
        }
    }

    private func write(_ outcome: Outcome, _ channel: NotificationChannelSettings) throws {
        channels.withLock { $0[channel.id]?.late = outcome }
        try log.tried(
            outcome.message,
            outcome.outcome,
            isOver: outcome.isOver,
            began: outcome.began,
            now: outcome.ended
        )
        channels.withLock { $0[channel.id]?.late = nil }
    }

    /// What no database takes is told all the same, and only once.
    ///
    /// `critical`: only what is.
    /// - Returns: whether there was anything to tell.
    private func deliverUnwritten(_ channel: NotificationChannelSettings, critical: Bool) async -> Bool {
        let mine = unwritten.withLock { entries in
            entries.filter { entry in
                entry.channels.contains { $0.id == channel.id }
                    && (!critical || entry.news.place.event.severity == .critical)
            }
        }
        guard !mine.isEmpty else { return false }
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
        guard outcome.isDelivered else { return true }
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
        return true
    }

    private func send(
        _ entries: [NotificationEntry],
        id: String,
        by channel: NotificationChannelSettings
    ) async -> DeliveryOutcome {
        channels.withLock {
            $0[channel.id]?.pace.began(now: WallClock.now().microseconds, isDigest: entries.count > 1)
        }
        return await sender.send(entries, id: id, by: channel)
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
