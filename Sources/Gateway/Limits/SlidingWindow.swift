/// One sliding window over memory that may outlive the process: how many requests began in the last minute, hour or day.
///
/// Up to `exactLimit` it keeps the time of each request, and is exact; it may keep more of them than the limit, which
/// has been higher, and may be so again. Above that it keeps counts of sixty parts of the
/// window and the one that is running, so a request counts for up to a sixtieth longer: never too many, and at
/// most that part too few. Times are microseconds of one clock that never goes back.
///
/// Unchecked: whoever owns the window locks its memory.
struct SlidingWindow: @unchecked Sendable {
    /// Of a limit above it, or where more are counted, the requests are counted by parts of the window.
    static let exactLimit = 1000
    /// Parts of a window, without the one that is running.
    static let parts = 60

    /// Words before the counts: whose window it is, the shape, where the next time goes or which part is running, and how
    /// many times there are or how many requests all parts have.
    enum Word {
        static let identity = 0, shape = 1, head = 2, count = 3
        static let body = 4
    }

    /// What memory a window needs: one word, so that a death changes it or does not.
    struct Shape: Equatable, Sendable {
        private static let counted = UInt64(UInt32.max)

        let limit: Int
        /// How many times there is room for; nil where parts are counted.
        let capacity: Int?

        /// For this limit where so many are counted already.
        init(limit: Int, counted: Int = 0) {
            self.limit = limit
            let needed = max(limit, counted)
            capacity = needed <= exactLimit ? needed : nil
        }

        /// The other limit in the same memory.
        init(limit: Int, in other: Shape) {
            (self.limit, capacity) = (limit, other.capacity)
        }

        init(word: UInt64) {
            limit = Int(word & Self.counted)
            // Once only the limit was kept here.
            let room = word >> 32 == 0 && limit <= exactLimit ? UInt64(limit) : word >> 32
            capacity = (1...UInt64(exactLimit)).contains(room) ? Int(room) : nil
        }

        var word: UInt64 { (capacity.map(UInt64.init) ?? Self.counted) << 32 | UInt64(limit) }

        /// Words in all.
        var size: Int { Word.body + (capacity ?? parts + 1) }

        /// Whether there is all that the other one needs.
        func holds(_ other: Shape) -> Bool {
            guard let capacity, let wanted = other.capacity else { return capacity == other.capacity }
            return capacity >= wanted
        }
    }

    let words: UnsafeMutablePointer<UInt64>
    /// In microseconds.
    let length: Int
    let shape: Shape
    private let isExact: Bool
    /// Of times, where those are kept.
    private let capacity: Int

    /// `words` holds what an earlier process has counted, or zeros after the shape.
    init(_ words: UnsafeMutablePointer<UInt64>, length: Int) {
        self.words = words
        self.length = length
        shape = Shape(word: words[Word.shape])
        isExact = shape.capacity != nil
        capacity = shape.capacity ?? 1
    }

    var limit: Int { shape.limit }

    /// The same counts under another limit, where the memory has room for that.
    func with(limit: Int, now: Int) -> SlidingWindow? {
        guard shape.holds(Shape(limit: limit, counted: current(now: now))) else { return nil }
        words[Word.shape] = Shape(limit: limit, in: shape).word
        return SlidingWindow(words, length: length)
    }

    private var head: Int {
        get { Int(words[Word.head]) }
        nonmutating set { words[Word.head] = UInt64(newValue) }
    }

    private var count: Int {
        get { Int(words[Word.count]) }
        nonmutating set { words[Word.count] = UInt64(newValue) }
    }

    private subscript(place: Int) -> Int {
        get { Int(words[Word.body + place]) }
        nonmutating set { words[Word.body + place] = UInt64(newValue) }
    }

    private var partLength: Int { length / Self.parts }

    // MARK: Counting

