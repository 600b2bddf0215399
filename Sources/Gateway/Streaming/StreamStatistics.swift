import NIOCore

/// When the pieces of an answer's body arrived.
struct StreamStatistics {
    /// A pause that a reader would notice.
    struct Gap: Equatable {
        /// How many events had come before it; reads, where there are no events.
        let after: Int
        let length: TimeAmount
    }

    static let noticeable = TimeAmount.milliseconds(250)
    /// Of more the longest are kept.
    static let mostGaps = 32

    private(set) var pieces = 0
    private(set) var bytes = 0
    private(set) var first: NIODeadline?
    private(set) var last: NIODeadline?
    private(set) var longestGap = TimeAmount.zero
    /// In the order in which they came.
    private(set) var gaps: [Gap] = []

    /// `events`: how many had come before this piece; nil where nobody counts them.
    mutating func record(_ count: Int, behind events: Int?, at now: NIODeadline) {
        if let last {
            let gap = now - last
            if gap >= Self.noticeable { note(Gap(after: events ?? pieces, length: gap)) }
            longestGap = max(longestGap, gap)
        } else {
            first = now
        }
        pieces += 1
        bytes += count
        last = now
    }

    private mutating func note(_ gap: Gap) {
        if gaps.count == Self.mostGaps {
            let shortest = gaps.indices.min { gaps[$0].length < gaps[$1].length }
            guard let shortest, gaps[shortest].length < gap.length else { return }
            gaps.remove(at: shortest)
        }
        gaps.append(gap)
    }

    /// `12:1400 55:300`, in milliseconds; nil without any.
    var gapsText: String? {
        guard !gaps.isEmpty else { return nil }
        return gaps.map { "\($0.after):\($0.length.nanoseconds / 1_000_000)" }.joined(separator: " ")
    }

    /// The most bytes that such a text has.
    static let gapsTextLimit = mostGaps * 40
}
