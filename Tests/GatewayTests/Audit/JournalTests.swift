import Foundation
import Logging
import Operations
import Testing

@testable import Gateway

@Suite struct `Audit journal` {
    private func start(_ id: Int, into encoder: inout RecordEncoder, body: String = "{}") {
        encoder.number(id)
        encoder.number(id)
        encoder.number(7)
        encoder.number(8)
        encoder.optional(nil)
        for text in ["req", "key1", "team-a", "miniai", nil, "127.0.0.1", "POST", "/x", nil, "Host: a\r\n"]
            as [String?]
        {
            encoder.text(text)
        }
        encoder.text(body)
        encoder.number(body.utf8.count)
    }

    private func end(_ id: Int, into encoder: inout RecordEncoder) {
        encoder.number(id)
        encoder.optional(200)
        encoder.text(nil)
        for number in [1500, 900, 50, 2, 100, 0, 0, 1] {
            encoder.number(number)
        }
        encoder.text("m")
        encoder.optional(12)
        encoder.optional(34)
        encoder.number(1)
        encoder.optional(200)
        encoder.text(nil)
        for _ in 0..<5 {
            encoder.optional(nil)
        }
        encoder.text("Content-Type: x\r\n")
        encoder.text("answer")
        encoder.number(6)
        encoder.number(-1)
        encoder.number(2)
    }

    private func append(
        _ kind: UInt32,
        to segment: JournalSegment,
        _ encode: (inout RecordEncoder) -> Void
    ) throws {
        var encoder = RecordEncoder(try #require(segment.room(for: 1024)))
        encode(&encoder)
        segment.publish(count: encoder.count, kind: kind)
    }

    private func files(_ folder: TemporaryFolder) throws -> AuditFiles {
        try AuditFiles(folder: folder.path, settings: Configuration.Audit(), logger: Logger(label: "test"))
    }

    @Test func `what is written is read back in order, also after reuse`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/a.journal", size: 65_536, isNew: true)
        for round in 0..<3 {
            segment.begin()
            for index in 0..<10 {
                try append(9, to: segment) { $0.number(round * 100 + index) }
            }
            var seen: [Int] = []
            while let record = segment.nextRecord() {
                var decoder = RecordDecoder(record.bytes)
                seen.append(try decoder.number())
                segment.skipRecord(record.bytes)
            }
            #expect(seen == (0..<10).map { round * 100 + $0 })
        }
    }

