import CLinux
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Memory for windows that the death of the process does not take: a mapped file, written to the disk every second.
///
/// The first page holds the clock, then come segments of places of one size each. Places are found again by the
/// identity in their first word. When the disk has no room, windows live in plain memory, and `problem` says so.
///
/// Not safe for several threads: its owner locks it, and each window is its own owner's.
final class WindowFile {
    private static let magic: UInt64 = 0x3130_4D49_4C47_4601
    private static let pageSize = 4096
    private static let segmentSize = 256 << 10
    /// Words of a segment before its places: the size of each.
    private static let segmentHeader = 8
    /// Places are of so many words, and of twice as many, and so on.
    private static let smallest = 16
    private static let sizes = 7

    private enum Word {
        static let magic = 0, boot = 1, base = 2, last = 3, wall = 4
    }

    private struct Place {
        let words: UnsafeMutablePointer<UInt64>
        let size: Int
    }

    let clock: LimitClock
    private(set) var problem: String?
    private let descriptor: Int32
    private let header: UnsafeMutablePointer<UInt64>
    private var segments: [UnsafeMutableRawPointer] = []
    private var mapped = 0
    private var free: [[UnsafeMutablePointer<UInt64>]] = Array(repeating: [], count: sizes)
    private var used: [UInt64: Place] = [:]

    /// Opens the file, or makes it, and finds the windows of an earlier process.
    init(path: String, _ reading: LimitClock.Reading) throws(SystemError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw SystemError("cannot open \(path)") }
        let size = Int(clinux_size_of_file(descriptor))
        guard size >= 0 else { throw SystemError("cannot read \(path)") }
        let isNew = size < Self.pageSize
        let code = isNew ? posix_fallocate(descriptor, 0, Self.pageSize) : 0
        guard code == 0 else { throw SystemError("cannot allocate \(path)", code: code) }
        let page = mmap(nil, Self.pageSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let page, page != MAP_FAILED else { throw SystemError("cannot map \(path)") }
        header = page.bindMemory(to: UInt64.self, capacity: Self.pageSize / 8)
        let isKnown = header[Word.magic] == Self.magic
        let kept = LimitClock.Kept(
            boot: header[Word.boot],
            base: Int(Int64(bitPattern: header[Word.base])),
            last: Int(Int64(bitPattern: header[Word.last])),
            wall: Int(Int64(bitPattern: header[Word.wall]))
        )
        clock = LimitClock(after: isKnown ? kept : nil, reading)
        if !isKnown, ftruncate(descriptor, off_t(Self.pageSize)) != 0 {
            throw SystemError("cannot empty \(path)")
        }
        header[Word.boot] = reading.boot
        header[Word.base] = UInt64(bitPattern: Int64(clock.base))
        mark(reading)
        header[Word.magic] = Self.magic
        if isKnown { try recover(size: size, now: clock.now(reading)) }
    }

    deinit {
        for segment in segments { munmap(segment, Self.segmentSize) }
        munmap(header, Self.pageSize)
        close(descriptor)
    }

    // MARK: Windows

    /// The window of an identity, with what it has counted so far, also under another limit.
    func window(_ key: LimitKey, _ window: LimitWindow, limit: Int, now: Int) -> SlidingWindow {
        let identity = Self.identity(key, window)
        let length = window.length * 1_000_000
        guard let known = used[identity] else {
            let shape = SlidingWindow.Shape(limit: limit)
            let place = occupy(identity, size: shape.size) { $0[SlidingWindow.Word.shape] = shape.word }
            return SlidingWindow(place.words, length: length)
        }
        let before = SlidingWindow(known.words, length: length)
        if let same = before.with(limit: limit, now: now) { return same }
        let shape = SlidingWindow.Shape(limit: limit, counted: before.current(now: now))
        // The old place is given up last: a death between leaves two, of which either is right.
        let place = occupy(identity, size: shape.size) { words in
            words[SlidingWindow.Word.shape] = shape.word
            SlidingWindow(words, length: length).adopt(before, now: now)
        }
        vacate(known)
        return SlidingWindow(place.words, length: length)
    }

