import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension AdminClient: BatchOperations {
    private struct Started: Decodable {
        let jobId: Int
    }

    package func importUpstreamKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> BatchJob {
        let data = try await send(
            file,
            to: "/batch/keys",
            options,
            [("async", "\(options.isAsync)")]
        )
        if options.isAsync {
            return try await batchJob(try JSONForm.value(Started.self, from: data).jobId, by: user)
        }
        var job = BatchJob(
            id: 0,
            kind: "upstream_keys",
            options: options,
            by: user.name,
            at: .init(seconds: 0)
        )
        job.state = .done
        job.result = try JSONForm.value(BatchResult.self, from: data)
        return job
    }

    package func importClientKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> ClientKeyImportResult {
        try JSONForm.value(
            ClientKeyImportResult.self,
            from: try await send(file, to: "/batch/client-keys", options, [])
        )
    }

    private func send(
        _ file: ByteStream,
        to path: String,
        _ options: ImportOptions,
        _ query: [(String, String?)]
    ) async throws -> Data {
        let isCSV = options.format == .csv
        let response = try await upload(
            "\(path)/import-\(options.format.rawValue)",
            [("dry_run", "\(options.dryRun)"), ("mode", options.mode.rawValue)] + query,
            file,
            contentType: isCSV ? "text/csv" : "application/json"
        )
        return try await data(response)
    }

    package func batchJobs(by user: Operator) async throws -> Page<BatchJob> { try await get("/batch/jobs") }

    package func batchJob(_ id: Int, by user: Operator) async throws -> BatchJob {
        try await get("/batch/jobs/\(id)")
    }

    package func exportUpstreamKeys(_ export: KeyExport, by user: Operator) async throws -> ByteStream {
        try await download(
            "/batch/keys/export-\(export.format.rawValue)",
            [
                ("upstream_id", export.upstream.map(String.init)),
                ("values", export.revealsValues ? "true" : nil),
            ]
        )
    }

    package func exportClientKeys(
        _ format: ExportForm,
        withDigests: Bool,
        by user: Operator
    ) async throws -> ByteStream {
        try await download(
            "/batch/client-keys/export-\(format.rawValue)",
            [("digests", withDigests ? "true" : nil)]
        )
    }

    private struct KeyIDs: Encodable, Sendable {
        let keyIds: [Int]
        var status: String?
        var reason: String?
    }

    package func setUpstreamKeys(
        _ ids: [Int],
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> BatchResult {
        let body = KeyIDs(keyIds: ids, status: state.rawValue, reason: reason)
        return try await call(.POST, "/batch/keys/batch-update-status", body)
    }

    package func deleteUpstreamKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try await call(.DELETE, "/batch/keys/batch-delete", KeyIDs(keyIds: ids))
    }

    package func setClientKeys(_ ids: [Int], enabled: Bool, by user: Operator) async throws -> BatchResult {
        let body = KeyIDs(keyIds: ids, status: enabled ? "enabled" : "disabled")
        return try await call(.POST, "/batch/client-keys/batch-update-status", body)
    }

    package func deleteClientKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try await call(.DELETE, "/batch/client-keys/batch-delete", KeyIDs(keyIds: ids))
    }
}
