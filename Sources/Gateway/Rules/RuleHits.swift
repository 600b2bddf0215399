import Synchronization

/// How often rules have acted since they were last counted.
final class RuleHits: Sendable {
    struct Count: Equatable, Sendable {
        var hits = 0
        /// Microseconds since 1970.
        var last = 0
    }

    private let counts = Mutex<[Int: Count]>([:])

    func add(_ rule: Int, now: Int) {
        counts.withLock { counts in
            counts[rule, default: Count()].hits += 1
            counts[rule]?.last = now
        }
    }

    /// Empties itself.
    func take() -> [Int: Count] {
        counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
    }
}
