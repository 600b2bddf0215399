import Operations

/// What is used of a quota, in memory that may outlive the process.
///
/// Unchecked: whoever owns the quota locks its memory.
struct QuotaCount: @unchecked Sendable {
    /// Words of its place: whose it is, its period and one, what is used, and when it begins anew.
    enum Word {
        static let identity = 0, period = 1, used = 2, end = 3
        static let size = 4
    }

    private let words: UnsafeMutablePointer<UInt64>

    init(_ words: UnsafeMutablePointer<UInt64>) {
        self.words = words
    }

    private(set) var used: Int {
        get { Int(words[Word.used]) }
        nonmutating set { words[Word.used] = UInt64(newValue) }
    }

    /// Microseconds since 1970; 0 for never.
    private(set) var end: Int {
        get { Int(words[Word.end]) }
        nonmutating set { words[Word.end] = UInt64(newValue) }
    }

    /// Negative amounts give back what was reserved, of which a new period knows nothing.
    func add(_ amount: Int) {
        used = max(0, used + amount)
    }

    func set(used amount: Int) {
        used = amount
    }

    /// Another period ends at another time; the same goes on.
    func set(_ period: QuotaPeriod, _ ends: QuotaEnds) {
        let code = UInt64(QuotaPeriod.allCases.firstIndex(of: period) ?? 0) + 1
        guard words[Word.period] != code else { return }
        words[Word.period] = code
        end = ends[period]
    }

    /// Begins anew when its time has come.
    ///
    /// - Returns: whether it has.
    func rollOver(now: Int, _ period: QuotaPeriod, _ ends: QuotaEnds) -> Bool {
        guard end != 0, end <= now else { return false }
        // The count goes first: a death between costs nobody a request.
        used = 0
        end = ends[period]
        return true
    }

    /// Whether this may be a count, and not what is left of a damaged file.
    var isSound: Bool {
        (1...UInt64(QuotaPeriod.allCases.count)).contains(words[Word.period]) && words[Word.used] < 1 << 60
            && words[Word.end] < 1 << 60
    }
}

/// A quota with what is used of it.
struct CountedQuota: Sendable {
    let quota: Quota
    let count: QuotaCount

    /// Whether so much more may be used.
    func allows(_ amount: Int) -> Bool { count.used + amount <= quota.total }

    var standing: QuotaStanding {
        QuotaStanding(
            quota,
            used: count.used,
            resetsAt: count.end == 0 ? nil : Timestamp(microseconds: count.end)
        )
    }
}
