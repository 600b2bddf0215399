import Logging
import NIOPosix
package import Operations

/// Threads of their own for imports: SQLite blocks, and a file may take seconds.
enum ImportThreads {
    static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        return pool
    }()
}

/// Files of keys on their way in.
extension GatewayOperations {
    static func now() -> Timestamp { Timestamp(microseconds: WallClock.now().microseconds) }

    package func importUpstreamKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> BatchJob {
        try user.require(.operator)
        let jobs = gateway.imports
        let job = try jobs.begin("upstream_keys", options, by: user, at: Self.now())
        do {
            let table = UpstreamKeyTable(try upstreamStore.upstreamRows(), masterKey: gateway.masterKey)
            let work = try await read(file, into: table, options, job.id, limit: ImportLimits.rows)
            if options.isAsync {
                // Goes on whoever waits for it, to its end.
                Task { await finish(work, job.id, by: user) }
            } else {
                await finish(work, job.id, by: user)
            }
        } catch {
            jobs.end(job.id, at: Self.now(), .failure(error))
            throw error
        }
        let done = jobs.job(job.id) ?? job
        if let error = done.error { throw OperationsError(.internalError, error) }
        return done
    }

    package func importClientKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> ClientKeyImportResult {
        try user.require(.operator)
        let jobs = gateway.imports
        let job = try jobs.begin("client_keys", options, by: user, at: Self.now())
        do {
            let table = ClientKeyTable(
                names: try clientKeyStore.names(),
                upstreams: Set(try upstreamStore.upstreamRows().map(\.slug)),
                by: user,
                at: Self.now()
            )
            let work = try await read(file, into: table, options, job.id, limit: ImportLimits.clientKeys)
            try await write(work, job.id, by: user)
            let (result, made) = (work.result, work.table.made)
            let keys = result.committed ? made : []
            await publish(keys.map(\.id))
            jobs.end(job.id, at: Self.now(), .success(result))
            return ClientKeyImportResult(result, keys: keys)
        } catch {
            jobs.end(job.id, at: Self.now(), .failure(error))
            throw error
        }
    }

    private static let publishedAtOnce = 1000

    /// In pieces, so that another change need not wait for all of them.
    ///
    /// Keys that cannot be put in force are told all the same, since their values cannot be told again; the next change
    /// of any key tries those, too.
    private func publish(_ ids: [Int]) async {
        for start in stride(from: 0, to: ids.count, by: Self.publishedAtOnce) {
            do {
                try await gateway.snapshots.publishClientKeys(
                    Array(ids[start..<min(start + Self.publishedAtOnce, ids.count)])
                )
            } catch {
                gateway.logger.error(
                    "imported client keys are not in force yet",
                    metadata: ["reason": "\(error)"]
                )
            }
        }
    }

    private func read<Table: ImportTable>(
        _ file: ByteStream,
        into table: Table,
        _ options: ImportOptions,
        _ id: Int,
        limit: Int
    ) async throws -> ImportBox<Table> {
        let work = try ImportBox(
            FileImport(
                table,
                into: upstreamStore.database,
                options,
                folder: gateway.directory.path,
                rowLimit: limit
            )
        )
        for try await piece in file {
            let rows = try await ImportThreads.pool.runIfActive { try work.read(piece) }
            gateway.imports.update(id) { job in
                job.bytes += piece.count
                job.rows = rows
            }
        }
        try await ImportThreads.pool.runIfActive { try work.finishReading() }
        return work
    }

    private func write<Table>(_ work: ImportBox<Table>, _ id: Int, by user: Operator) async throws {
        let jobs = gateway.imports
        jobs.update(id) { $0.state = .writing }
        try await ImportThreads.pool.runIfActive {
            try work.write(by: user) { count in jobs.update(id) { $0.written = count } }
        }
    }

    private func finish(_ work: ImportBox<UpstreamKeyTable>, _ id: Int, by user: Operator) async {
        do {
            try await write(work, id, by: user)
            if work.result.committed { try await gateway.snapshots.publishUpstreams() }
            gateway.imports.end(id, at: Self.now(), .success(work.result))
        } catch {
            gateway.imports.end(id, at: Self.now(), .failure(error))
        }
    }

    package func batchJobs(by user: Operator) async throws -> Page<BatchJob> {
        Page(items: gateway.imports.all)
    }

    package func batchJob(_ id: Int, by user: Operator) async throws -> BatchJob {
        guard let job = gateway.imports.job(id) else {
            throw OperationsError(.notFound, "there is no job \(id)")
        }
        return job
    }
}

/// An import that one thread after the other works on, never two at once.
///
/// `@unchecked`: whoever works on it waits for the one before; the lock only says so.
private final class ImportBox<Table: ImportTable>: @unchecked Sendable {
    private let work: FileImport<Table>

    init(_ work: FileImport<Table>) {
        self.work = work
    }

    var result: BatchResult { work.result }
    var table: Table { work.table }

    func read(_ bytes: [UInt8]) throws -> Int {
        try work.read(bytes)
        return work.rows
    }

    func finishReading() throws { try work.finishReading() }

    func write(by user: Operator, progress: (Int) -> Void) throws {
        try work.write(by: user, progress: progress)
    }
}
