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
        let subscription = tail.subscribe(limit: parsed == .all ? Self.newest : Self.searched)
        let limit = min(max(maxPerSecond, 1), 1000)
        let batchesPerSecond =
            limit < 50 ? 1 : parsed == .all ? Self.batchesPerSecond : 2 * Self.batchesPerSecond
        // A reader that takes nothing costs a few batches; what it misses it is told.
        return AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.followBuffer)) { continuation in
            let task = Task {
                defer { tail.unsubscribe(subscription) }
                var missed = 0
                var next = ContinuousClock.now
                do {
                    for await _ in subscription.news {
                        // The first after a pause goes at once; what comes in the meantime goes with the next.
                        next = max(next, .now + Self.gathering)
                        try await Task.sleep(until: next)
                        next += .seconds(1) / batchesPerSecond
                        let share = max(1, limit / batchesPerSecond)
                        var batch = try Self.batch(subscription, queries, parsed, limit: share)
                        batch.skipped += missed
                        missed = 0
                        guard !batch.records.isEmpty || batch.skipped > 0 else { continue }
                        if case .dropped(let lost) = continuation.yield(batch) {
                            missed = lost.skipped + lost.records.count
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

    /// The newest of what a filter accepts; what is skipped are rows that it accepts too, as far as that is known.
    private static func batch(
        _ subscription: AuditTail.Subscription,
        _ queries: AuditQueries,
        _ filter: LogFilter,
        limit: Int
    ) throws -> LogBatch {
        if filter == .all {
            let (ids, skipped) = subscription.take(limit)
            return LogBatch(records: try queries.records(ids, matching: filter), skipped: skipped)
        }
        let (ids, skipped) = subscription.take(.max)
        // Bounded by the subscription's limit, and not to wait behind searches of the whole log.
        let fitting = try queries.records(ids, matching: filter)
        let newest = Array(fitting.suffix(limit))
        return LogBatch(records: newest, skipped: skipped + fitting.count - newest.count)
    }

    /// Records of which the newest are shown, and records that a filter has to look at: two seconds of heavy traffic.
    private static let newest = 1000
    private static let searched = 50_000
    /// Batches that wait for a reader.
    private static let followBuffer = 8
    /// Quick enough for an eye, and cheap; who wants few records gets them once a second, and who waits for certain
    /// ones sooner.
    private static let batchesPerSecond = 5
    /// Exchanges that end together are written together.
    private static let gathering = Duration.milliseconds(20)
}
