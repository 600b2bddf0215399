import Operations

/// What is used of a quota, in memory that may outlive the process.
///
/// Unchecked: whoever owns the quota locks its memory.
struct QuotaCount: @unchecked Sendable {
    /// Words of its place: whose it is, its period and one, what is used, when it begins anew, how often it has, and
    /// its unit and one.
    enum Word {
        static let identity = 0, period = 1, used = 2, end = 3, epoch = 4, unit = 5
        static let size = 6
    }

    /// Far above every quota, and far from what a number can hold: providers report what they like.
    private static let most = 1 << 58

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

    /// Another one each time that it begins anew: what was reserved before is not given back after.
    private(set) var epoch: UInt64 {
        get { words[Word.epoch] }
        nonmutating set { words[Word.epoch] = newValue }
    }

    /// Negative amounts give back what was reserved.
    func add(_ amount: Int) {
        used = min(max(0, used + min(max(amount, -Self.most), Self.most)), Self.most)
    }

    func set(used amount: Int) {
        epoch &+= 1
        used = min(max(0, amount), Self.most)
    }

    /// What has been used stays; in another unit it means nothing, and another period ends at another time.
    func set(_ quota: Quota, _ ends: QuotaEnds) {
        let unit = UInt64(QuotaUnit.allCases.firstIndex(of: quota.unit) ?? 0) + 1
        if words[Word.unit] != unit {
            if words[Word.unit] != 0 { set(used: 0) }
            words[Word.unit] = unit
        }
        let period = UInt64(QuotaPeriod.allCases.firstIndex(of: quota.period) ?? 0) + 1
        guard words[Word.period] != period else { return }
        end = ends[quota.period]
        words[Word.period] = period
    }

    /// Begins anew when its time has come.
    ///
    /// - Returns: whether it has.
    func rollOver(now: Int, _ period: QuotaPeriod, _ ends: QuotaEnds) -> Bool {
        // A time of day that was wrong for a while has put the end where it does not belong.
        if end > ends[period] || end == 0 { end = ends[period] }
        guard end != 0, end <= now else { return false }
        // The count goes first: a death between costs nobody a request.
        set(used: 0)
        end = ends[period]
        return true
    }

    /// Whether this may be a count, and not what is left of a damaged file.
    var isSound: Bool {
        (1...UInt64(QuotaPeriod.allCases.count)).contains(words[Word.period])
            && words[Word.used] <= UInt64(Self.most)
            && words[Word.end] < 1 << 60 && words[Word.unit] <= UInt64(QuotaUnit.allCases.count)
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
