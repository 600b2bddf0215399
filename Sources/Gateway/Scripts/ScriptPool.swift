import Logging
import NIOCore
import NIOPosix
import Operations

/// Runs scripts in jailed processes: those of operators here, those of header rules by a crew on each loop of the data plane.
///
/// Nothing waits for a script but who has asked for it, by callback.
final class ScriptPool: Sendable {
    struct Settings: Sendable {
        var programs: ScriptPrograms
        /// Of each language, on each event loop.
        var workers: Int
        var timeout: Duration
        /// What a worker may hold in memory, in bytes.
        var maxMemory: Int
        /// Runs scripts without a jail: the operator's own decision.
        var isInsecure: Bool
        var timeZone: String
        /// Whether a worker that gives way can be given ordinary turns again.
        var canComeBack: Bool
        /// Files that the jail must keep workers from.
        var secrets: [String]
        let counters = ScriptCounters()
        /// Told when workers of a language do not start.
        var report: @Sendable (ScriptLanguage, String) -> Void
        /// Told when a header begins to fail, or does no more; what a script says may hold secrets, and stays out.
        var reportHeader: @Sendable (_ rule: HeaderRuleEntry, _ isFailing: Bool) -> Void = { _, _ in }
    }

    let settings: Settings
    private let group: MultiThreadedEventLoopGroup
    /// Its thread lives as long as the process.
    let loop: any EventLoop
    private let crew: NIOLoopBound<ScriptCrew>

    init(_ settings: Settings) async throws {
        self.settings = settings
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        self.loop = loop
        crew = try await loop.submit {
            NIOLoopBound(ScriptCrew(settings, on: loop, spawner: loop), eventLoop: loop)
        }.get()
    }

    func submit(_ job: ScriptJob) {
        loop.execute { [crew] in crew.value.submit(job) }
    }

    /// The same for who can wait.
    func run(
        _ language: ScriptLanguage,
        _ source: String,
        context: String,
        limit: Duration
    ) async -> ScriptOutcome {
        await withCheckedContinuation { continuation in
            submit(
                ScriptJob(
                    language: language,
                    source: source,
                    context: context,
                    limit: TimeAmount(limit),
                    wantsMemory: true
                ) { continuation.resume(returning: $0) }
            )
        }
    }

    /// Nothing runs meanwhile that a caller waits for, and the first worker may have to be started.
    private static let checkTime = Duration.seconds(10)

    /// Whether a script holds, without running it: a value when it does.
    func check(_ language: ScriptLanguage, _ source: String) async -> ScriptOutcome {
        await withCheckedContinuation { continuation in
            submit(
                ScriptJob(
                    language: language,
                    source: source,
                    context: "{}",
                    limit: TimeAmount(max(settings.timeout, Self.checkTime)),
                    isCheck: true
                ) { continuation.resume(returning: $0) }
            )
        }
    }

    /// Ends every worker; nothing runs afterwards.
    func stop() async throws {
        loop.execute { [crew] in crew.value.stop() }
        try await group.shutdownGracefully()
    }
}

extension ScriptPool.Settings {
    init(_ configuration: Configuration, _ directory: DataDirectory, logger: Logger) {
        self.init(
            programs: ScriptPrograms(
                executable: ScriptPrograms.ownPath(),
                python: configuration.scripts.python
            ),
            workers: configuration.scripts.workers,
            timeout: configuration.scripts.timeout,
            maxMemory: configuration.scripts.maxMemory.bytes,
            isInsecure: configuration.scripts.insecure,
            timeZone: configuration.timeZone,
            canComeBack: SchedulingProbe.canComeBack(),
            secrets: [
                directory.configurationDatabase,
                configuration.storage.masterKeyFile ?? directory.masterKeyFile,
                directory.adminTokenFile, "/etc/shadow",
            ]
        ) { language, reason in
            logger.error(
                "scripts cannot run",
                metadata: ["language": "\(language.rawValue)", "reason": "\(reason)"]
            )
        }
        reportHeader = { rule, isFailing in
            let metadata: Logger.Metadata = ["header": "\(rule.name)", "rule": "\(rule.id)"]
            if isFailing {
                logger.warning(
                    "the script of a header keeps failing; `fastgate headers` says why",
                    metadata: metadata
                )
            } else {
                logger.info("the script of a header does its work again", metadata: metadata)
            }
        }
    }
}
