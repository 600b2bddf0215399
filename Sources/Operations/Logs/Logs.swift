/// One exchange in the list of the log.
package struct LogRecord: Codable, Sendable, Equatable {
    package var id: Int
    package var requestId: String
    package var time: Timestamp
    @ShownNull package var owner: String?
    @ShownNull package var clientKey: String?
    @ShownNull package var clientKeyId: Int?
    @ShownNull package var upstream: String?
    @ShownNull package var upstreamId: Int?
    @ShownNull package var upstreamKey: String?
    @ShownNull package var upstreamKeyId: Int?
    package var clientAddress: String
    package var method: String
    package var path: String
    @ShownNull package var query: String?
    /// nil when nothing was sent to the caller.
    @ShownNull package var status: Int?
    @ShownNull package var error: String?
    @ShownNull package var latencyMs: Double?
    @ShownNull package var ttftMs: Double?
    package var bytesIn: Int
    package var bytesOut: Int
    package var isStream: Bool
    package var streamChunks: Int
    @ShownNull package var model: String?
    @ShownNull package var promptTokens: Int?
    @ShownNull package var completionTokens: Int?
    package var usage: UsageSource
    package var attempts: Int
    package var overheadUs: Int

    package init(id: Int, requestId: String, time: Timestamp) {
        self.id = id
        self.requestId = requestId
        self.time = time
        clientAddress = ""
        method = ""
        path = ""
        bytesIn = 0
        bytesOut = 0
        isStream = false
        streamChunks = 0
        usage = .missing
        attempts = 0
        overheadUs = 0
    }
}

extension LogRecord {
    /// Whether the process ended before the exchange did: what the caller was sent is not known.
    package var wasCutByCrash: Bool { error == "interrupted" }
}

/// When the pieces of an answer arrived.
package struct LogStream: Codable, Sendable, Equatable {
    package var reads: Int
    package var bytes: Int
    @ShownNull package var firstMs: Double?
    @ShownNull package var lastMs: Double?
    @ShownNull package var longestGapMs: Double?
    /// Pauses that a reader would notice, in the order in which they came; of more than 32 the longest.
    package var gaps: [LogGap]

    package init(reads: Int, bytes: Int) {
        self.reads = reads
        self.bytes = bytes
        gaps = []
    }
}

/// A pause of a stream of a quarter of a second or more.
package struct LogGap: Codable, Sendable, Equatable {
    /// How many events had come before it; reads, where an answer has no events.
    package var after: Int
    package var ms: Int

    package init(after: Int, ms: Int) {
        (self.after, self.ms) = (after, ms)
    }
}

/// One try of an exchange.
package struct LogAttempt: Codable, Sendable, Equatable {
    package var n: Int
    @ShownNull package var upstream: String?
    @ShownNull package var upstreamKey: String?
    @ShownNull package var status: Int?
    @ShownNull package var error: String?
    @ShownNull package var ttftMs: Double?
    @ShownNull package var durationMs: Double?
    package var rules: [String] = []

    package init(n: Int) {
        self.n = n
    }
}

/// A key that was passed over, and why.
package struct SkippedKey: Codable, Sendable, Equatable {
    package var upstreamKey: String
    @ShownNull package var reason: String?
    @ShownNull package var until: Timestamp?
}

/// Everything that is known of one exchange.
package struct LogDetail: Codable, Sendable {
    package var record: LogRecord
    /// As received, secrets covered; nil once their retention is over.
    package var requestHeaders: [String: String]?
    package var requestBody: String?
    package var requestBodyBytes: Int?
    package var responseHeaders: [String: String]?
    package var responseBody: String?
    package var responseBodyBytes: Int?
    package var stream: LogStream?
    package var attemptsDetail: [LogAttempt]
    /// When the first attempt began.
    package var skipped: [SkippedKey]

    package init(record: LogRecord) {
        self.record = record
        attemptsDetail = []
        skipped = []
    }

    /// False when the caller was answered something else than what the upstream had said, which is what is kept.
    package var passedAnswerOn: Bool {
        guard let upstreamStatus = attemptsDetail.last?.status else { return true }
        return upstreamStatus == record.status
    }

    private enum CodingKeys: String, CodingKey {
        case requestHeaders, requestBody, requestBodyBytes, responseHeaders, responseBody, responseBodyBytes,
            stream
        case attemptsDetail, skipped
    }

    /// The record's fields and the detail's stand side by side.
    package func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(requestHeaders, forKey: .requestHeaders)
        try container.encode(requestBody, forKey: .requestBody)
        try container.encode(requestBodyBytes, forKey: .requestBodyBytes)
        try container.encode(responseHeaders, forKey: .responseHeaders)
        try container.encode(responseBody, forKey: .responseBody)
        try container.encode(responseBodyBytes, forKey: .responseBodyBytes)
        try container.encode(stream, forKey: .stream)
        try container.encode(attemptsDetail, forKey: .attemptsDetail)
        try container.encode(skipped, forKey: .skipped)
    }

    package init(from decoder: any Decoder) throws {
        record = try LogRecord(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        requestHeaders = try container.decodeIfPresent([String: String].self, forKey: .requestHeaders)
        requestBody = try container.decodeIfPresent(String.self, forKey: .requestBody)
        requestBodyBytes = try container.decodeIfPresent(Int.self, forKey: .requestBodyBytes)
        responseHeaders = try container.decodeIfPresent([String: String].self, forKey: .responseHeaders)
        responseBody = try container.decodeIfPresent(String.self, forKey: .responseBody)
        responseBodyBytes = try container.decodeIfPresent(Int.self, forKey: .responseBodyBytes)
        stream = try container.decodeIfPresent(LogStream.self, forKey: .stream)
        attemptsDetail = try container.decodeIfPresent([LogAttempt].self, forKey: .attemptsDetail) ?? []
        skipped = try container.decodeIfPresent([SkippedKey].self, forKey: .skipped) ?? []
    }
}

/// Which end of the log a list begins at.
package enum LogOrder: String, Sendable, CaseIterable {
    case newest
    case oldest
}

/// Which records of the log are wanted.
package struct LogQuery: Sendable {
    package var order = LogOrder.newest
    package var filter = ""
    package var from: Timestamp?
    package var to: Timestamp?
    package var limit = 100
    package var cursor: String?

    package init() {}
}

/// Records that have just been written, and how many more there were.
package struct LogBatch: Sendable {
    package let records: [LogRecord]
    package var skipped: Int

    package init(records: [LogRecord], skipped: Int) {
        self.records = records
        self.skipped = skipped
    }
}

/// The audit, as operators read it.
package protocol LogOperations: Sendable {
    func logs(_ query: LogQuery, by user: Operator) async throws -> Page<LogRecord>
    func log(_ id: Int, by user: Operator) async throws -> LogDetail
    /// New records as they are written; ends when the caller stops listening.
    func followLogs(
        filter: String,
        maxPerSecond: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<LogBatch, any Error>
}
