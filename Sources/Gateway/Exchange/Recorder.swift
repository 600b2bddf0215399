import NIOCore
import Synchronization

/// Where a loop's exchanges are written down: the audit's journal and this loop's share of the telemetry.
final class Recorder {
    /// What a recorder is made of, before its loop exists.
    struct Parts: Sendable {
        /// nil when the audit is off.
        var lane: JournalLane?
        var counters: AuditCounters
        var isStrict: Bool
        var telemetry: Telemetry
    }

    private let parts: Parts
    private var segment: JournalSegment?
    private var accumulator = LoopAccumulator()
    private var isHandOffPlanned = false
    /// Ends that found no room; told to the writer as soon as there is some, so that it stops waiting for them.
    private var lost: [Int] = []
    private var retryAt = NIODeadline.uptimeNanoseconds(0)

    init(_ parts: Parts) {
        self.parts = parts
        segment = parts.lane?.first
    }

    /// Writes the start record, before the first byte goes upstream.
    ///
    /// - Returns: false when the audit is strict and cannot take the exchange.
    func begin(_ exchange: Exchange) -> Bool {
        guard parts.lane != nil else { return true }
        let policy = policy(limit: exchange.requestBody.limit, kept: exchange.requestBody.kept)
        let isWritten = append(
            ExchangeRecords.startKind,
            size: ExchangeRecords.startSize(exchange, policy)
        ) { ExchangeRecords.encodeStart(exchange, policy, into: &$0) }
        exchange.isJournaled = isWritten
        if isWritten { parts.counters.pending.wrappingAdd(1, ordering: .relaxed) }
        return isWritten || !parts.isStrict
    }

    /// Writes the end record, before the bytes that complete the answer.
    func end(_ exchange: Exchange, on loop: any EventLoop) {
        account(exchange, loop)
        guard parts.lane != nil else { return }
        if !exchange.isJournaled {
            // Refused after it became an exchange but before an attempt: both records are written now.
            guard exchange.outcome.attempts == 0, begin(exchange), exchange.isJournaled else {
                parts.counters.dropped.wrappingAdd(1, ordering: .relaxed)
                return
            }
        }
        let (answer, late) = (exchange.answer.body.limit, exchange.lateBodySize)
        let limit = late > 0 ? min(answer, ExchangeRecords.BodyPolicy.sharedLimit) : answer
        let policy = policy(limit: limit, kept: max(exchange.answer.body.kept, late))
        let isWritten = append(
            ExchangeRecords.endKind,
            size: ExchangeRecords.endSize(exchange, policy)
        ) { ExchangeRecords.encodeEnd(exchange, policy, into: &$0) }
        if !isWritten {
            parts.counters.dropped.wrappingAdd(1, ordering: .relaxed)
            lost.append(exchange.request.id)
        }
    }

    /// Writes down a request that became no exchange.
    func refused(_ refused: ExchangeRecords.Refused, on loop: any EventLoop) {
        accumulator.recordRefused(refused, at: WallClock.now().seconds)
        planHandOff(loop)
        guard parts.lane != nil else { return }
        let size = ExchangeRecords.refusedSize(refused) + refused.refusal.message.utf8.count
        let isStarted = append(ExchangeRecords.startKind, size: size) {
            ExchangeRecords.encodeStart(refused, into: &$0)
        }
        let isEnded =
            isStarted
            && append(ExchangeRecords.endKind, size: size) {
                ExchangeRecords.encodeEnd(refused, into: &$0)
            }
        if isStarted { parts.counters.pending.wrappingAdd(1, ordering: .relaxed) }
        if isStarted && !isEnded { lost.append(refused.id) }
        if !isEnded { parts.counters.dropped.wrappingAdd(1, ordering: .relaxed) }
    }

    // MARK: Journal

    /// Bodies are given up first, and records only when the lane is full.
    private func policy(limit: Int, kept size: Int) -> ExchangeRecords.BodyPolicy {
        guard let lane = parts.lane, size > 0 else { return ExchangeRecords.BodyPolicy(limit: limit) }
        switch lane.fill {
        case ..<0.5: return ExchangeRecords.BodyPolicy(limit: limit)
        case ..<0.75:
            if size > ExchangeRecords.BodyPolicy.reduced.limit {
                parts.counters.bodiesTruncated.wrappingAdd(1, ordering: .relaxed)
            }
            return .reduced
        default:
            parts.counters.bodiesDropped.wrappingAdd(1, ordering: .relaxed)
            return .none
        }
    }

    private func append(_ kind: UInt32, size: Int, _ encode: (inout RecordEncoder) -> Void) -> Bool {
        guard let room = segment?.room(for: size) ?? moveOn(size) else { return false }
        var encoder = RecordEncoder(room)
        encode(&encoder)
        segment?.publish(count: encoder.count, kind: kind)
        if !lost.isEmpty { tellLost() }
        return true
    }

    private func tellLost() {
        while let id = lost.last, let room = segment?.room(for: 8) {
            var encoder = RecordEncoder(room)
            encoder.number(id)
            segment?.publish(count: encoder.count, kind: ExchangeRecords.lostKind)
            lost.removeLast()
        }
    }

    /// A full disk is asked again once a second, not once a request.
    private func moveOn(_ size: Int) -> UnsafeMutableRawBufferPointer? {
        let now = NIODeadline.now()
        // A record that no segment can hold must not use one up.
        guard now >= retryAt, size + 256 <= JournalLane.segmentSize else { return nil }
        guard let next = parts.lane?.nextSegment() else {
            retryAt = now + .seconds(1)
            return nil
        }
        segment = next
        return next.room(for: size)
    }

    /// Goes on in another segment, so that the present one can be emptied; false when there is no room for one.
    func turnOver() -> Bool {
        guard let lane = parts.lane else { return true }
        guard let next = lane.nextSegment() else { return false }
        segment = next
        return true
    }

    // MARK: Telemetry

    private func account(_ exchange: Exchange, _ loop: any EventLoop) {
        accumulator.record(exchange)
        planHandOff(loop)
    }

    /// Hands the counts over every 100 ms while there are any.
    private func planHandOff(_ loop: any EventLoop) {
        guard !isHandOffPlanned else { return }
        isHandOffPlanned = true
        let recorder = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(100)) { recorder.value.handOff() }
    }

    func handOff() {
        isHandOffPlanned = false
        parts.telemetry.take(accumulator)
        accumulator = LoopAccumulator()
    }
}
