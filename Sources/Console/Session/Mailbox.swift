import CLinux
import Operations
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Where other threads leave events for the console's thread, which it wakes.
///
/// Bounded: of snapshots only the newest counts, pieces of the answer that is watched become one, and of log batches so many wait; more are counted as skipped.
final class Mailbox: Sendable {
    /// What is asked of the loop itself.
    enum Order: Sendable, Equatable {
        case resized
        case end(ConsoleEnd)
    }

    private struct Content {
        var events: [ConsoleEvent] = []
        var orders: [Order] = []
    }

    static let batchLimit = 64

    private let content = Mutex(Content())
    /// Readable while something is here.
    let wakeReader: Int32
    private let wakeWriter: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        // Without descriptors nothing is woken; the loop then looks once a second.
        if clinux_pipe(&ends) != 0 { ends = [-1, -1] }
        (wakeReader, wakeWriter) = (ends[0], ends[1])
    }

    deinit {
        close(wakeReader)
        close(wakeWriter)
    }

    func post(_ answer: ConsoleEvent.Answer) {
        content.withLock { content in
            switch answer {
            case .live:
                content.events.removeAll { if case .answer(.live) = $0 { true } else { false } }
            case .logBatch(let batch, let watch):
                if let merged = Self.drop(from: &content.events, batch, watch) {
                    content.events.append(.answer(.logBatch(merged, watch)))
                    return
                }
            case .watched(let id, let piece):
                if case .answer(.watched(id, let waiting))? = content.events.last, piece.gap == 0 {
                    content.events[content.events.count - 1] = .answer(
                        .watched(id, waiting.followed(by: piece))
                    )
                    return
                }
            default: break
            }
            content.events.append(.answer(answer))
        }
        wake()
    }

    /// With too many batches waiting the oldest goes, and its rows are counted.
    private static func drop(
        from events: inout [ConsoleEvent],
        _ batch: LogBatch,
        _ watch: LogWatch
    ) -> LogBatch? {
        let waiting = events.indices.filter {
            if case .answer(.logBatch) = events[$0] { true } else { false }
        }
        guard waiting.count >= batchLimit, let first = waiting.first,
            case .answer(.logBatch(let oldest, let itsWatch)) = events.remove(at: first)
        else { return nil }
        // Those of another filter, or of a glance, are nothing that this one has passed over.
        let passed = itsWatch == watch ? oldest.skipped + oldest.records.count : 0
        return LogBatch(records: batch.records, skipped: batch.skipped + passed)
    }

    func post(_ themes: ThemeLibrary) {
        content.withLock { $0.events.append(.themes(themes)) }
        wake()
    }

    func order(_ order: Order) {
        content.withLock { $0.orders.append(order) }
        wake()
    }

    func take() -> (events: [ConsoleEvent], orders: [Order]) {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(wakeReader, &bytes, bytes.count) == bytes.count {}
        return content.withLock { content in
            defer { content = Content() }
            return (content.events, content.orders)
        }
    }

    /// Whether the console has been told to end.
    var isEnding: Bool {
        content.withLock { $0.orders.contains { if case .end = $0 { true } else { false } } }
    }

    private func wake() {
        // A full pipe is already awake.
        _ = write(wakeWriter, [1], 1)
    }
}

extension WatchedPiece {
    /// Both as one.
    fileprivate func followed(by next: WatchedPiece) -> WatchedPiece {
        var whole = next
        if !next.restarted {
            whole.text = text + next.text
            (whole.restarted, whole.gap) = (restarted, gap)
        }
        return whole
    }
}
