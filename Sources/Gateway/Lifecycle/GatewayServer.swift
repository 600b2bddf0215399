import GRDB
package import Logging
import NIOCore
package import Operations
package import ServiceLifecycle
import Synchronization

/// What `serve` decides before anything is opened.
package struct GatewayOptions: Sendable {
    package var configurationFile: String?
    package var environment: [String: String]
    package var dataPath: String?
    package var configuration: Configuration

    package init(configuration: Configuration, environment: [String: String]) {
        self.configuration = configuration
        self.environment = environment
    }

    /// nil when the environment holds the master key.
    func masterKeyFile(_ directory: DataDirectory) -> MasterKeyFile? {
        guard environment["FASTGATE_MASTER_KEY"] == nil else { return nil }
        return MasterKeyFile(path: configuration.storage.masterKeyFile ?? directory.masterKeyFile)
    }
}

/// The whole gateway behind one start and one end.
package final class GatewayServer: Service {
    package let directory: DataDirectory
    package let port: Int
    package let startedAt = Timestamp(microseconds: WallClock.now().microseconds)
    let options: GatewayOptions
    let logger: Logger
    let store: Store
    let masterKey: MasterKey
    let plane: DataPlaneService
    let snapshots: SnapshotPublisher
    let keyCounters = CounterRegistry()
    let keeper: PoolKeeper
    let pools: PoolRegistry
    let limiter: Limiter
    let notifier: Notifier
    let hostName: String
    let audit: AuditService
    let telemetry: TelemetryService
    let figures = FigureCache()
    let stats = CostCache<[StatsGrouping: [StatsItem]]>()
    let charts = CostCache<[Int: TrafficCell]>()
    let presence = PresenceList()
    let live = LiveHub()
    let probes = HealthProbes()
    let imports = ImportJobs()
    let backups = BackupTurns()
    let scheduler: Scheduler
    let scripts: ScriptPool
    let headerRules = HeaderRuleRegistry()
    private let listener: Listener

    /// Opens the data directory, recovers what a crash left, and binds the callers' port.
    ///
    /// - Throws: `StartFailure` or `SystemError` with one line that says what is wrong.
    package init(_ options: GatewayOptions, logger: Logger) async throws {
        self.options = options
        self.logger = logger
        let configuration = options.configuration
        directory = try DataDirectory(path: options.dataPath ?? configuration.storage.path)
        directory.holdTemporaryFiles()
        store = try Store.open(directory)
        masterKey = try Self.masterKey(options, directory, store)
        try UpstreamStore(database: store.database).fillDigests(masterKey)
        keeper = PoolKeeper(
            store: UpstreamStore(database: store.database),
            rules: RuleStore(database: store.database),
            logger: logger
        )
        let inbox = NotificationInbox()
        limiter = try Limiter(path: directory.limitsFile, zone: configuration.timeZone, inbox: inbox)
        let news = PoolNews(inbox: inbox)
        pools = PoolRegistry(keeper: keeper, limiter: limiter, news: news)
        let builder = SnapshotBuilder(
            store: store,
            masterKey: masterKey,
            counters: keyCounters,
            pools: pools,
            limiter: limiter,
            headerRules: headerRules,
            logger: logger
        )
        try UpstreamStore(database: store.database).adopt(configuration.upstreams, masterKey)
        try news.remember(UpstreamStore(database: store.database).all())
        let snapshot = try builder.build(configuration)
        let loops = DataPlaneService.loopCount(configuration.server.workers)
        audit = try AuditService(directory, configuration.audit, loops: loops, logger: logger)
        telemetry = TelemetryService(
            telemetry: Telemetry(),
            store: try TelemetryStore(path: directory.telemetryDatabase),
            clientKeys: ClientKeyStore(database: store.database),
            logger: logger
        )
        scripts = try await ScriptPool(ScriptPool.Settings(configuration, directory, logger: logger))
        plane = try await DataPlaneService(
            snapshot: snapshot,
            counters: SharedCounters(after: try audit.files.lastID()),
            recorders: audit.recorders(loops: loops, configuration.audit, telemetry.telemetry),
            limiter: limiter,
            scripts: scripts
        )
        let snapshots = SnapshotPublisher(snapshot, builder: builder, plane: plane)
        self.snapshots = snapshots
        hostName = ProcessFacts.hostName()
        notifier = try Self.makeNotifier(inbox, directory, store, audit, snapshots, hostName, logger)
        let tasks = HouseTasks(
            audit: audit,
            limiter: limiter,
            pools: pools,
            probes: probes,
            snapshots: snapshots,
            notifications: notifier.log,
            database: store.database
        )
        let taskStore = TaskStore(database: store.database)
        scheduler = try Scheduler(tasks.all, store: taskStore, logger: logger)
        do {
            listener = try await plane.listen(configuration)
        } catch let error as OperationsError {
            throw StartFailure(error.message)
        } catch {
            let reason =
                (error as? IOError).map { SystemError("bind", code: $0.errnoCode).reason } ?? "\(error)"
            throw StartFailure(
                "cannot listen on \(configuration.server.host):\(configuration.server.port): \(reason)"
            )
        }
        port = listener.port
        try publishNotificationChannels()
    }

    private static func masterKey(
        _ options: GatewayOptions,
        _ directory: DataDirectory,
        _ store: Store
    ) throws -> MasterKey {
        let file = options.masterKeyFile(directory)
        try file?.recover { try store.isSealed(by: $0) }
        let key = try MasterKeySource.load(
            environment: options.environment["FASTGATE_MASTER_KEY"],
            file: file?.path ?? directory.masterKeyFile,
            mayCreate: try !store.hasSealedValues()
        )
        try store.verify(key)
        return key
    }

    private static func makeNotifier(
        _ inbox: NotificationInbox,
        _ directory: DataDirectory,
        _ store: Store,
        _ audit: AuditService,
        _ snapshots: SnapshotPublisher,
        _ hostName: String,
        _ logger: Logger
    ) throws -> Notifier {
        let keys = ClientKeyStore(database: store.database)
        let watch = NotificationWatch(inbox: inbox) {
            snapshots.upstreams
        } clientKeyName: { id in
            // A name is no more than a comfort: without one the id is told.
            (try? keys.find([id]))?[id]?.key.name
        } audit: {
            let dropped = audit.counters.dropped.load(ordering: .relaxed)
            return .init(trouble: await audit.writer.trouble, dropped: dropped)
        }
        return try Notifier(
            inbox: inbox,
            log: try NotificationLog(path: directory.notificationsDatabase),
            watch: watch,
            templates: NotificationTemplateStore(database: store.database),
            settings: { snapshots.configuration },
            host: hostName,
            logger: logger
        )
    }

    /// Brings the notifier up to what file and database say of channels.
    func publishNotificationChannels() throws {
        let channels = NotificationChannelStore(database: store.database, masterKey: masterKey)
        let file = configuration.notifications.channels
        try channels.adopt(file)
        notifier.use(try channels.all(file: file))
    }

    /// From here on `/health` says so: recovery is done and every listener is bound.
    package func becomeHealthy() async {
        plane.counters.isHealthy.store(true, ordering: .releasing)
    }

    package var configuration: Configuration { snapshots.configuration }

    /// Serves until a graceful shutdown, then drains and flushes.
    package func run() async throws {
        try await ServiceLifecycle.gracefulShutdown()
        logger.info("draining", metadata: ["limit": "\(configuration.limits.drainTimeout.text)"])
        plane.counters.isDraining.store(true, ordering: .relaxed)
        listener.channel.close(promise: nil)
        try await plane.drain(within: configuration.limits.drainTimeout)
        try await plane.handOff()
        audit.files.searches.turnOff()
        await audit.writer.finish()
        telemetry.flush()
        keeper.write()
        logger.info("drained")
    }

    /// Ends the loops, once no operator can ask them anything any more.
    package func close() async throws {
        try await plane.stop()
        try await scripts.stop()
        // Closing brings each write-ahead log into its database.
        try audit.files.close()
        try telemetry.store.close()
        try notifier.log.close()
        try store.database.close()
    }

    /// What runs beside the data plane, and must end after it.
    package var services: [any Service] {
        [telemetry, audit, keeper, notifier, LimitKeeper(limiter: limiter, logger: logger), scheduler]
    }

    /// Reads the file again; an invalid one changes nothing.
    package func reload() async throws {
        guard let file = options.configurationFile else {
            throw OperationsError(.conflict, "the gateway was started without a configuration file")
        }
        let (before, after) = try await snapshots.reload { [self] in
            let loaded = try ConfigurationLoader.load(file: file, environment: options.environment)
                .configuration
            let certificate = try Listener.certificate(loaded.server)
            try UpstreamStore(database: store.database).adopt(loaded.upstreams, masterKey)
            return (loaded, certificate)
        } install: { [self] certificate in
            listener.renew(certificate)
        }
        try publishNotificationChannels()
        for section in before.sectionsThatNeedRestart(comparedTo: after) {
            logger.warning(
                "this section has changed and takes effect at the next start",
                metadata: ["section": "\(section)"]
            )
        }
        logger.info("reloaded", metadata: ["file": "\(file)"])
    }
}
