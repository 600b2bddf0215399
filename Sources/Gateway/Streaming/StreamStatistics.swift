import NIOCore

/// When the pieces of an answer's body arrived.
struct StreamStatistics {
    private(set) var pieces = 0
    private(set) var bytes = 0
    private(set) var first: NIODeadline?
    private(set) var last: NIODeadline?
    private(set) var longestGap = TimeAmount.zero

    mutating func record(_ count: Int, at now: NIODeadline) {
        pieces += 1
        bytes += count
        if let last {
            longestGap = max(longestGap, now - last)
        } else {
            first = now
        }
        last = now
    }
}
