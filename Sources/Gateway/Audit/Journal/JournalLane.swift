import Synchronization

/// What the audit has lost or left out, and how much waits; read by every face.
final class AuditCounters: Sendable {
    let recordsWritten = Atomic<Int>(0)
    /// Exchanges that are in the journal and not yet in the database.
    let pending = Atomic<Int>(0)
    let dropped = Atomic<Int>(0)
    let bodiesTruncated = Atomic<Int>(0)
    let bodiesDropped = Atomic<Int>(0)
}

/// One loop's journal: the loop appends to the last segment, the audit writer reads from the first.
final class JournalLane: Sendable {
    static let segmentSize = 8 << 20
    /// Together with the segment's size the bound of what a loop may have waiting.
    static let segmentLimit = 12

    private struct State {
        /// In the order of writing; the last one is being written.
        var segments: [JournalSegment] = []
        var free: [JournalSegment] = []
        var nextNumber = 0
        var failure: SystemError?
    }

    private let state: Mutex<State>
    private let folder: String
    private let loop: Int

    init(folder: String, loop: Int, boot: Int) throws {
        self.folder = folder
        self.loop = loop
        state = Mutex(State(nextNumber: boot))
        let first = try makeSegment()
        state.withLock { $0.segments = [first] }
    }

    private func makeSegment() throws(SystemError) -> JournalSegment {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let path = "\(folder)/\(loop)-\(number).journal"
        return try JournalSegment(path: path, size: Self.segmentSize, isNew: true)
    }

    // MARK: The loop's side

    var first: JournalSegment? { state.withLock { $0.segments.last } }

    /// Another segment to write into; nil when the lane is at its bound or the disk is full.
    func nextSegment() -> JournalSegment? {
        let (isFull, free) = state.withLock { state in
            let isFull = state.segments.count >= Self.segmentLimit
            return (isFull, isFull ? nil : state.free.popLast())
        }
        guard !isFull else { return nil }
        do throws(SystemError) {
            let segment = if let free { free } else { try makeSegment() }
            state.withLock { state in
                state.segments.append(segment)
                state.failure = nil
            }
            return segment
        } catch {
            state.withLock { $0.failure = error }
            return nil
        }
    }

    /// 0 when nothing waits, 1 at the bound.
    var fill: Double {
        state.withLock { Double($0.segments.count - 1) / Double(Self.segmentLimit) }
    }

    var failure: SystemError? { state.withLock { $0.failure } }

    // MARK: The writer's side

    var segments: [JournalSegment] { state.withLock { $0.segments } }

    /// Makes a segment beforehand where none is free: a loop that has to do it itself stops for milliseconds.
    func prepareSpare() {
        guard state.withLock({ $0.free.isEmpty && $0.segments.count < Self.segmentLimit }) else { return }
        do throws(SystemError) {
            let spare = try makeSegment()
            state.withLock { state in
                state.free.append(spare)
                state.failure = nil
            }
        } catch {
            state.withLock { $0.failure = error }
        }
    }

    /// Gives back segments whose records are all in the database; one is kept to be written again.
    func retire(_ count: Int) {
        let surplus = state.withLock { state -> [JournalSegment] in
            let done = state.segments.prefix(min(count, state.segments.count - 1))
            state.segments.removeFirst(done.count)
            for segment in done {
                segment.begin()
            }
            state.free += done
            let extra = state.free.dropFirst(2)
            state.free = Array(state.free.prefix(2))
            return Array(extra)
        }
        for segment in surplus {
            segment.remove()
        }
    }

    /// Removes segments that wait to be written again, with what still stands in them.
    func forgetFree() {
        let free = state.withLock { state in
            defer { state.free = [] }
            return state.free
        }
        for segment in free {
            segment.remove()
        }
    }

    /// Everything is in the database: the files have done their work.
    func removeFiles() {
        let all = state.withLock { $0.segments + $0.free }
        for segment in all {
            segment.remove()
        }
    }
}
