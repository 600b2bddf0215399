import GRDB
import Logging

#if canImport(Glibc)
import Glibc
#endif

/// Brings a journal that a crash left into the database, before the gateway serves.
struct JournalRecovery {
    let folder: String
    let files: AuditFiles
    let logger: Logger

    /// - Returns: how many exchanges were complete and how many had been cut off.
    func run() throws -> (complete: Int, interrupted: Int) {
        let segments = try leftSegments()
        guard !segments.isEmpty else { return (0, 0) }
        // What was secured before the crash stands in the last files, so these are completed, however old.
        let id = oldestID(segments) ?? WallClock.now().microseconds
        let rows = try files.files(.rows).last ?? files.current(.rows, nextID: id)
        let bodies = try files.files(.bodies).last ?? files.current(.bodies, nextID: id)
        let counts = try bodies.database.writeWithoutTransaction { bodiesDB in
            try rows.database.writeWithoutTransaction { rowsDB in try write(segments, rowsDB, bodiesDB) }
        }
        // Only what is safe in the database may leave the journal.
        for segment in segments {
            segment.remove()
        }
        return counts
    }

    private func write(
        _ segments: [JournalSegment],
        _ rowsDB: Database,
        _ bodiesDB: Database
    ) throws -> (complete: Int, interrupted: Int) {
        do {
            let sink = try AuditSink(rows: rowsDB, bodies: bodiesDB)
            try bodiesDB.execute(sql: "BEGIN IMMEDIATE")
            try rowsDB.execute(sql: "BEGIN IMMEDIATE")
            let counts = try write(segments, into: sink)
            try rowsDB.execute(sql: "UPDATE exchanges SET is_open = 0 WHERE is_open = 1")
            try bodiesDB.execute(sql: "COMMIT")
            try rowsDB.execute(sql: "COMMIT")
            return counts
        } catch {
            // SQLite may have rolled back already, or never begun; neither is a fault here.
            try? bodiesDB.execute(sql: "ROLLBACK")
            try? rowsDB.execute(sql: "ROLLBACK")
            throw StartFailure("the journal of the last run cannot be brought into the audit: \(error)")
        }
    }

    /// What the crash cut off while it was made holds nothing, and goes.
    private func leftSegments() throws -> [JournalSegment] {
        let names = Folder.names(in: folder).filter { $0.hasSuffix(".journal") }
        let ordered = names.sorted { Self.order($0) < Self.order($1) }
        return try ordered.compactMap { name in
            let path = "\(folder)/\(name)"
            guard let size = DataDirectory.size(of: path) else { return nil }
            guard size >= 4096 else {
                unlink(path)
                return nil
            }
            let segment = try JournalSegment(path: path, size: size, isNew: false)
            if segment.isJournal { return segment }
            if segment.isBlank {
                segment.remove()
            } else {
                logger.error(
                    "a file of the journal is damaged and left where it is",
                    metadata: ["file": "\(path)"]
                )
            }
            return nil
        }
    }

    /// The highest number that a file has; new ones must have higher ones.
    var lastNumber: Int {
        Folder.names(in: folder).filter { $0.hasSuffix(".journal") }.map(Self.order).max() ?? 0
    }

    private static func order(_ name: String) -> Int {
        Int(name.dropLast(8).split(separator: "-").last ?? "0") ?? 0
    }

    private func oldestID(_ segments: [JournalSegment]) -> Int? {
        segments.compactMap { segment in
            guard let record = segment.nextRecord(), record.kind == ExchangeRecords.startKind else {
                return nil
            }
            // A record that does not hold is reported when it is read for real.
            return try? AuditStart(record.bytes).id
        }.min()
    }

    /// Segments were reused in any order, so all starts are gathered before any end is looked at.
    private func write(
        _ segments: [JournalSegment],
        into sink: AuditSink
    ) throws -> (complete: Int, interrupted: Int) {
        var starts: [Int: UnsafeRawBufferPointer] = [:]
        var ends: [(id: Int, bytes: UnsafeRawBufferPointer)] = []
        for segment in segments {
            while let record = segment.nextRecord() {
                do {
                    switch record.kind {
                    case ExchangeRecords.startKind: starts[try AuditStart(record.bytes).id] = record.bytes
                    case ExchangeRecords.endKind: ends.append((try AuditEnd(record.bytes).id, record.bytes))
                    default: break
                    }
                } catch {
                    logger.error(
                        "a damaged journal record was skipped",
                        metadata: ["file": "\(segment.path)"]
                    )
                }
                segment.skipRecord(record.bytes)
            }
        }
        var complete = 0
        for end in ends {
            if let start = starts.removeValue(forKey: end.id) {
                try sink.write(try AuditStart(start), try AuditEnd(end.bytes), isOpen: false)
            } else {
                try sink.finish(try AuditEnd(end.bytes))
            }
            complete += 1
        }
        for start in starts.values {
            try sink.write(try AuditStart(start), nil, isOpen: false)
        }
        return (complete, starts.count)
    }
}
