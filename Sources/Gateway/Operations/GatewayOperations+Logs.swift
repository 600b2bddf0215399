package import Operations

extension GatewayOperations {
    package func logs(_ query: LogQuery, by user: Operator) async throws -> Page<LogRecord> {
        let queries = auditQueries
        return try await SearchThreads.run { try queries.page(query) }
    }

    package func log(_ id: Int, by user: Operator) async throws -> LogDetail {
        try auditQueries.detail(id)
    }

    package func followLogs(
        filter: String,
        maxPerSecond: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<LogBatch, any Error> {
        let parsed = try AuditQueries.parse(filter)
        let queries = auditQueries
        let tail = gateway.audit.tail
        let subscription = tail.subscribe()
        let limit = min(max(maxPerSecond, 1), 1000)
        return AsyncThrowingStream { continuation in
            let task = Task {
                defer { tail.unsubscribe(subscription) }
                do {
                    for await _ in subscription.news {
                        // What comes in the meantime goes with it.
                        try await Task.sleep(for: Self.followInterval)
                        let (ids, skipped) = subscription.take(max(1, limit / 5))
                        let records = try queries.records(ids, matching: parsed)
                        if !records.isEmpty || skipped > 0 {
                            continuation.yield(LogBatch(records: records, skipped: skipped))
                        }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Five times a second: quick enough for an eye, and cheap.
    private static let followInterval = Duration.milliseconds(200)
}