    /// Microseconds until one more may begin; 0 when it may now.
    func wait(now: Int) -> Int {
        if isExact { return count < limit ? 0 : max(0, time(count - limit) + length - now) }
        advance(to: now)
        var excess = count - limit + 1
        guard excess > 0 else { return 0 }
        for part in oldest...head {
            excess -= self[place(part)]
            if excess <= 0 { return leaves(part) - now }
        }
        return length
    }

    /// Counts one that begins now; `wait` has said that it may.
    func take(now: Int) {
        guard isExact else {
            advance(to: now)
            self[place(head)] += 1
            count += 1
            return
        }
        // Clocks of two processors may be told apart: times must not fall.
        self[head] = count == 0 ? now : max(now, self[(head + capacity - 1) % capacity])
        head = (head + 1) % capacity
        count = min(count + 1, capacity)
    }

    /// Requests that count now.
    func current(now: Int) -> Int {
        guard isExact else {
            advance(to: now)
            return count
        }
        // Times rise from the oldest on: the first that still counts is found by halving.
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if time(middle) + length > now { high = middle } else { low = middle + 1 }
        }
        return count - low
    }

    /// Microseconds until the oldest request that counts does so no more; 0 when none does.
    func untilFirstLeaves(now: Int) -> Int {
        let counted = current(now: now)
        guard counted > 0 else { return 0 }
        if isExact { return time(count - counted) + length - now }
        let first = (oldest...head).first { self[place($0)] > 0 }
        return max(0, leaves(first ?? head) - now)
    }

    // MARK: The times of an exact one

    /// The time of the request so many after the oldest kept.
    private func time(_ offset: Int) -> Int {
        self[(head + capacity - count + offset) % capacity]
    }

    // MARK: The parts of the others

    private var oldest: Int { max(0, head - Self.parts) }

    private func place(_ part: Int) -> Int { part % (Self.parts + 1) }

    /// When a part counts no more.
    private func leaves(_ part: Int) -> Int { (part + Self.parts + 1) * partLength }

    /// Empties the parts that have gone by.
    private func advance(to now: Int) {
        let running = now / partLength
        guard running > head else { return }
        for part in max(head + 1, running - Self.parts)...running {
            count -= self[place(part)]
            self[place(part)] = 0
        }
        head = running
    }

    // MARK: Lives of memory

    /// Makes what a process has left sound, however its death has cut it off; false when it is no window.
    ///
    /// A death leaves at most one request half counted, and that one was not let through.
    func mend(now: Int) -> Bool {
        guard isExact else {
            var sum = 0
            for place in 0...Self.parts {
                guard words[Word.body + place] <= UInt64(Int32.max) else { return false }
                sum += self[place]
            }
            guard words[Word.head] <= UInt64(now / partLength) else { return false }
            count = sum
            return true
        }
        guard words[Word.head] < UInt64(capacity), words[Word.count] <= UInt64(capacity) else { return false }
        var last = 0
        for offset in 0..<count {
            let time = words[Word.body + (head + capacity - count + offset) % capacity]
            guard time >= UInt64(last), time <= UInt64(max(0, now)) else { return false }
            last = Int(time)
        }
        return true
    }

    /// Counts what another window of the same length has counted, the newest as far as they have room.
    func adopt(_ other: SlidingWindow, now: Int) {
        if isExact {
            for time in other.times(now: now, newest: capacity) { take(now: time) }
        } else if other.isExact {
            for time in other.times(now: now, newest: other.capacity) { take(now: time) }
        } else {
            other.advance(to: now)
            for part in 0...Self.parts { self[part] = other[part] }
            (head, count) = (other.head, other.count)
        }
    }

    /// When each of the newest requests that count began, or at the latest began, in this order.
    private func times(now: Int, newest most: Int) -> [Int] {
        let counted = min(current(now: now), most)
        if isExact { return (count - counted..<count).map(time) }
        var times: [Int] = []
        for part in (oldest...head).reversed() where times.count < most {
            let latest = min(now, (part + 1) * partLength)
            times += Array(repeating: latest, count: min(self[place(part)], most - times.count))
        }
        return times.reversed()
    }
}
