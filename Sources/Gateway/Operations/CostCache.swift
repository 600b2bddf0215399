import Synchronization

/// Answers that are dear are given again for a while: fifty times as long as they took to find, so that all who ask
/// the same thing together cost a fiftieth of one processor, however many they are and however large the log is.
final class CostCache<Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let until: ContinuousClock.Instant
    }

    private static var factor: Int { 50 }
    private static var limit: Int { 256 }

    private let entries = Mutex<[String: Entry]>([:])

    /// Two that ask at the same time may both look; that is cheaper than to wait for each other.
    func value(for key: String, _ find: () throws -> Value) rethrows -> Value {
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[key] }), entry.until > now { return entry.value }
        let value = try find()
        let end = ContinuousClock.now
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = entries.filter { $0.value.until > end } }
            if entries.count >= Self.limit { entries = [:] }
            entries[key] = Entry(value: value, until: end + (end - now) * Self.factor)
        }
        return value
    }
}