    /// What is used of an object's quota.
    func quota(_ key: LimitKey) -> QuotaCount {
        let identity = Self.identity(key, nil)
        return QuotaCount((used[identity] ?? occupy(identity, size: QuotaCount.Word.size)).words)
    }

    /// Makes room beforehand, since getting it from the system takes longer than a lock should be held.
    func reserve(_ wanted: [(key: LimitKey, limits: RateLimits)]) {
        var missing = Array(repeating: 0, count: Self.sizes)
        for (key, limits) in wanted {
            for window in LimitWindow.allCases {
                guard let limit = limits[window] else { continue }
                let shape = SlidingWindow.Shape(limit: limit)
                // A window whose memory is enough needs no other place.
                if let place = used[Self.identity(key, window)],
                    SlidingWindow.Shape(word: place.words[SlidingWindow.Word.shape]).holds(shape)
                {
                    continue
                }
                missing[Self.sizeIndex(shape.size)] += 1
            }
        }
        for (index, count) in missing.enumerated() {
            while free[index].count < count { addSegment(index) }
        }
    }

    var isEmpty: Bool { used.isEmpty }

    /// Forgets a window that no limit asks for any more; nil for the quota.
    func remove(_ key: LimitKey, _ window: LimitWindow?) {
        if let place = used.removeValue(forKey: Self.identity(key, window)) { vacate(place) }
    }

    /// Forgets the windows of objects that are gone, and their quotas, for which the window is nil.
    func removeAll(but isWanted: (LimitKey, LimitWindow?) -> Bool) {
        let gone = used.keys.filter { identity in
            Self.parse(identity).map { !isWanted($0.0, $0.1) } ?? true
        }
        for identity in gone {
            if let place = used.removeValue(forKey: identity) { vacate(place) }
        }
    }

    // MARK: Time

    /// Notes how late it is, so that a restart of the machine can tell how long it was away.
    func mark(_ reading: LimitClock.Reading) {
        header[Word.last] = UInt64(bitPattern: Int64(clock.now(reading)))
        header[Word.wall] = UInt64(bitPattern: Int64(reading.wall))
    }

