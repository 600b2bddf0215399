import NIOCore

/// What a loop has counted since it last handed its counts over.
struct LoopAccumulator: Sendable {
    /// Whom a count is for; 0 where nobody is known.
    struct Scope: Hashable, Sendable {
        let upstream: Int
        let clientKey: Int
    }

    struct Slot: Hashable, Sendable {
        let second: Int
        let scope: Scope
    }

    private(set) var cells: [Slot: TrafficCell] = [:]
    private(set) var statuses: [Int: Int] = [:]
    private(set) var refusals: [String: Int] = [:]
    /// The newest use of client keys, in microseconds since 1970.
    private(set) var lastUse: [Int: Int] = [:]
    private(set) var attempts = 0

    mutating func record(_ exchange: Exchange) {
        let request = exchange.request
        let outcome = exchange.outcome
        let end = WallClock.now()
        let scope = Scope(upstream: request.upstream.id, clientKey: request.clientKey.id)
        cells[Slot(second: end.seconds, scope: scope), default: TrafficCell()].add(exchange)
        statuses[outcome.status ?? 0, default: 0] += 1
        if let error = outcome.error { refusals[error, default: 0] += 1 }
        lastUse[request.clientKey.id] = request.receivedAt
        attempts += outcome.attempts
    }

    mutating func recordRefused(_ refused: ExchangeRecords.Refused, at second: Int) {
        let code = refused.refusal.code
        let slot = Slot(second: second, scope: Scope(upstream: 0, clientKey: 0))
        cells[slot, default: TrafficCell()].count(status: code.status, error: code.rawValue)
        cells[slot]?.bytesOut += refused.bytesOut
        statuses[code.status, default: 0] += 1
        refusals[code.rawValue, default: 0] += 1
    }
}

extension TrafficCell {
    fileprivate mutating func add(_ exchange: Exchange) {
        let outcome = exchange.outcome
        let times = exchange.times
        count(status: outcome.status, error: outcome.error)
        bytesIn += outcome.bytesIn
        bytesOut += outcome.bytesOut
        promptTokens += outcome.usage?.promptTokens ?? 0
        completionTokens += outcome.usage?.completionTokens ?? 0
        guard let finished = times.finished else { return }
        let microseconds = Int((finished - times.received).nanoseconds / 1000)
        latencySum += microseconds
        latency.record(microseconds: microseconds)
        if let began = times.answerBegan {
            timeToFirstByte.record(microseconds: Int((began - times.received).nanoseconds / 1000))
        }
    }
}
