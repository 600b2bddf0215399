import GRDB
import Logging
import Operations
import ServiceLifecycle
import Synchronization

/// Brings the journal into SQLite: one writer, large transactions, on a thread of its own.
actor AuditWriter: Service {
    static let interval = Duration.milliseconds(100)
    /// Records of one transaction at most; a longer backlog takes several.
    private static let batchLimit = 1000
    /// With more segments than this waiting in a lane, the audit takes ordinary turns with the loops.
    private static let politeSegments = 2

    nonisolated let unownedExecutor: UnownedSerialExecutor
    nonisolated let executor: AuditExecutor
    private let lanes: [JournalLane]
    private let files: AuditFiles
    private let counters: AuditCounters
    private let tail: AuditTail
    private let logger: Logger
    private var sink: AuditSink?
    private var sinkFiles: (rows: AuditFile, bodies: AuditFile)?
    /// Starts whose end has not been read, by id.
    private var open: [Int: OpenStart] = [:]
    /// The file before the current one, until its open rows stand in the current one.
    private var oldRows: AuditFile?
    private var failure: String?
    private var nextDrop = ContinuousClock.now

    private struct OpenStart {
        /// Copied out of the journal, whose segments are reused.
        let bytes: [UInt8]
        /// Whether the row is in the database as one that was interrupted, should the process die.
        var isSecured = false
    }

    init(
        lanes: [JournalLane],
        files: AuditFiles,
        counters: AuditCounters,
        tail: AuditTail,
        logger: Logger
    ) {
        executor = AuditExecutor()
        unownedExecutor = executor.asUnownedSerialExecutor()
        self.lanes = lanes
        self.files = files
        self.counters = counters
        self.tail = tail
        self.logger = logger
    }

    /// Why records wait in the journal instead of being written; nil when they do not.
    var trouble: String? { failure ?? lanes.lazy.compactMap { $0.failure?.description }.first }

    nonisolated func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // A cancelled sleep is the end of the loop.
                try? await Task.sleep(for: Self.interval)
                await self.drain()
            }
        }
    }

    /// Writes everything that is in the journal; what fails stays there for the next time.
    func drain() {
        for lane in lanes {
            repeat {
                executor.takeTurns(lane.segments.count > Self.politeSegments)
            } while drainBatch(of: lane)
        }
    }

    /// Empties the segments in which nothing is written any more: all that they held is in the database then.
    ///
    /// - Throws: `OperationsError` while the audit cannot be written.
    func emptyJournal() throws {
        drain()
        for lane in lanes {
            drainBatch(of: lane, empties: true)
            guard failure == nil, lane.segments.count == 1 else {
                throw OperationsError(
                    .unavailable,
                    "the audit cannot be written: \(failure ?? "records wait in the journal"); purge again"
                )
            }
            lane.forgetFree()
            lane.prepareSpare()
        }
    }

    /// The end: nothing is left in the journal, so its files can go.
    func finish() {
        drain()
        // The statements must be gone before the files can be closed.
        defer { sink = nil }
        guard failure == nil, open.isEmpty else { return }
        for lane in lanes {
            lane.removeFiles()
        }
    }

    // MARK: One batch

    /// True when there may be more; `empties`: also where nothing is left to read, so that segments that have been read
    /// are given back.
    @discardableResult
    private func drainBatch(of lane: JournalLane, empties: Bool = false) -> Bool {
        let segments = lane.segments
        let positions = segments.map(\.readPosition)
        let before = open
        guard empties || segments.contains(where: { $0.nextRecord() != nil }) else {
            return false
        }
        do {
            let (records, written) = try write(segments)
            counters.recordsWritten.wrappingAdd(written.count, ordering: .relaxed)
            counters.pending.wrappingSubtract(written.count, ordering: .relaxed)
            tail.publish(written)
            recovered()
            forgetOldRows()
            retire(lane, segments)
            lane.prepareSpare()
            return records >= Self.batchLimit
        } catch {
            for (segment, position) in zip(segments, positions) {
                segment.readPosition = position
            }
            open = before
            if oldRows != nil { markUnsecured() }
            failed(error)
            return false
        }
    }

    /// One transaction over both files; returns how many records were read and which exchanges are complete.
    private func write(_ segments: [JournalSegment]) throws -> (records: Int, written: [Int]) {
        let sink = try prepareSink(for: segments)
        guard let (rows, bodies) = sinkFiles else { return (0, []) }
        var records = 0
        var written: [Int] = []
        try bodies.database.writeWithoutTransaction { bodiesDB in
            try rows.database.writeWithoutTransaction { rowsDB in
                try bodiesDB.execute(sql: "BEGIN IMMEDIATE")
                try rowsDB.execute(sql: "BEGIN IMMEDIATE")
                do {
                    records = try self.read(segments, into: sink, &written)
                    try bodiesDB.execute(sql: "COMMIT")
                    try rowsDB.execute(sql: "COMMIT")
                } catch {
                    // SQLite may have rolled back already; a rollback without a transaction is no fault here.
                    try? bodiesDB.execute(sql: "ROLLBACK")
                    try? rowsDB.execute(sql: "ROLLBACK")
                    throw error
                }
            }
        }
        return (records, written)
    }

    private func read(
        _ segments: [JournalSegment],
        into sink: AuditSink,
        _ written: inout [Int]
    ) throws -> Int {
        var records = 0
        // Most exchanges begin and end within one batch, and their starts are never copied.
        var fresh: [Int: UnsafeRawBufferPointer] = [:]
        for segment in segments {
            while records < Self.batchLimit, let record = segment.nextRecord() {
                try take(record.kind, record.bytes, sink, &fresh, &written)
                segment.skipRecord(record.bytes)
                records += 1
                executor.letOthers()
            }
        }
        for (id, bytes) in fresh {
            open[id] = OpenStart(bytes: Array(bytes))
        }
        // Starts of a segment that is about to be reused must be safe in the database first.
        let isRetiring = segments.dropLast().contains { $0.nextRecord() == nil }
        if isRetiring || oldRows != nil { try secureOpenStarts(sink) }
        return records
    }

    private func take(
        _ kind: UInt32,
        _ bytes: UnsafeRawBufferPointer,
        _ sink: AuditSink,
        _ fresh: inout [Int: UnsafeRawBufferPointer],
        _ written: inout [Int]
    ) throws {
        let id: Int
        var end: AuditEnd?
        switch kind {
        case ExchangeRecords.startKind:
            fresh[try AuditStart(bytes).id] = bytes
            return
        case ExchangeRecords.endKind:
            let decoded = try AuditEnd(bytes)
            id = decoded.id
            end = decoded
        case ExchangeRecords.lostKind:
            var decoder = RecordDecoder(bytes)
            id = try decoder.number()
        default: throw RecordDecoder.Damaged()
        }
        if let start = fresh.removeValue(forKey: id) {
            try sink.write(try AuditStart(start), end, isOpen: false)
        } else if let start = open.removeValue(forKey: id) {
            try start.bytes.withUnsafeBytes { try sink.write(try AuditStart($0), end, isOpen: false) }
        } else {
            return
        }
        written.append(id)
    }

    private func secureOpenStarts(_ sink: AuditSink) throws {
        for (id, start) in open where !start.isSecured {
            try start.bytes.withUnsafeBytes { try sink.write(try AuditStart($0), nil, isOpen: true) }
            open[id]?.isSecured = true
        }
    }

    private func retire(_ lane: JournalLane, _ segments: [JournalSegment]) {
        let done = segments.dropLast().prefix { $0.nextRecord() == nil }.count
        if done > 0 { lane.retire(done) }
    }

    /// The statements for the files that are to be written now.
    private func prepareSink(for segments: [JournalSegment]) throws -> AuditSink {
        let id = WallClock.now().microseconds
        let rows = try files.current(.rows, nextID: id)
        let bodies = try files.current(.bodies, nextID: id)
        if let sink, let current = sinkFiles, current.rows === rows, current.bodies === bodies { return sink }
        let made = try rows.database.writeWithoutTransaction { rowsDB in
            try bodies.database.writeWithoutTransaction { bodiesDB in
                try AuditSink(rows: rowsDB, bodies: bodiesDB)
            }
        }
        if let old = sinkFiles, old.rows !== rows {
            // An exchange that began in the old file ends in the new one: it is secured there, then forgotten here.
            oldRows = old.rows
            markUnsecured()
        }
        sink = made
        sinkFiles = (rows, bodies)
        return made
    }

    private func markUnsecured() {
        for id in open.keys {
            open[id]?.isSecured = false
        }
    }

    /// Open rows of the file before stand in the current one now; those left behind are in no list anyway.
    private func forgetOldRows() {
        guard let old = oldRows else { return }
        oldRows = nil
        do {
            try old.database.write { try $0.execute(sql: "DELETE FROM exchanges WHERE is_open = 1") }
        } catch {
            logger.warning(
                "open rows of an old audit file stay in it, hidden",
                metadata: ["error": "\(error)"]
            )
        }
    }

    // MARK: Trouble

    private func failed(_ error: any Error) {
        let text = "\(error)"
        if failure != text {
            logger.error(
                "the audit cannot be written; records wait in the journal",
                metadata: ["error": "\(text)"]
            )
        }
        failure = text
        // Only a lack of space is mended by dropping records; a lock or a damage is not.
        let isFull =
            (error as? RawStatement.Failure)?.isFull == true
            || (error as? DatabaseError)?.resultCode == .SQLITE_FULL
        guard isFull, ContinuousClock.now >= nextDrop else { return }
        nextDrop = ContinuousClock.now + .seconds(1)
        for path in files.dropOldest() {
            logger.warning("an audit file was dropped to free space", metadata: ["file": "\(path)"])
        }
    }

    private func recovered() {
        if failure != nil { logger.info("the audit is written again") }
        failure = nil
    }
}
