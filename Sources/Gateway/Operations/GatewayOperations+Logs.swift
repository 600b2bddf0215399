package import Operations

extension GatewayOperations {
    package func logs(_ query: LogQuery, by user: Operator) async throws -> Page<LogRecord> {
        let queries = auditQueries
        return try await SearchThreads.run(while: queries.wanted) { try queries.page(query) }
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
        let allowance = FollowAllowance(
            perSecond: min(max(maxPerSecond, 1), 1000),
            isFiltered: parsed != .all
        )
        // A reader that takes nothing costs a few batches; what it misses it is told.
        return AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.followBuffer)) { continuation in
            let task = Task { [allowance] in
                var allowance = allowance
                defer { tail.unsubscribe(subscription) }
                var missed = 0
                do {
                    for await _ in subscription.news {
                        try await Task.sleep(until: allowance.next(after: .now))
                        let began = ContinuousClock.now
                        let limit = allowance.take(at: began)
                        var batch = try await SearchThreads.runTail {
                            try Self.batch(subscription, queries, parsed, limit: limit)
                        }
                        allowance.spend(batch.records.count, cost: .now - began)
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
            return LogBatch(records: try queries.records(ids, matching: filter).records, skipped: skipped)
        }
        let (ids, skipped) = subscription.take(.max)
        let (fitting, isComplete) = try queries.records(ids, matching: filter)
        let newest = Array(fitting.suffix(limit))
        // Of what there was no time to look at nobody knows whether it would have fitted: it is counted as skipped.
        let unseen = isComplete ? 0 : ids.count - fitting.count
        return LogBatch(records: newest, skipped: skipped + unseen + fitting.count - newest.count)
    }

    /// Records of which the newest are shown, and records that a filter has to look at: two seconds of heavy traffic.
    private static let newest = 1000
    private static let searched = 50_000
    /// Batches that wait for a reader.
    private static let followBuffer = 8
}
