import HTTPTypes
import Hummingbird
import Operations

/// `/batch/client-keys`: many client keys at once.
enum ClientKeyBatchRoutes {
    private enum ClientKeyStatus: String, CaseIterable {
        case enabled
        case disabled
    }

    static let all: [AdminRoute] = imports + exports + changes

    // MARK: Import

    private static func importFile(_ format: ImportFormat, _ request: AdminRequest) async throws -> Response {
        let options = try BatchRoutes.options(format, request)
        // The file is not compared: it is read once, as it comes.
        return try await request.once(request.request.uri.description, status: .ok) {
            let file = try UploadedFile.stream(request.request)
            return try await request.port.importClientKeys(file, options, by: request.user)
        }
    }

    private static let imports: [AdminRoute] = [
        .upload(
            "/batch/client-keys/import-csv",
            BatchRoutes.tag,
            "Make client keys from CSV; the answer alone has what callers send",
            query: BatchRoutes.clientKeyImportQuery,
            accepts: ["multipart/form-data", "text/csv"],
            remembersAnswer: true
        ) { try await importFile(.csv, $0) },
        .upload(
            "/batch/client-keys/import-json",
            BatchRoutes.tag,
            "Make client keys from JSON: a list, or {\"keys\": […]}; the answer alone has what callers send",
            query: BatchRoutes.clientKeyImportQuery,
            accepts: ["application/json", "multipart/form-data"],
            remembersAnswer: true
        ) { try await importFile(.json, $0) },
        .get(
            "/batch/template/client-keys-csv",
            BatchRoutes.tag,
            "A file of client keys to fill in",
            contentType: "text/csv"
        ) { request in
            let example = [
                "team-a", "alice", "2030-01-31", "miniai", "/v1/**", "gpt-4*", "60", "", "1000000", "tokens",
                "month",
                "",
            ]
            let text = CSVWriter.line(ClientKeyColumn.common.map(\.rawValue)) + CSVWriter.line(example)
            return .download(
                ByteStream.of(text),
                "fastgate-client-keys-template.csv",
                "text/csv; charset=utf-8"
            )
        },
    ]

    // MARK: Export and changes

    private static let exports: [AdminRoute] =
        ExportForm.allCases.map { form in
            .get(
                "/batch/client-keys/export-\(form.rawValue)",
                BatchRoutes.tag,
                "Export client keys; what callers send is known to nobody",
                query: [
                    .init(
                        name: "digests",
                        type: "boolean",
                        summary:
                            "By which another gateway knows the same keys: admins only, and it is written down"
                    )
                ],
                contentType: form.plainContentType
            ) { request in
                let file = try await request.port.exportClientKeys(
                    form,
                    withDigests: try request.truth("digests"),
                    by: request.user
                )
                return .download(file, "fastgate-client-keys.\(form.rawValue)", form.contentType)
            }
        }

    private static let changes: [AdminRoute] = [
        .change(
            .post,
            "/batch/client-keys/batch-update-status",
            BatchRoutes.tag,
            "Enable or disable many client keys",
            body: ["key_ids", "status"],
            required: ["key_ids", "status"]
        ) { request in
            let wanted = try await BatchRoutes.ids(request, ["key_ids", "status"])
            let isOn = try BatchRoutes.status(wanted.status, ClientKeyStatus.self) == .enabled
            return try request.json(
                try await request.port.setClientKeys(wanted.keyIds, enabled: isOn, by: request.user)
            )
        },
        .change(
            .delete,
            "/batch/client-keys/batch-delete",
            BatchRoutes.tag,
            "Delete many client keys",
            body: ["key_ids"],
            required: ["key_ids"]
        ) { request in
            let wanted = try await BatchRoutes.ids(request, ["key_ids"])
            return try request.json(
                try await request.port.deleteClientKeys(wanted.keyIds, by: request.user)
            )
        },
    ]
}
