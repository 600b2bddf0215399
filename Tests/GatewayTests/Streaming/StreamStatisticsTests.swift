import NIOCore
import Testing

@testable import Gateway

@Suite struct `Pauses of a stream` {
    private func recorded(_ gaps: [Int64], events: (Int) -> Int? = { $0 }) -> StreamStatistics {
        var stream = StreamStatistics()
        var now = NIODeadline.now()
        stream.record(10, behind: events(0), at: now)
        for (index, gap) in gaps.enumerated() {
            now = now + .milliseconds(gap)
            stream.record(10, behind: events(index + 1), at: now)
        }
        return stream
    }

    @Test func `only what a reader would notice is kept, with its place`() {
        let stream = recorded([20, 249, 250, 1400, 3])
        #expect(stream.gapsText == "3:250 4:1400")
        #expect(stream.longestGap == .milliseconds(1400) && stream.pieces == 6 && stream.bytes == 60)
        #expect(recorded([20, 20]).gapsText == nil && recorded([]).gapsText == nil)
        // Without events their reads are counted.
        #expect(recorded([300]) { _ in nil }.gapsText == "1:300")
    }

    @Test(arguments: [-1, 0, 1])
    func `of too many the longest are kept`(more: Int) {
        let count = StreamStatistics.mostGaps + more
        let stream = recorded((0..<count).map { 300 + Int64($0 == 5 ? -1 : $0) })
        #expect(stream.gaps.count == min(count, StreamStatistics.mostGaps))
        // The shortest has gone, and only when another had no room.
        #expect(stream.gaps.contains { $0.after == 6 } == (more < 1))
        #expect(stream.gaps.map(\.after) == stream.gaps.map(\.after).sorted())
        #expect(stream.gapsText?.utf8.count ?? 0 <= StreamStatistics.gapsTextLimit)
    }
}
