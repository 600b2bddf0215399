import Operations
import Testing

@testable import Gateway

@Suite struct `Limits of imports` {
    private let user = Operator(name: "tester", role: .admin, via: "console")

    @Test(arguments: [2, 3, 4])
    func `a file has no more rows than it may`(rows: Int) throws {
        let folder = try TemporaryFolder()
        let store = try Store.open(try DataDirectory(path: folder.path))
        let upstreams = try UpstreamStore(database: store.database).upstreamRows()
        let key = try #require(MasterKey(base64: MasterKey.generateText()))
        let work = try FileImport(
            UpstreamKeyTable(upstreams, masterKey: key),
            into: store.database,
            ImportOptions(format: .csv),
            folder: folder.path,
            rowLimit: 3
        )
        let lines = (1...rows).map { "1,k\($0),sk-\($0)\n" }.joined()
        let read = {
            try work.read(Array("upstream_id,name,key_value\n\(lines)".utf8))
            try work.finishReading()
        }
        guard rows > 3 else {
            try read()
            #expect(work.rows == rows)
            return
        }
        #expect { try read() } throws: { "\($0)".contains("more than 3 rows; import it in parts") }
    }

    @Test(arguments: [-1, 0, 1])
    func `a reason is a short line`(more: Int) {
        let text = String(repeating: "a", count: KeyReason.limit + more)
        #expect(KeyReason.isValid(text) == (more <= 0))
        #expect(!KeyReason.isValid("a\nb") && !KeyReason.isValid("\u{1B}[31m"))
    }

    @Test func `no more imports run at once than may`() throws {
        let jobs = ImportJobs()
        let options = ImportOptions(format: .csv)
        let begun = try (1...4).map { number in
            try jobs.begin("upstream_keys", options, by: user, at: Timestamp(seconds: number))
        }
        #expect { try jobs.begin("upstream_keys", options, by: user, at: Timestamp(seconds: 5)) } throws: {
            "\($0)".contains("4 imports are running; wait for the end of one")
        }
        jobs.end(begun[0].id, at: Timestamp(seconds: 6), .success(BatchResult()))
        #expect(try jobs.begin("upstream_keys", options, by: user, at: Timestamp(seconds: 7)).id == 5)
    }

    @Test(arguments: [49, 50, 51])
    func `the last jobs are kept`(count: Int) throws {
        let jobs = ImportJobs()
        for number in 1...count {
            let job = try jobs.begin(
                "upstream_keys",
                ImportOptions(format: .csv),
                by: user,
                at: Timestamp(seconds: number)
            )
            jobs.end(job.id, at: Timestamp(seconds: number), .success(BatchResult()))
        }
        #expect(jobs.all.count == min(count, 50) && jobs.all.first?.id == count)
    }
}
