import Synchronization

/// Tells those who watch the log which exchanges have just been written.
final class AuditTail: Sendable {
    /// What one watcher has not fetched yet; older ones are skipped and counted.
    final class Subscription: Sendable {
        private let limit: Int
        private let state = Mutex<(ids: [Int], skipped: Int)>(([], 0))
        /// An element when there is something to take, so that nobody looks in vain while nothing happens.
        let news: AsyncStream<Void>
        private let newsContinuation: AsyncStream<Void>.Continuation

        init(limit: Int) {
            self.limit = limit
            (news, newsContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }

        func add(_ ids: [Int]) {
            state.withLock { state in
                state.ids += ids
                let surplus = state.ids.count - limit
                if surplus > 0 {
                    state.ids.removeFirst(surplus)
                    state.skipped += surplus
                }
            }
            newsContinuation.yield()
        }

        /// The newest ids, up to a limit, and how many were passed over since the last call.
        func take(_ limit: Int) -> (ids: [Int], skipped: Int) {
            state.withLock { state in
                let newest = state.ids.suffix(limit)
                let skipped = state.skipped + state.ids.count - newest.count
                state = ([], 0)
                return (Array(newest), skipped)
            }
        }
    }

    private let subscriptions = Mutex<[ObjectIdentifier: Subscription]>([:])

    /// `limit`: as many ids wait at most.
    func subscribe(limit: Int) -> Subscription {
        let subscription = Subscription(limit: limit)
        subscriptions.withLock { $0[ObjectIdentifier(subscription)] = subscription }
        return subscription
    }

    func unsubscribe(_ subscription: Subscription) {
        subscriptions.withLock { $0[ObjectIdentifier(subscription)] = nil }
    }

    func publish(_ ids: [Int]) {
        guard !ids.isEmpty else { return }
        for subscription in subscriptions.withLock({ Array($0.values) }) {
            subscription.add(ids)
        }
    }
}
