import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// `/batch`: many keys at once.
enum BatchRoutes {
    static let tag = "batch"

    static let all: [AdminRoute] = imports + exports + changes

    // MARK: Import

    static let clientKeyImportQuery: [AdminRoute.Parameter] = [
        .init(name: "dry_run", type: "boolean", summary: "Say what would be done, and do nothing"),
        .init(
            name: "mode",
            type: "string",
            summary: "keep_good (default): rows that do not hold are left out; all_or_nothing",
            choices: ImportMode.allCases.map(\.rawValue)
        ),
    ]

    private static let importQuery =
        clientKeyImportQuery + [
            .init(
                name: "async",
                type: "boolean",
                summary: "Answer 202 with a job_id once the file is there, and go on"
            )
        ]

    private struct Started: Encodable {
        let jobId: Int
    }

    static func options(_ format: ImportFormat, _ request: AdminRequest) throws -> ImportOptions {
        ImportOptions(
            format: format,
            mode: try request.choice("mode", default: ImportMode.keepGood),
            dryRun: try request.truth("dry_run")
        )
    }

    private static func importFile(_ format: ImportFormat, _ request: AdminRequest) async throws -> Response {
        var options = try options(format, request)
        options.isAsync = try request.truth("async")
        let file = try UploadedFile.stream(request.request)
        let job = try await request.port.importUpstreamKeys(file, options, by: request.user)
        if options.isAsync { return try request.json(Started(jobId: job.id), status: .accepted) }
        return try request.json(job.result ?? BatchResult())
    }

    private static let imports: [AdminRoute] = [
        .upload(
            "/batch/keys/import-csv",
            tag,
            "Import upstream keys from CSV: a form with a file, or the file as the body",
            query: importQuery,
            accepts: ["multipart/form-data", "text/csv"]
        ) { try await importFile(.csv, $0) },
        .upload(
            "/batch/keys/import-json",
            tag,
            "Import upstream keys from JSON: a list, or {\"upstream_id\", \"keys\": […]}",
            query: importQuery,
            accepts: ["application/json", "multipart/form-data"]
        ) { try await importFile(.json, $0) },
        .get("/batch/template/keys-csv", tag, "A file to fill in", contentType: "text/csv") { request in
            let example = ["1", "Key 1", "sk-xxx", "header", "Authorization", "Bearer ", "true", "1000"]
            let text = CSVWriter.line(KeyColumn.common.map(\.rawValue)) + CSVWriter.line(example)
            return .download(ByteStream.of(text), "fastgate-keys-template.csv", "text/csv; charset=utf-8")
        },
        .list("/batch/jobs", tag, "Imports of this process, newest first") { request in
            try await request.port.batchJobs(by: request.user)
        },
        .get("/batch/jobs/{id}", tag, "One import with its progress and result") { request in
            try request.json(try await request.port.batchJob(try request.id(), by: request.user))
        },
    ]

    // MARK: Export

    private static let exportQuery: [AdminRoute.Parameter] = [
        .init(name: "upstream_id", type: "integer", summary: "Keys of this upstream", range: 0...Int.max),
        .init(
            name: "values",
            type: "boolean",
            summary: "Write values as they are: admins only, and it is written down"
        ),
    ]

    private static func exportKeys(_ form: ExportForm, _ request: AdminRequest) async throws -> Response {
        let export = KeyExport(
            upstream: try request.optionalNumber("upstream_id"),
            format: form,
            revealsValues: try request.truth("values")
        )
        let file = try await request.port.exportUpstreamKeys(export, by: request.user)
        return .download(file, "fastgate-keys.\(form.rawValue)", form.contentType)
    }

    private static let exports: [AdminRoute] = ExportForm.allCases.map { form in
        .get(
            "/batch/keys/export-\(form.rawValue)",
            tag,
            "Export upstream keys; values are masked unless asked for",
            query: exportQuery,
            contentType: form.plainContentType
        ) { try await exportKeys(form, $0) }
    }

    // MARK: Many at once

    struct KeyIDs: Decodable {
        var keyIds: [Int]
        var status: String?
        var reason: String?
    }

    static func ids(_ request: AdminRequest, _ fields: [String]) async throws -> KeyIDs {
        try await request.change(KeyIDs.self, fields: fields)
    }

    static func status<Value: RawRepresentable & CaseIterable>(
        _ text: String?,
        _ type: Value.Type
    ) throws -> Value where Value.RawValue == String {
        guard let text else { throw OperationsError(.invalid, "is required", parameter: "status") }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw OperationsError(.invalid, "must be one of \(all)", parameter: "status")
        }
        return value
    }

    private static let changes: [AdminRoute] = [
        .change(
            .post,
            "/batch/keys/batch-update-status",
            tag,
            "Enable, disable or ban many upstream keys",
            body: ["key_ids", "status", "reason"],
            required: ["key_ids", "status"]
        ) { request in
            let wanted = try await ids(request, ["key_ids", "status", "reason"])
            let result = try await request.port.setUpstreamKeys(
                wanted.keyIds,
                try status(wanted.status, KeyState.self),
                reason: wanted.reason,
                by: request.user
            )
            return try request.json(result)
        },
        .change(
            .delete,
            "/batch/keys/batch-delete",
            tag,
            "Delete many upstream keys",
            body: ["key_ids"],
            required: ["key_ids"]
        ) { request in
            let wanted = try await ids(request, ["key_ids"])
            return try request.json(
                try await request.port.deleteUpstreamKeys(wanted.keyIds, by: request.user)
            )
        },
    ]
}

extension ExportForm {
    var plainContentType: String { self == .csv ? "text/csv" : "application/x-ndjson" }
    var contentType: String { self == .csv ? "text/csv; charset=utf-8" : plainContentType }
}

extension ByteStream where Element == [UInt8], Failure == any Error {
    /// One piece.
    static func of(_ text: String) -> ByteStream {
        ByteStream { continuation in
            continuation.yield(Array(text.utf8))
            continuation.finish()
        }
    }
}
