import Operations
import Synchronization

/// One snapshot a second for all who watch with the same filter, so that many consoles cost little more than one.
final class LiveHub: Sendable {
    typealias Watcher = AsyncThrowingStream<LiveSnapshot, any Error>.Continuation

    private struct Watch {
        /// Tells it from others of the same filter, before and after it.
        let number: Int
        var watchers: [Int: Watcher] = [:]
        var last: LiveSnapshot?
        /// Makes the snapshots; ends with the last watcher.
        var task: Task<Void, Never>?
    }

    private struct Content {
        var next = 0
        var watches: [String: Watch] = [:]

        mutating func number() -> Int {
            next += 1
            return next
        }
    }

    /// Snapshots that wait for a watcher who takes none: the newest are enough.
    private static let buffer = 2
    private let interval: Duration
    private let content = Mutex(Content())

    init(interval: Duration = .seconds(1)) {
        self.interval = interval
    }

    /// How many watch.
    var watcherCount: Int { content.withLock { $0.watches.values.reduce(0) { $0 + $1.watchers.count } } }

    /// Ends when its reader stops, or when no snapshot can be made; `ended` is told once.
    func snapshots(
        _ filter: String,
        ended: @escaping @Sendable () -> Void,
        make: @escaping @Sendable () async throws -> LiveSnapshot
    ) -> AsyncThrowingStream<LiveSnapshot, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.buffer)) { watcher in
            let number = content.withLock { $0.number() }
            // Before it can be told anything, the end included.
            watcher.onTermination = { [weak self] _ in
                self?.leave(filter, number)
                ended()
            }
            join(filter, number, watcher, make)
        }
    }

    private func join(
        _ filter: String,
        _ number: Int,
        _ watcher: Watcher,
        _ make: @escaping @Sendable () async throws -> LiveSnapshot
    ) {
        content.withLock { content in
            var watch = content.watches[filter] ?? Watch(number: content.number())
            watch.watchers[number] = watcher
            // Under the lock, or a newer one might come before it; yielding calls nobody.
            if let last = watch.last { watcher.yield(last) }
            if watch.task == nil {
                let own = watch.number
                watch.task = Task { [weak self] in await self?.publish(filter, own, make) }
            }
            content.watches[filter] = watch
        }
    }

    private func leave(_ filter: String, _ number: Int) {
        let ended: Task<Void, Never>? = content.withLock { content in
            guard content.watches[filter]?.watchers.removeValue(forKey: number) != nil,
                content.watches[filter]?.watchers.isEmpty == true
            else { return nil }
            return content.watches.removeValue(forKey: filter)?.task
        }
        ended?.cancel()
    }

    private func publish(
        _ filter: String,
        _ number: Int,
        _ make: @Sendable () async throws -> LiveSnapshot
    ) async {
        do {
            while true {
                let snapshot = try await make()
                guard keep(snapshot, filter, number) else { return }
                try await Task.sleep(for: interval)
            }
        } catch {
            let watch = content.withLock { content in
                content.watches[filter]?.number == number ? content.watches.removeValue(forKey: filter) : nil
            }
            for watcher in watch?.watchers.values ?? [:].values { watcher.finish(throwing: error) }
        }
    }

    /// - Returns: false when nobody waits for snapshots of this one any more.
    private func keep(_ snapshot: LiveSnapshot, _ filter: String, _ number: Int) -> Bool {
        content.withLock { content in
            guard content.watches[filter]?.number == number else { return false }
            content.watches[filter]?.last = snapshot
            for watcher in content.watches[filter]?.watchers.values ?? [:].values { watcher.yield(snapshot) }
            return true
        }
    }
}
