import Logging
import ServiceLifecycle

/// The audit as a whole: journal, writer, files, and what is dropped when.
final class AuditService: Service {
    let files: AuditFiles
    let counters = AuditCounters()
    let tail = AuditTail()
    let writer: AuditWriter
    private let lanes: [JournalLane]
    private let logger: Logger

    /// Recovers a journal that a crash left, then begins a new one.
    init(_ directory: DataDirectory, _ settings: Configuration.Audit, loops: Int, logger: Logger) throws {
        self.logger = logger
        try directory.makeFolder(directory.auditFolder)
        try directory.makeFolder(directory.journalFolder)
        files = try AuditFiles(folder: directory.auditFolder, settings: settings, logger: logger)
        let recovery = JournalRecovery(folder: directory.journalFolder, files: files, logger: logger)
        let found = try recovery.run()
        if found.complete + found.interrupted > 0 {
            logger.notice(
                "recovered the journal of a process that did not end cleanly",
                metadata: ["complete": "\(found.complete)", "interrupted": "\(found.interrupted)"]
            )
        }
        let boot = max(WallClock.now().seconds, recovery.lastNumber)
        lanes =
            settings.mode == .off
            ? []
            : try (0..<loops).map { try JournalLane(folder: directory.journalFolder, loop: $0, boot: boot) }
        writer = AuditWriter(lanes: lanes, files: files, counters: counters, tail: tail, logger: logger)
    }

    func recorders(loops: Int, _ settings: Configuration.Audit, _ telemetry: Telemetry) -> [Recorder.Parts] {
        (0..<loops).map { loop in
            Recorder.Parts(
                lane: settings.mode == .off ? nil : lanes[loop],
                counters: counters,
                isStrict: settings.mode == .strict,
                telemetry: telemetry
            )
        }
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.writer.run() }
            tasks.addTask { await cancelWhenGracefulShutdown { await self.files.verify() } }
            try await tasks.waitForAll()
        }
    }

    /// - Returns: the files that were dropped.
    func retain() -> [String] {
        let dropped = files.drop(now: WallClock.now().microseconds)
        for path in dropped {
            logger.info("retention dropped an audit file", metadata: ["file": "\(path)"])
        }
        return dropped
    }

    /// Bytes of journal and databases.
    var diskSize: Int { files.size }
}