    /// A descriptor of the file that somebody else may write to the disk by, nil when there is none left.
    func duplicateDescriptor() -> Int32? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return copy >= 0 ? copy : nil
    }

    // MARK: Places

    /// A window's count is told from a quota's, for which it is nil.
    private static func identity(_ key: LimitKey, _ window: LimitWindow?) -> UInt64 {
        let scope = LimitScope.allCases.firstIndex(of: key.scope) ?? 0
        let place = window.flatMap(LimitWindow.allCases.firstIndex) ?? LimitWindow.allCases.count
        return UInt64(scope + 1) << 56 | UInt64(place + 1) << 48 | UInt64(key.id) & 0xFFFF_FFFF_FFFF
    }

    private static func parse(_ identity: UInt64) -> (LimitKey, LimitWindow?)? {
        let (scope, place) = (Int(identity >> 56) - 1, Int(identity >> 48 & 0xFF) - 1)
        let all = LimitWindow.allCases
        guard LimitScope.allCases.indices.contains(scope), (0...all.count).contains(place) else { return nil }
        let key = LimitKey(scope: LimitScope.allCases[scope], id: Int(identity & 0xFFFF_FFFF_FFFF))
        return (key, place < all.count ? all[place] : nil)
    }

    private static func sizeIndex(_ words: Int) -> Int {
        (0..<sizes).first { smallest << $0 >= words } ?? sizes - 1
    }

    /// `fill`: writes what is in the place before it is anybody's.
    private func occupy(
        _ identity: UInt64,
        size: Int,
        _ fill: (UnsafeMutablePointer<UInt64>) -> Void = { _ in }
    ) -> Place {
        let index = Self.sizeIndex(size)
        if free[index].isEmpty { addSegment(index) }
        let words = free[index].removeLast()
        words.update(repeating: 0, count: Self.smallest << index)
        fill(words)
        words[SlidingWindow.Word.identity] = identity
        let place = Place(words: words, size: index)
        used[identity] = place
        return place
    }

    private func vacate(_ place: Place) {
        place.words[SlidingWindow.Word.identity] = 0
        free[place.size].append(place.words)
    }

    // MARK: Segments

    private func addSegment(_ index: Int) {
        let offset = Self.pageSize + mapped * Self.segmentSize
        // Allocated beforehand: a write into a hole of a full disk kills the process.
        let code = posix_fallocate(descriptor, off_t(offset), off_t(Self.segmentSize))
        if code == 0, let segment = map(at: offset) {
            mapped += 1
            fill(segment, index)
        } else {
            fill(plainMemory(becauseOf: code == 0 ? errno : code), index)
        }
    }

    /// Memory that dies with the process, where the disk has no room.
    private func plainMemory(becauseOf code: Int32) -> UnsafeMutableRawPointer {
        problem = SystemError("cannot extend the file of rate limits", code: code).description
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let memory = mmap(nil, Self.segmentSize, PROT_READ | PROT_WRITE, flags, -1, 0),
            memory != MAP_FAILED
        else { preconditionFailure("the system has no memory left") }
        return memory
    }

    private func map(at offset: Int) -> UnsafeMutableRawPointer? {
        let flags = PROT_READ | PROT_WRITE
        let segment = mmap(nil, Self.segmentSize, flags, MAP_SHARED, descriptor, off_t(offset))
        return segment == MAP_FAILED ? nil : segment
    }

    private func fill(_ segment: UnsafeMutableRawPointer, _ index: Int) {
        segments.append(segment)
        let words = segment.bindMemory(to: UInt64.self, capacity: Self.segmentSize / 8)
        words[0] = UInt64(index + 1)
        free[index] += places(words, index).reversed()
    }

    private func places(_ words: UnsafeMutablePointer<UInt64>, _ index: Int) -> [UnsafeMutablePointer<UInt64>]
    {
        let size = Self.smallest << index
        let count = (Self.segmentSize / 8 - Self.segmentHeader) / size
        return (0..<count).map { words + Self.segmentHeader + $0 * size }
    }

    private func recover(size: Int, now: Int) throws(SystemError) {
        let count = (size - Self.pageSize) / Self.segmentSize
        for number in 0..<count {
            let offset = Self.pageSize + number * Self.segmentSize
            guard var segment = map(at: offset) else {
                throw SystemError("cannot map the file of rate limits")
            }
            mapped += 1
            // A copy of the file may have holes, and no room to fill them.
            let code = posix_fallocate(descriptor, off_t(offset), off_t(Self.segmentSize))
            if code != 0 {
                let memory = plainMemory(becauseOf: code)
                memory.copyMemory(from: segment, byteCount: Self.segmentSize)
                munmap(segment, Self.segmentSize)
                segment = memory
            }
            let words = segment.bindMemory(to: UInt64.self, capacity: Self.segmentSize / 8)
            let index = Int(clamping: words[0]) - 1
            guard (0..<Self.sizes).contains(index) else {
                // Cut off before its size was written: nothing is in it.
                fill(segment, 0)
                continue
            }
            segments.append(segment)
            for place in places(words, index) { take(place, index, now: now) }
        }
    }

    private func take(_ words: UnsafeMutablePointer<UInt64>, _ index: Int, now: Int) {
        let identity = words[SlidingWindow.Word.identity]
        guard let (_, window) = Self.parse(identity), used[identity] == nil,
            isSound(words, window, index, now: now)
        else {
            words[SlidingWindow.Word.identity] = 0
            free[index].append(words)
            return
        }
        used[identity] = Place(words: words, size: index)
    }

    private func isSound(
        _ words: UnsafeMutablePointer<UInt64>,
        _ window: LimitWindow?,
        _ index: Int,
        now: Int
    ) -> Bool {
        guard let window else { return QuotaCount(words).isSound }
        let shape = SlidingWindow.Shape(word: words[SlidingWindow.Word.shape])
        return RateLimits.range.contains(shape.limit) && shape.size <= Self.smallest << index
            && SlidingWindow(words, length: window.length * 1_000_000).mend(now: now)
    }
}
