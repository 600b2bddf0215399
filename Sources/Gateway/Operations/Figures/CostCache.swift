import Synchronization

/// Answers that are dear are given again for a while, the longer the dearer, so that all who ask the same thing cost
/// little together, however many they are; longer than a minute only as far as finding them would else take more than a
/// fortieth of one processor.
final class CostCache<Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var until: ContinuousClock.Instant
        /// While somebody looks again, the others are given what is known.
        var isRenewed = false
    }

    private static var factor: Int { 100 }
    private static var longest: Duration { .seconds(60) }
    private static var leastFactor: Int { 40 }
    private static var limit: Int { 256 }

    private let entries = Mutex<[String: Entry]>([:])

    func value(for key: String, _ find: () throws -> Value) rethrows -> Value {
        let now = ContinuousClock.now
        let known = entries.withLock { entries -> Value? in
            guard let entry = entries[key] else { return nil }
            if entry.until > now || entry.isRenewed { return entry.value }
            entries[key]?.isRenewed = true
            return nil
        }
        if let known { return known }
        do {
            let value = try find()
            let end = ContinuousClock.now
            let life = max(min((end - now) * Self.factor, Self.longest), (end - now) * Self.leastFactor)
            entries.withLock { entries in
                if entries.count >= Self.limit { entries = entries.filter { $0.value.until > end } }
                if entries.count >= Self.limit { entries = [:] }
                entries[key] = Entry(value: value, until: end + life)
            }
            return value
        } catch {
            // What is known is known still; the next who asks looks again.
            entries.withLock { $0[key]?.isRenewed = false }
            throw error
        }
    }
}
