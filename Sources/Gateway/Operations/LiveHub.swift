import Operations
import Synchronization

/// One snapshot a second for all who watch with the same filter, so that many consoles cost little more than one.
final class LiveHub: Sendable {
    typealias Watcher = AsyncThrowingStream<LiveSnapshot, any Error>.Continuation

    private struct Watch {
        var watchers: [Int: Watcher] = [:]
        var last: LiveSnapshot?
        /// Makes the snapshots; ends with the last watcher.
        var task: Task<Void, Never>?
    }

    private struct Content {
        var next = 0
        var watches: [String: Watch] = [:]
    }

    /// Snapshots that wait for a watcher who takes none: the newest are enough.
    private static let buffer = 2
    private static let interval = Duration.seconds(1)

    private let content = Mutex(Content())

    /// Ends when its reader stops, or when no snapshot can be made.
    func snapshots(
        _ filter: String,
        ended: @escaping @Sendable () -> Void,
        make: @escaping @Sendable () async throws -> LiveSnapshot
    ) -> AsyncThrowingStream<LiveSnapshot, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.buffer)) { watcher in
            let (number, last) = join(filter, watcher, make)
            if let last { watcher.yield(last) }
            watcher.onTermination = { [weak self] _ in
                self?.leave(filter, number)
                ended()
            }
        }
    }

    private func join(
        _ filter: String,
        _ watcher: Watcher,
        _ make: @escaping @Sendable () async throws -> LiveSnapshot
    ) -> (number: Int, last: LiveSnapshot?) {
        content.withLock { content in
            content.next += 1
            content.watches[filter, default: Watch()].watchers[content.next] = watcher
            if content.watches[filter]?.task == nil {
                content.watches[filter]?.task = Task { [weak self] in
                    await self?.publish(filter, make)
                }
            }
            return (content.next, content.watches[filter]?.last)
        }
    }

    private func leave(_ filter: String, _ number: Int) {
        let ended: Task<Void, Never>? = content.withLock { content in
            content.watches[filter]?.watchers[number] = nil
            guard content.watches[filter]?.watchers.isEmpty == true else { return nil }
            return content.watches.removeValue(forKey: filter)?.task
        }
        ended?.cancel()
    }

    private func publish(_ filter: String, _ make: @Sendable () async throws -> LiveSnapshot) async {
        do {
            while true {
                let snapshot = try await make()
                try Task.checkCancellation()
                for watcher in keep(snapshot, filter) { watcher.yield(snapshot) }
                try await Task.sleep(for: Self.interval)
            }
        } catch {
            // Cancelled, it is no longer the one that makes these snapshots.
            guard !Task.isCancelled else { return }
            let watch = content.withLock { $0.watches.removeValue(forKey: filter) }
            for watcher in watch?.watchers.values ?? [:].values { watcher.finish(throwing: error) }
        }
    }

    private func keep(_ snapshot: LiveSnapshot, _ filter: String) -> [Watcher] {
        content.withLock { content in
            content.watches[filter]?.last = snapshot
            return content.watches[filter].map { Array($0.watchers.values) } ?? []
        }
    }
}