    @Test func `a full segment has no room, and ends where it ends`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/a.journal", size: 4096, isNew: true)
        var count = 0
        while segment.room(for: 100) != nil {
            segment.publish(count: 100, kind: 1)
            count += 1
        }
        #expect(count > 30)
        var seen = 0
        while let record = segment.nextRecord() {
            segment.skipRecord(record.bytes)
            seen += 1
        }
        #expect(seen == count)
    }

    @Test func `recovery keeps what was complete and marks what was cut`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 65_536, isNew: true)
        for id in 1...3 {
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
        }
        try append(ExchangeRecords.endKind, to: segment) { end(2, into: &$0) }
        let files = try files(folder)
        let recovery = JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test"))
        let counts = try recovery.run()
        #expect(counts.complete == 1)
        #expect(counts.interrupted == 2)
        let records = try AuditQueries(files: files).page(LogQuery()).items
        #expect(records.map(\.id) == [3, 2, 1])
        #expect(records.map(\.error) == ["interrupted", nil, "interrupted"])
        #expect(records[1].promptTokens == 12)
        let detail = try AuditQueries(files: files).detail(2)
        #expect(detail.responseBody == "answer")
        #expect(detail.requestBody == "{}")
        #expect(detail.requestHeaders == ["Host": "a"])
        #expect(Folder.names(in: folder.path).allSatisfy { !$0.hasSuffix(".journal") })
    }

    @Test func `recovering twice gives the same rows`() throws {
        let folder = try TemporaryFolder()
        let files = try files(folder)
        let id = WallClock.now().microseconds
        for _ in 0..<2 {
            let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 65_536, isNew: true)
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
            try append(ExchangeRecords.endKind, to: segment) { end(id, into: &$0) }
            _ = try JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test")).run()
        }
        #expect(try AuditQueries(files: files).page(LogQuery()).items.count == 1)
    }

    @Test func `files that a crash cut off while they were made are removed, and their numbers not taken`()
        throws
    {
        let folder = try TemporaryFolder()
        for (name, bytes) in [("0-7", 0), ("0-8", 4095), ("0-9", 4096), ("0-10", 4097), ("0-11", 8192)] {
            try Data(count: bytes).write(to: URL(filePath: "\(folder.path)/\(name).journal"))
        }
        // One that held something once is evidence.
        try Data(repeating: 7, count: 8192).write(to: URL(filePath: "\(folder.path)/0-12.journal"))
        let recovery = JournalRecovery(
            folder: folder.path,
            files: try files(folder),
            logger: Logger(label: "test")
        )
        #expect(try recovery.run() == (0, 0))
        #expect(Folder.names(in: folder.path).filter { $0.hasSuffix(".journal") } == ["0-12.journal"])
        #expect(recovery.lastNumber == 12)
    }

    @Test func `a damaged record costs itself only`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 65_536, isNew: true)
        try append(ExchangeRecords.startKind, to: segment) { $0.number(1) }
        try append(ExchangeRecords.startKind, to: segment) { start(2, into: &$0) }
        let files = try files(folder)
        let counts = try JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test"))
            .run()
        #expect(counts.interrupted == 1)
    }

    @Test func `the writer follows an exchange over segments and hides it until its end`() async throws {
        let folder = try TemporaryFolder()
        let lane = try JournalLane(folder: folder.path, loop: 0, boot: 1)
        let files = try files(folder)
        let writer = AuditWriter(
            lanes: [lane],
            files: files,
            counters: AuditCounters(),
            tail: AuditTail(),
            logger: Logger(label: "test")
        )
        let first = try #require(lane.first)
        try append(ExchangeRecords.startKind, to: first) { start(1, into: &$0) }
        let second = try #require(lane.nextSegment())
        await writer.drain()
        #expect(try AuditQueries(files: files).page(LogQuery()).items.isEmpty)
        #expect(lane.segments.count == 1)
        try append(ExchangeRecords.endKind, to: second) { end(1, into: &$0) }
        await writer.drain()
        let items = try AuditQueries(files: files).page(LogQuery()).items
        #expect(items.map(\.status) == [200])
        #expect(try AuditQueries(files: files).detail(1).responseBody == "answer")
    }

    @Test(
        arguments: [
            ("status=200", [2]), ("error:interrupted", [3, 1]), ("not status=200", [3, 1]),
            ("owner:team-a and model:m", [2]),
            ("tokens>45", [2]), ("latency>1ms and latency<2ms", [2]), ("body:answer", [2]),
            ("body~ans.er$", [2]),
            ("body:zebra", []), ("path~^/x$", [3, 2, 1]), ("team-a", [3, 2, 1]), ("%", []),
            ("client:key_", []), ("status:2xx", [2]),
        ] as [(String, [Int])]
    )
    func `filters find what they say`(filter: String, expected: [Int]) throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 65_536, isNew: true)
        for id in 1...3 {
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
        }
        try append(ExchangeRecords.endKind, to: segment) { end(2, into: &$0) }
        let files = try files(folder)
        _ = try JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test")).run()
        var query = LogQuery()
        query.filter = filter
        #expect(try AuditQueries(files: files).page(query).items.map(\.id) == expected)
    }

    @Test func `pages follow each other without gap or repeat`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 1 << 20, isNew: true)
        for id in 1...25 {
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
            try append(ExchangeRecords.endKind, to: segment) { end(id, into: &$0) }
        }
        let files = try files(folder)
        _ = try JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test")).run()
        var query = LogQuery()
        query.limit = 10
        var ids: [Int] = []
        repeat {
            let page = try AuditQueries(files: files).page(query)
            ids += page.items.map(\.id)
            query.cursor = page.nextCursor
        } while query.cursor != nil
        #expect(ids == Array((1...25).reversed()))
    }

    @Test func `sums reach over gaps in the ids`() throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 1 << 20, isNew: true)
        // The last of one stretch, the first of the next, and what began after another start.
        for id in [1, 20_000, 20_001, 40_001, 1_795_962_501_104_800] {
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
            try append(ExchangeRecords.endKind, to: segment) { end(id, into: &$0) }
        }
        let files = try files(folder)
        _ = try JournalRecovery(folder: folder.path, files: files, logger: Logger(label: "test")).run()
        let stats = try AuditQueries(files: files).stats(filter: .all, from: nil)
        #expect(stats[.owner]?.map(\.requests) == [5])
        let none = try AuditQueries(files: files).stats(filter: LogFilter(parsing: "body:zebra"), from: nil)
        #expect(none.isEmpty)
    }

    @Test func `a page damaged inside a file is found after the start, and only then`() async throws {
        let folder = try TemporaryFolder()
        let segment = try JournalSegment(path: folder.path + "/0-1.journal", size: 1 << 20, isNew: true)
        for id in 1...400 {
            try append(ExchangeRecords.startKind, to: segment) { start(id, into: &$0) }
            try append(ExchangeRecords.endKind, to: segment) { end(id, into: &$0) }
        }
        let first = try files(folder)
        _ = try JournalRecovery(folder: folder.path, files: first, logger: Logger(label: "test")).run()
        let path = try #require(first.files(.rows).first?.path)
        try first.close()
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: 3 * 4096)
        try handle.write(contentsOf: Data(repeating: 0xAA, count: 4096))
        try handle.close()
        let second = try files(folder)
        #expect(second.files(.rows).count == 1)
        await second.verify()
        #expect(second.files(.rows).isEmpty)
        #expect(second.files(.bodies).count == 1)
        #expect(Folder.names(in: folder.path).contains { $0.contains(".damaged-") })
    }
}
