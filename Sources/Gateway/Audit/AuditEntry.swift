/// A start record, pointing into the journal.
struct AuditStart {
    let id: Int
    let time: Int
    let clientKeyID: Int
    let upstreamID: Int
    let upstreamKeyID: Int?
    let requestID: UnsafeRawBufferPointer?
    let clientKey: UnsafeRawBufferPointer?
    let owner: UnsafeRawBufferPointer?
    let upstream: UnsafeRawBufferPointer?
    let upstreamKey: UnsafeRawBufferPointer?
    let address: UnsafeRawBufferPointer?
    let method: UnsafeRawBufferPointer?
    let path: UnsafeRawBufferPointer?
    let query: UnsafeRawBufferPointer?
    let headers: UnsafeRawBufferPointer?
    let body: UnsafeRawBufferPointer?
    let bodySize: Int

    init(_ bytes: UnsafeRawBufferPointer) throws(RecordDecoder.Damaged) {
        var decoder = RecordDecoder(bytes)
        id = try decoder.number()
        time = try decoder.number()
        clientKeyID = try decoder.number()
        upstreamID = try decoder.number()
        upstreamKeyID = try decoder.optional()
        requestID = try decoder.blob()
        clientKey = try decoder.blob()
        owner = try decoder.blob()
        upstream = try decoder.blob()
        upstreamKey = try decoder.blob()
        address = try decoder.blob()
        method = try decoder.blob()
        path = try decoder.blob()
        query = try decoder.blob()
        headers = try decoder.blob()
        body = try decoder.blob()
        bodySize = try decoder.number()
    }
}

/// An end record, pointing into the journal.
struct AuditEnd {
    let id: Int
    let status: Int?
    let error: UnsafeRawBufferPointer?
    let latency: Int
    let timeToFirstByte: Int?
    let overhead: Int
    let bytesIn: Int
    let bytesOut: Int
    let isStream: Int
    let chunks: Int
    let attempts: Int
    let model: UnsafeRawBufferPointer?
    let promptTokens: Int?
    let completionTokens: Int?
    let usage: Int
    let upstreamStatus: Int?
    let detail: UnsafeRawBufferPointer?
    let stream: Stream
    let headers: UnsafeRawBufferPointer?
    let body: UnsafeRawBufferPointer?
    let bodySize: Int
    /// Only when the request's body was streamed.
    let requestBody: UnsafeRawBufferPointer?
    let requestBodySize: Int
    /// Of the last attempt, when there were several.
    let upstreamKeyID: Int?
    let upstreamKey: UnsafeRawBufferPointer?
    /// JSON, when there is more to tell than the other fields do.
    let attemptsDetail: UnsafeRawBufferPointer?
    /// As `StreamStatistics.gapsText` writes them.
    let gaps: UnsafeRawBufferPointer?

    /// Microseconds from the request's arrival.
    struct Stream {
        let pieces: Int?
        let bytes: Int?
        let first: Int?
        let last: Int?
        let longestGap: Int?

        init(_ decoder: inout RecordDecoder) throws(RecordDecoder.Damaged) {
            pieces = try decoder.optional()
            bytes = try decoder.optional()
            first = try decoder.optional()
            last = try decoder.optional()
            longestGap = try decoder.optional()
        }
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(RecordDecoder.Damaged) {
        var decoder = RecordDecoder(bytes)
        id = try decoder.number()
        status = try decoder.optional()
        error = try decoder.blob()
        latency = try decoder.number()
        timeToFirstByte = try decoder.optional()
        overhead = try decoder.number()
        bytesIn = try decoder.number()
        bytesOut = try decoder.number()
        isStream = try decoder.number()
        chunks = try decoder.number()
        attempts = try decoder.number()
        model = try decoder.blob()
        promptTokens = try decoder.optional()
        completionTokens = try decoder.optional()
        usage = try decoder.number()
        upstreamStatus = try decoder.optional()
        detail = try decoder.blob()
        stream = try Stream(&decoder)
        headers = try decoder.blob()
        body = try decoder.blob()
        bodySize = try decoder.number()
        requestBody = try decoder.blob()
        requestBodySize = try decoder.number()
        // Records of the version before end here.
        let isLonger = decoder.hasMore
        upstreamKeyID = isLonger ? try decoder.optional() : nil
        upstreamKey = isLonger ? try decoder.blob() : nil
        attemptsDetail = isLonger ? try decoder.blob() : nil
        gaps = decoder.hasMore ? try decoder.blob() : nil
    }
}
