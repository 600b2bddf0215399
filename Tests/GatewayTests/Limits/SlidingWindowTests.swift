import Testing

@testable import Gateway

/// Windows against a list of every time, which is what they stand for.
@Suite struct `Sliding window` {
    /// Everything that was admitted, and nothing forgotten until it cannot count.
    struct Oracle {
        let length: Int
        let limit: Int
        private var times: [Int] = []
        private var first = 0

        init(length: Int, limit: Int) {
            (self.length, self.limit) = (length, limit)
        }

        mutating func count(now: Int) -> Int {
            while first < times.count, times[first] + length <= now { first += 1 }
            return times.count - first
        }

        /// When the oldest that counts leaves.
        var leaves: Int { times[first] + length }

        mutating func take(now: Int) { times.append(now) }
    }

    private static func memory(_ limit: Int) -> UnsafeMutablePointer<UInt64> {
        let size = SlidingWindow.Shape(limit: limit).size
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: size)
        words.initialize(repeating: 0, count: size)
        words[SlidingWindow.Word.shape] = SlidingWindow.Shape(limit: limit).word
        return words
    }

    @Test(arguments: [1, 2, 7, 60, 1000])
    func `an exact window admits what a list of all times would`(limit: Int) {
        let words = Self.memory(limit)
        defer { words.deallocate() }
        let window = SlidingWindow(words, length: 60_000_000)
        var oracle = Oracle(length: 60_000_000, limit: limit)
        var random = SeededRandom(seed: UInt64(limit))
        var now = 5_000_000
        for _ in 0..<100_000 {
            now += random.below(4) == 0 ? random.below(120_000_000 / limit) : random.below(3)
            let count = oracle.count(now: now)
            let wait = window.wait(now: now)
            guard window.current(now: now) == count, (wait == 0) == (count < limit) else {
                Issue.record("at \(now) \(window.current(now: now)) are counted, and there are \(count)")
                return
            }
            if wait > 0 {
                #expect(now + wait == oracle.leaves)
            } else {
                window.take(now: now)
                oracle.take(now: now)
            }
            if count > 0, window.untilFirstLeaves(now: now) != oracle.leaves - now, wait > 0 {
                Issue.record("the first leaves at \(oracle.leaves)")
                return
            }
        }
        #expect(window.mend(now: now))
    }

    @Test(arguments: [1001, 5000])
    func `a window of parts never admits more, and at most a sixtieth less`(limit: Int) {
        let length = 60_000_000
        let words = Self.memory(limit)
        defer { words.deallocate() }
        let window = SlidingWindow(words, length: length)
        var oracle = Oracle(length: length, limit: limit)
        // What counts for a sixtieth longer.
        var longer = Oracle(length: length + length / SlidingWindow.parts, limit: limit)
        var random = SeededRandom(seed: UInt64(limit))
        var now = 0
        for _ in 0..<200_000 {
            now += random.below(200) == 0 ? random.below(length / 10) : random.below(2 * length / limit / 3)
            let wait = window.wait(now: now)
            let (count, most) = (oracle.count(now: now), longer.count(now: now))
            guard count <= limit, window.current(now: now) >= count, window.current(now: now) <= most else {
                Issue.record("at \(now) \(window.current(now: now)) are counted of \(count) to \(most)")
                return
            }
            if wait == 0 {
                window.take(now: now)
                oracle.take(now: now)
                longer.take(now: now)
            } else {
                #expect(window.wait(now: now + wait) == 0 && window.wait(now: now) <= length + length / 60)
                // Looking ahead moved the window on.
                now += wait
            }
        }
        #expect(window.mend(now: now))
    }

    @Test func `a limit that changes keeps what was counted`() {
        for (before, after) in [(5, 3), (3, 5), (1000, 2000), (2000, 1000), (2000, 3000), (2, 1001)] {
            let (old, new) = (Self.memory(before), Self.memory(after))
            defer {
                old.deallocate()
                new.deallocate()
            }
            let first = SlidingWindow(old, length: 60_000_000)
            for index in 0..<before { first.take(now: 120_000_000 + index * 1000) }
            let now = 125_000_000
            let second = SlidingWindow(new, length: 60_000_000)
            second.adopt(first, now: now)
            #expect(second.current(now: now) == min(before, after) || second.current(now: now) == before)
            #expect((second.wait(now: now) > 0) == (before >= after))
            #expect(second.wait(now: 250_000_000) == 0)
        }
    }

    @Test func `memory that holds no window is not taken for one`() {
        let words = Self.memory(10)
        defer { words.deallocate() }
        let window = SlidingWindow(words, length: 60_000_000)
        window.take(now: 7)
        window.take(now: 9)
        #expect(window.mend(now: 9) && !window.mend(now: 8), "times that are to come")
        words[SlidingWindow.Word.head] = 11
        #expect(!window.mend(now: 9))
        words[SlidingWindow.Word.head] = 2
        words[SlidingWindow.Word.count] = .max
        #expect(!window.mend(now: 9))
    }
}
