import Operations

/// Does what the reducer wants of the gateway, and posts what comes of it.
final class PortFeed: Sendable {
    let port: any GatewayPort
    let user: Operator
    let mailbox: Mailbox
    private let themeFolders: [String]
    private let effects: AsyncStream<ConsoleEffect>
    private let continuation: AsyncStream<ConsoleEffect>.Continuation

    init(port: any GatewayPort, user: Operator, mailbox: Mailbox, themeFolders: [String]) {
        self.themeFolders = themeFolders
        self.port = port
        self.user = user
        self.mailbox = mailbox
        (effects, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1000))
    }

    func send(_ wanted: [ConsoleEffect]) {
        for effect in wanted {
            continuation.yield(effect)
        }
    }

    func finish() {
        continuation.finish()
    }

    /// Works until the console ends.
    func run() async {
        // A change that was decided on is made, also when the console is left before it is answered; one after the
        // other, since the next may stand on the one before.
        let (changes, continuation) = AsyncStream.makeStream(of: ConsoleEffect.self)
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await change in changes { await self.perform(change) }
            }
            await work(continuation)
            continuation.finish()
        }
    }

    private func work(_ changes: AsyncStream<ConsoleEffect>.Continuation) async {
        var live: Task<Void, Never>?
        var follow: Task<Void, Never>?
        var watch: Task<Void, Never>?
        await withDiscardingTaskGroup { group in
            for await effect in effects {
                switch effect {
                case .watchLive(let filter):
                    live?.cancel()
                    live = Task { await watchLive(filter) }
                case .followLogs(let watch):
                    follow?.cancel()
                    follow = watch.map { watch in Task { await followLogs(watch) } }
                case .watchExchange(let id):
                    watch?.cancel()
                    watch = id.map { id in Task { await watchExchange(id) } }
                case .change, .saveSettings: changes.yield(effect)
                default: group.addTask { await self.perform(effect) }
                }
            }
            live?.cancel()
            follow?.cancel()
            watch?.cancel()
            group.cancelAll()
        }
    }

    // MARK: What goes on

    private static let retryInterval = Duration.seconds(1)

    private func watchLive(_ filter: String) async {
        while !Task.isCancelled {
            do {
                for try await snapshot in try await port.live(filter: filter, by: user) {
                    mailbox.post(.live(snapshot))
                }
                if Task.isCancelled { return }
                mailbox.post(.outage("the gateway has closed the connection"))
            } catch {
                if Task.isCancelled { return }
                mailbox.post(.outage(Self.reason(error)))
            }
            // Cancelled sleep ends the loop above.
            try? await Task.sleep(for: Self.retryInterval)
        }
    }

    private static func rowsPerSecond(_ pace: LogWatch.Pace) -> Int {
        switch pace {
        // Enough for a screen that changes five times a second.
        case .full: 200
        // As many as the dashboard has room for.
        case .glance: 12
        }
    }

    private func followLogs(_ watch: LogWatch) async {
        while !Task.isCancelled {
            do {
                let batches = try await port.followLogs(
                    filter: watch.filter,
                    maxPerSecond: Self.rowsPerSecond(watch.pace),
                    by: user
                )
                mailbox.post(.following(watch))
                for try await batch in batches {
                    mailbox.post(.logBatch(batch, watch))
                }
            } catch {
                if Task.isCancelled { return }
                mailbox.post(.failed("the log is not followed: \(Self.reason(error))", what: .logs))
            }
            // Cancelled sleep ends the loop above.
            try? await Task.sleep(for: Self.retryInterval)
        }
    }

    private func watchExchange(_ id: Int) async {
        var reason: String?
        do {
            for try await piece in try await port.watch(exchange: id, by: user) {
                mailbox.post(.watched(id, piece))
            }
        } catch let error as OperationsError where error.code == .notFound {
            reason = "it had ended already; L finds it in the log"
        } catch {
            reason = Self.reason(error)
        }
        if !Task.isCancelled { mailbox.post(.watchOver(id, reason)) }
    }

    static func reason(_ error: any Error) -> String {
        (error as? OperationsError)?.description ?? "\(error)"
    }

    // MARK: What is asked once

    private func perform(_ effect: ConsoleEffect) async {
        do {
            switch effect {
            case .loadCharts(let request): try await loadCharts(request)
            case .loadStats(let filter): try await loadStats(filter)
            case .loadRecent(let filter):
                var query = LogQuery()
                query.filter = filter
                query.limit = 50
                mailbox.post(.recent(try await port.logs(query, by: user).items, filter: filter))
            case .loadLogs(let filter, let cursor, let time): try await loadLogs(filter, cursor, time)
            case .loadNewer(let filter, let time):
                var query = LogQuery()
                (query.filter, query.from, query.order) = (filter, time, .oldest)
                query.limit = LogsState.pageSize
                mailbox.post(.newer(try await port.logs(query, by: user).items, filter: filter, from: time))
            case .loadRecord(let id): await loadRecord(id)
            case .loadKeys: try await loadKeys()
            case .loadUsage(let keys): try await loadUsage(keys)
            case .loadPool:
                mailbox.post(.pool(try await port.upstreamKeys(upstream: nil, by: user).items))
            case .loadUpstreams: mailbox.post(.upstreams(try await port.upstreams(by: user).items))
            case .loadRules: mailbox.post(.rules(try await port.rules(by: user).items))
            case .loadHeaders:
                mailbox.post(.headers(try await port.headerRules(ofUpstream: nil, by: user).items))
            case .loadAlerts: try await loadAlerts()
            case .importKeys(let path, let options): await importKeys(path, options)
            case .backUp(let path, let log): await backUp(path, log: log)
            case .loadTemplate(let event):
                mailbox.post(.template(try await port.notificationTemplate(event, channel: nil, by: user)))
            case .runScript(let test, let number): await runScript(test, number)
            case .ask(let question): await ask(question)
            case .loadSystem: try await loadSystem()
            case .loadThemes: mailbox.post(ThemeLibrary(folders: themeFolders))
            case .change(let change):
                mailbox.post(.changed(await ChangeRunner(port: port, user: user).run(change)))
            case .saveSettings(let settings):
                try await port.saveSettings(try ConsoleJSON.text(settings), by: user)
            default: break
            }
        } catch {
            guard !(error is CancellationError) else { return }
            mailbox.post(.failed(Self.reason(error), what: Self.kind(effect)))
        }
    }

    private static func kind(_ effect: ConsoleEffect) -> ConsoleEvent.LoadKind {
        switch effect {
        case .loadCharts: .charts
        case .loadStats: .stats
        case .loadRecent: .recent
        case .loadLogs, .loadNewer: .logs
        case .loadKeys, .loadUsage: .keys
        case .loadPool: .pool
        case .loadUpstreams: .upstreams
        case .loadRules: .rules
        case .loadHeaders: .headers
        case .loadAlerts, .loadTemplate: .alerts
        case .loadSystem: .system
        default: .settings
        }
    }

    private func loadCharts(_ request: ChartRequest) async throws {
        var query = SeriesQuery()
        query.filter = request.filter
        let now = Int(Self.now())
        // A step that is not over would look like a collapse.
        let end = request.end ?? Timestamp(seconds: now - now % request.window.step)
        query.to = end
        query.from = end.advanced(by: .seconds(-request.window.seconds))
        query.step = request.window.step
        mailbox.post(.charts(try await port.charts(query, by: user), request))
    }

    private func loadStats(_ filter: String) async throws {
        var stats: [StatsGrouping: [StatsItem]] = [:]
        let from = Timestamp(seconds: Int(Self.now()) - 3600)
        for grouping in [StatsGrouping.clientKey, .owner, .upstream, .error] {
            stats[grouping] = try await port.stats(by: grouping, filter: filter, from: from, by: user).items
        }
        mailbox.post(.stats(stats, filter: filter))
    }

    private func loadLogs(_ filter: String, _ cursor: String?, _ time: Timestamp?) async throws {
        var query = LogQuery()
        query.filter = filter
        query.cursor = cursor
        query.to = time
        query.limit = LogsState.pageSize
        let page = try await port.logs(query, by: user)
        mailbox.post(
            .logs(
                LogPage(
                    records: page.items,
                    filter: filter,
                    asked: cursor,
                    cursor: page.nextCursor,
                    time: time
                )
            )
        )
    }

    private func loadRecord(_ id: Int) async {
        do {
            mailbox.post(.logDetail(id, .success(try await port.log(id, by: user))))
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            mailbox.post(.logDetail(id, .failure(refusal)))
        }
    }

    /// Keys in one list; with more of them the filter has to narrow.
    private static let keyLimit = 5000

    private func loadKeys() async throws {
        var query = ClientKeyQuery()
        query.limit = 1000
        var keys: [ClientKey] = []
        repeat {
            let page = try await port.clientKeys(query, by: user)
            keys += page.items
            query.cursor = page.nextCursor
        } while query.cursor != nil && keys.count < Self.keyLimit
        mailbox.post(.keys(keys, isComplete: query.cursor == nil))
        mailbox.post(.upstreams(try await port.upstreams(by: user).items))
    }

    private static let usageLimit = 40

    private func loadUsage(_ keys: [ClientKey]) async throws {
        var usage: [Int: KeyUsage] = [:]
        for key in keys.prefix(Self.usageLimit) {
            var query = SeriesQuery()
            query.filter = FilterText.client(key.name)
            query.to = Timestamp(seconds: Int(Self.now()))
            query.from = query.to?.advanced(by: .seconds(-86_400))
            query.step = 10_800
            let parts = try await port.series(query, by: user).points.map { $0.value ?? 0 }
            usage[key.id] = KeyUsage(today: Int(parts.reduce(0, +)), parts: Array(parts.suffix(8)))
        }
        mailbox.post(.usage(usage))
    }

    private func ask(_ question: ConsoleQuestion) async {
        do {
            let lines =
                switch question {
                case .upstream(let id, _):
                    ProbeLines.lines(try await port.testUpstream(id, path: nil, by: user), zone: Self.zone)
                case .upstreamKey(let id, _):
                    ProbeLines.lines(try await port.testUpstreamKey(id, path: nil, by: user), zone: Self.zone)
                case .channel(let id, _):
                    AlertsView.details(
                        try await port.testNotificationChannel(id, by: user),
                        width: Self.detailWidth
                    )
                case .template(let event):
                    AlertsView.lines(try await port.notificationTemplate(event, channel: nil, by: user))
                case .rules(let test, let what):
                    RulesView.lines(try await port.testRules(test, by: user), of: what)
                }
            mailbox.post(.told(question, .success(lines)))
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            mailbox.post(.told(question, .failure(refusal)))
        }
    }

    private func runScript(_ test: ScriptTest, _ number: Int) async {
        do {
            mailbox.post(.ran(.success(try await port.testScript(test, by: user)), number: number))
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            mailbox.post(.ran(.failure(refusal), number: number))
        }
    }

    private static var zone: Int { WallTime.secondsEastOfUTC() }

    /// Of what is told of a test, on any screen.
    private static let detailWidth = 68
    private static let historyLimit = 200

    private func loadAlerts() async throws {
        mailbox.post(.channels(try await port.notificationChannels(by: user).items))
        mailbox.post(.tasks(try await port.tasks(by: user).items))
        var query = NotificationQuery()
        query.limit = Self.historyLimit
        mailbox.post(.notifications(try await port.notificationHistory(query, by: user).items))
    }

    private func loadSystem() async throws {
        mailbox.post(.status(try await port.status(by: user)))
        mailbox.post(.operators(try await port.operators(by: user).items))
        mailbox.post(.changes(try await port.operatorChanges(limit: 200, cursor: nil, by: user).items))
    }

    private static func now() -> Int64 {
        WallTime.seconds()
    }
}
