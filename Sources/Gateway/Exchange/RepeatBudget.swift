import Operations

/// How often one request may still be tried: no clock; times are microseconds since 1970.
struct RepeatBudget: Equatable {
    /// A pool of dead keys is not worked through at one caller's expense.
    private static let total = 24

    private let counted: Int
    private let deadline: Int
    private(set) var made = 0
    private(set) var countedMade = 0

    init(_ policy: RetryPolicy, from start: Int) {
        counted = policy.maxAttempts
        deadline = start + policy.maxTime.milliseconds * 1000
    }

    /// An attempt has failed; `counts`: not by its key's own trouble.
    mutating func failed(counts: Bool) {
        made += 1
        if counts { countedMade += 1 }
    }

    func allowsAnother(now: Int) -> Bool {
        made < Self.total && countedMade < counted && now < deadline
    }

    /// Whether another upstream may be asked, whatever became of this one.
    func allowsOther(now: Int) -> Bool { counted > 1 && now < deadline }

    /// Another upstream has tries of its own, and one at least.
    mutating func moveOn() {
        made = 0
        countedMade = min(countedMade, max(0, counted - 1))
    }

    /// How long to wait before the next one, in milliseconds: not at all after a key's own trouble, else longer each
    /// time, and never the same for all.
    func wait(counts: Bool, random: UInt64) -> Int {
        guard counts, countedMade > 0 else { return 0 }
        let longest = min(50 << min(countedMade - 1, 5), 1000)
        return longest / 2 + Int(random % UInt64(longest))
    }
}
