import NIOPosix
package import Operations
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Threads of their own for imports: SQLite blocks, and a file may take seconds.
enum ImportThreads {
    static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        return pool
    }()
}

extension GatewayOperations {
    private static func now() -> Timestamp { Timestamp(microseconds: WallClock.now().microseconds) }

    // MARK: Import

    package func importUpstreamKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> BatchJob {
        try user.require(.operator)
        let jobs = gateway.imports
        let job = try jobs.begin("upstream_keys", options, by: user, at: Self.now())
        do {
            let work = try ImportBox(
                KeyImport(
                    store: upstreamStore,
                    masterKey: gateway.masterKey,
                    options: options,
                    folder: gateway.directory.path
                )
            )
            for try await piece in file {
                let rows = try await ImportThreads.pool.runIfActive { try work.read(piece) }
                jobs.update(job.id) { job in
                    job.bytes += piece.count
                    job.rows = rows
                }
            }
            try await ImportThreads.pool.runIfActive { try work.finishReading() }
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

    private func finish(_ work: ImportBox, _ id: Int, by user: Operator) async {
        let jobs = gateway.imports
        jobs.update(id) { $0.state = .writing }
        do {
            let result = try await ImportThreads.pool.runIfActive {
                try work.write(by: user) { count in jobs.update(id) { $0.written = count } }
            }
            if result.committed { try await gateway.snapshots.publishUpstreams() }
            jobs.end(id, at: Self.now(), .success(result))
        } catch {
            jobs.end(id, at: Self.now(), .failure(error))
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

    // MARK: Export

    /// Rows in one piece of a file.
    private static let exportPage = 1000

    package func exportUpstreamKeys(_ export: KeyExport, by user: Operator) async throws -> ByteStream {
        if let id = export.upstream, !(try upstreamStore.upstreamRows().contains { $0.id == id }) {
            throw OperationsError(.notFound, "there is no upstream \(id)")
        }
        if export.revealsValues {
            try user.require(.admin)
            try recordChange(by: user, action: "reveal", object: "upstream_key", id: nil)
        }
        let header = export.format == .csv ? CSVWriter.line(Self.exportColumns.map(\.rawValue)) : ""
        return pages(header: header) { after in
            let rows = try self.keyPage(upstream: export.upstream, after: after, limit: Self.exportPage)
            let lines = try rows.items.map { view, value in
                try export.format == .csv
                    ? CSVWriter.line(
                        Self.fields(view, value: export.revealsValues ? value.value : view.maskedValue)
                    )
                    : Self.line(view, value: export.revealsValues ? value : nil)
            }
            return (lines.joined(), rows.last)
        }
    }

    /// `page`: the text behind an id, and the last id in it; nil where there is none.
    private func pages(
        header: String,
        _ page: @escaping @Sendable (Int) throws -> (text: String, last: Int?)
    ) -> ByteStream {
        let place = PagePlace(header: header)
        return ByteStream {
            try await ImportThreads.pool.runIfActive { try place.next(page) }
        }
    }

    private static let exportColumns = KeyColumn.allCases.filter { $0 != .upstream } + [.upstream]

    private static func fields(_ key: UpstreamKey, value: String) -> [String] {
        exportColumns.map { column in
            switch column {
            case .upstreamID: "\(key.upstreamId)"
            case .name: key.name
            case .keyValue: value
            case .location: key.location.rawValue
            case .paramName: key.paramName
            case .valuePrefix: key.valuePrefix.isEmpty && key.location == .header ? "'" : key.valuePrefix
            case .enableQuota: "\(key.enableQuota)"
            case .quotaTotal: key.quotaTotal.map(String.init) ?? ""
            case .quotaPeriod: key.quotaPeriod.rawValue
            case .weight: "\(key.weight)"
            case .priority: "\(key.priority)"
            case .requestsPerMinute: key.limits.requestsPerMinute.map(String.init) ?? ""
            case .requestsPerHour: key.limits.requestsPerHour.map(String.init) ?? ""
            case .requestsPerDay: key.limits.requestsPerDay.map(String.init) ?? ""
            case .concurrency: key.limits.concurrency.map(String.init) ?? ""
            case .state: key.state.rawValue
            case .reason: key.reason ?? ""
            case .upstream: key.upstream
            }
        }
    }

    private struct Revealed: Encodable {
        let key: UpstreamKey
        let value: String

        private enum CodingKeys: String, CodingKey { case keyValue }

        func encode(to encoder: any Encoder) throws {
            try key.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(value, forKey: .keyValue)
        }
    }

    private static func line(_ key: UpstreamKey, value: Secret?) throws -> String {
        guard let value else { return try JSONForm.text(key) + "\n" }
        return try JSONForm.text(Revealed(key: key, value: value.value)) + "\n"
    }

    package func exportClientKeys(_ format: ExportForm, by user: Operator) async throws -> ByteStream {
        let store = clientKeyStore
        let header = format == .csv ? CSVWriter.line(Self.clientKeyColumns) : ""
        return pages(header: header) { after in
            let keys = try store.keys(after: after, limit: Self.exportPage)
            let lines = try keys.map { key in
                try format == .csv ? CSVWriter.line(Self.fields(key)) : JSONForm.text(key) + "\n"
            }
            return (lines.joined(), keys.last?.id)
        }
    }

    private static let clientKeyColumns = [
        "id", "name", "owner", "prefix", "last4", "enabled", "revoked_at", "expires_at", "upstreams", "paths",
        "models",
        "cidrs", "limits", "quota", "quota_used", "notes", "created_at", "last_used_at",
    ]

    private static func fields(_ key: ClientKey) -> [String] {
        let permissions = key.permissions
        return [
            "\(key.id)", key.name, key.owner, key.prefix, key.last4, "\(key.enabled)",
            key.revokedAt?.description ?? "", key.expiresAt?.description ?? "",
            permissions.upstreams.joined(separator: " "), permissions.paths.joined(separator: " "),
            permissions.models.joined(separator: " "), permissions.cidrs.joined(separator: " "),
            key.limits.text, key.quota?.quota.text ?? "", key.quota.map { "\($0.used)" } ?? "", key.notes,
            key.createdAt.description, key.lastUsedAt?.description ?? "",
        ]
    }

    // MARK: Many at once

    /// Ids in one request.
    private static let idLimit = 100_000

    private static func check(_ ids: [Int], _ field: String) throws(OperationsError) {
        guard (1...idLimit).contains(ids.count) else {
            throw OperationsError(.invalid, "must hold 1 to \(idLimit) ids", parameter: field)
        }
    }

    package func setUpstreamKeys(
        _ ids: [Int],
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        try KeyReason.check(reason)
        let (action, health) = try Self.change(to: state, reason ?? "by \(user.name)")
        let store = upstreamStore
        let found = try await ImportThreads.pool.runIfActive {
            try store.set(keys: ids, health, action: action, by: user)
        }
        for (id, upstream) in found { bring(id, ofUpstream: upstream, to: health) }
        return Self.result(ids, { found[$0] == nil ? "there is no upstream key \($0)" : nil })
    }

    package func deleteUpstreamKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = upstreamStore
        let (deleted, ofFile) = try await ImportThreads.pool.runIfActive {
            try store.delete(keys: ids, by: user)
        }
        if !deleted.isEmpty { try await gateway.snapshots.publishUpstreams() }
        return Self.result(ids) { id in
            if deleted.contains(id) { return nil }
            return ofFile.contains(id)
                ? "the configuration file defines the key \(id)" : "there is no upstream key \(id)"
        }
    }

    package func setClientKeys(_ ids: [Int], enabled: Bool, by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = clientKeyStore
        let outcome = try await ImportThreads.pool.runIfActive {
            try store.setEnabled(enabled, of: ids, by: user)
        }
        if !outcome.changed.isEmpty { try await gateway.snapshots.publishClientKeys(outcome.changed) }
        return Self.result(ids) { outcome.faults[$0] }
    }

    package func deleteClientKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = clientKeyStore
        let outcome = try await ImportThreads.pool.runIfActive { try store.delete(ids, by: user) }
        if !outcome.changed.isEmpty { try await gateway.snapshots.publishClientKeys(outcome.changed) }
        return Self.result(ids) { outcome.faults[$0] }
    }

    /// In the shape of imports: the row is an id's place in the list.
    private static func result(_ ids: [Int], _ fault: (Int) -> String?) -> BatchResult {
        var result = BatchResult()
        for (index, id) in ids.enumerated() {
            if let fault = fault(id) { result.fail(index + 1, fault) } else { result.successCount += 1 }
        }
        result.committed = result.successCount > 0
        return result
    }
}

/// An import that one thread after the other works on, never two at once.
///
/// `@unchecked`: whoever works on it waits for the one before; the lock only says so.
private final class ImportBox: @unchecked Sendable {
    private let work: KeyImport

    init(_ work: KeyImport) {
        self.work = work
    }

    func read(_ bytes: [UInt8]) throws -> Int {
        try work.read(bytes)
        return work.rows
    }

    func finishReading() throws { try work.finishReading() }

    func write(by user: Operator, progress: (Int) -> Void) throws -> BatchResult {
        try work.write(by: user, progress: progress)
        return work.result
    }
}

/// Where an export has got to; asked for one piece after the other.
private final class PagePlace: Sendable {
    private struct State {
        var header: String
        var last: Int? = 0
    }

    private let state: Mutex<State>

    init(header: String) {
        state = Mutex(State(header: header))
    }

    /// nil at the end.
    func next(_ page: (Int) throws -> (text: String, last: Int?)) throws -> [UInt8]? {
        let (header, after) = state.withLock { state in
            defer { state.header = "" }
            return (state.header, state.last)
        }
        guard let after else { return nil }
        let (text, last) = try page(after)
        state.withLock { $0.last = last }
        let bytes = Array((header + text).utf8)
        return bytes.isEmpty ? nil : bytes
    }
}
