/// What becomes of a file of which some rows do not hold.
package enum ImportMode: String, Codable, Sendable, CaseIterable {
    case keepGood = "keep_good"
    case allOrNothing = "all_or_nothing"
}

/// How a file is written.
package enum ImportFormat: String, Codable, Sendable, CaseIterable {
    case csv
    case json

    /// By a file's name; CSV where it says nothing.
    package init(file: String) throws(OperationsError) {
        let name = file.lowercased()
        guard !name.hasSuffix(".jsonl") else {
            throw OperationsError(
                .invalid,
                "lines of JSON cannot be imported; export as CSV, or make it {\"keys\": […]} in a .json file",
                parameter: "path"
            )
        }
        self = name.hasSuffix(".json") ? .json : .csv
    }
}

/// How a file is taken in.
package struct ImportOptions: Codable, Sendable, Equatable {
    package var format: ImportFormat
    package var mode: ImportMode
    /// Says what would be done, and does nothing.
    package var dryRun: Bool
    /// Answers once the file is there, and goes on by itself.
    package var isAsync: Bool

    package init(
        format: ImportFormat,
        mode: ImportMode = .keepGood,
        dryRun: Bool = false,
        isAsync: Bool = false
    ) {
        self.format = format
        self.mode = mode
        self.dryRun = dryRun
        self.isAsync = isAsync
    }
}

/// The bytes of a file, as they come.
package typealias ByteStream = AsyncThrowingStream<[UInt8], any Error>

/// A row that does not hold.
package struct RowFault: Codable, Sendable, Equatable {
    /// As a spreadsheet counts: in CSV the heading is row 1, in JSON the first key is.
    package var row: Int
    package var error: String

    package init(row: Int, error: String) {
        self.row = row
        self.error = error
    }
}

/// What has come of work on many things at once, in the seeds' shape.
package struct BatchResult: Codable, Sendable, Equatable {
    /// More faults are counted and not listed.
    package static let faultLimit = 1000

    package var successCount: Int
    package var failedCount: Int
    package var errors: [RowFault]
    /// Whether anything has been changed; said nowhere but in the gateway.
    package var committed = false

    private enum CodingKeys: String, CodingKey { case successCount, failedCount, errors }

    package init(successCount: Int = 0, failedCount: Int = 0) {
        self.successCount = successCount
        self.failedCount = failedCount
        errors = []
    }

    package mutating func fail(_ row: Int, _ error: String) {
        failedCount += 1
        if errors.count < Self.faultLimit { errors.append(RowFault(row: row, error: error)) }
    }
}

/// An import, while it runs and for a while after.
package struct BatchJob: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// The file is coming, and its rows are looked at.
        case reading
        /// Good rows are put into the database.
        case writing
        case done
        case failed
    }

    package var id: Int
    /// `upstream_keys` or `client_keys`.
    package var kind: String
    package var state: State
    package var options: ImportOptions
    package var `operator`: String
    /// Read so far.
    package var bytes: Int
    package var rows: Int
    /// Of them, put into the database.
    package var written: Int
    package var startedAt: Timestamp
    @ShownNull package var endedAt: Timestamp?
    @ShownNull package var result: BatchResult?
    /// Why it failed.
    @ShownNull package var error: String?

    package init(id: Int, kind: String, options: ImportOptions, by name: String, at time: Timestamp) {
        self.id = id
        self.kind = kind
        self.options = options
        self.operator = name
        startedAt = time
        state = .reading
        (bytes, rows, written) = (0, 0, 0)
        _endedAt = ShownNull(wrappedValue: nil)
        _result = ShownNull(wrappedValue: nil)
        _error = ShownNull(wrappedValue: nil)
    }

    package var isOver: Bool { state == .done || state == .failed }
}

/// A client key that an import has made.
package struct ImportedClientKey: Codable, Sendable, Equatable {
    /// As in the faults of a result.
    package var row: Int
    package var id: Int
    package var name: String
    /// What its caller sends, shown only here; nil for a key that its caller has already.
    @ShownNull package var key: String?

    package init(row: Int, id: Int, name: String, key: String?) {
        (self.row, self.id, self.name) = (row, id, name)
        _key = ShownNull(wrappedValue: key)
    }
}

/// What has come of a file of client keys.
package struct ClientKeyImportResult: Codable, Sendable, Equatable {
    package var successCount: Int
    package var failedCount: Int
    package var errors: [RowFault]
    /// In the file's order; empty after a dry run.
    package var keys: [ImportedClientKey]

    package init(_ result: BatchResult, keys: [ImportedClientKey]) {
        (successCount, failedCount, errors) = (result.successCount, result.failedCount, result.errors)
        self.keys = keys
    }
}

/// Which keys are exported, and how.
package struct KeyExport: Sendable, Equatable {
    /// nil for all.
    package var upstream: Int?
    package var format: ExportForm
    /// Whether values are written as they are; only for admins, and written down.
    package var revealsValues: Bool

    package init(upstream: Int? = nil, format: ExportForm, revealsValues: Bool = false) {
        self.upstream = upstream
        self.format = format
        self.revealsValues = revealsValues
    }
}

/// How an export is written.
package enum ExportForm: String, Codable, Sendable, CaseIterable {
    case csv
    case jsonl
}

/// Work on many keys at once.
package protocol BatchOperations: Sendable {
    /// Takes a file of upstream keys in: all of its good rows in one transaction, or nothing.
    ///
    /// - Returns: the job, which is over unless the options ask to be answered before.
    func importUpstreamKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> BatchJob
    /// Takes a file of client keys in, and makes those whose callers have none yet.
    ///
    /// - Returns: what has come of it, with every key that was made: nothing shows them again.
    func importClientKeys(
        _ file: ByteStream,
        _ options: ImportOptions,
        by user: Operator
    ) async throws -> ClientKeyImportResult
    func batchJobs(by user: Operator) async throws -> Page<BatchJob>
    func batchJob(_ id: Int, by user: Operator) async throws -> BatchJob
    /// A file, in pieces.
    func exportUpstreamKeys(_ export: KeyExport, by user: Operator) async throws -> ByteStream
    func setUpstreamKeys(
        _ ids: [Int],
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws
        -> BatchResult
    func deleteUpstreamKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult
    func setClientKeys(_ ids: [Int], enabled: Bool, by user: Operator) async throws -> BatchResult
    func deleteClientKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult
    /// `withDigests`: by which another gateway knows the same keys; only for admins, and written down.
    func exportClientKeys(
        _ format: ExportForm,
        withDigests: Bool,
        by user: Operator
    ) async throws -> ByteStream
}
