/// Counts of durations in buckets that grow by a quarter of a power of two; at most 12 % wrong at any size.
///
/// Sparse: the durations of one second fall into a few buckets only.
struct LatencyHistogram: Equatable, Sendable {
    struct Bucket: Equatable, Sendable {
        let index: UInt8
        var count: UInt32
    }

    /// By rising index.
    private(set) var buckets: [Bucket] = []

    init(_ buckets: [Bucket] = []) {
        self.buckets = buckets
    }

    var count: Int { buckets.reduce(0) { $0 + Int($1.count) } }

    mutating func record(microseconds: Int) {
        add(Self.index(of: microseconds), 1)
    }

    mutating func merge(_ other: LatencyHistogram) {
        for bucket in other.buckets {
            add(bucket.index, bucket.count)
        }
    }

    private mutating func add(_ index: UInt8, _ count: UInt32) {
        var position = 0
        while position < buckets.count, buckets[position].index < index {
            position += 1
        }
        if position < buckets.count, buckets[position].index == index {
            buckets[position].count += count
        } else {
            buckets.insert(Bucket(index: index, count: count), at: position)
        }
    }

    /// The duration in microseconds that a share of all, from 0 to 1, do not exceed; nil when there are none.
    func percentile(_ share: Double) -> Int? {
        let total = count
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * share).rounded(.up)))
        var seen = 0
        for bucket in buckets {
            seen += Int(bucket.count)
            if seen >= rank { return Self.middle(of: bucket.index) }
        }
        return nil
    }

    /// How many do not exceed a duration, for Prometheus.
    func count(upTo microseconds: Int) -> Int {
        let last = Self.index(of: microseconds)
        return buckets.reduce(0) { $1.index <= last ? $0 + Int($1.count) : $0 }
    }

    static func index(of microseconds: Int) -> UInt8 {
        guard microseconds >= 4 else { return UInt8(max(microseconds, 0)) }
        let power = Int.bitWidth - 1 - microseconds.leadingZeroBitCount
        let quarter = microseconds >> (power - 2) & 3
        return UInt8(min(255, (power - 1) * 4 + quarter))
    }

    static func middle(of index: UInt8) -> Int {
        guard index >= 4 else { return Int(index) }
        let power = Int(index) / 4 + 1
        let quarter = Int(index) % 4
        let low = (4 + quarter) << (power - 2)
        return low + (1 << (power - 2)) / 2
    }
}
