import Logging
import ServiceLifecycle
import Synchronization

/// Writes down what has become of keys, so that a rest survives a restart, and what rules have done; never on a loop.
final class PoolKeeper: Service {
    private static let interval = Duration.milliseconds(200)

    private let store: UpstreamStore
    private let rules: RuleStore
    private let hits = RuleHits()
    private let logger: Logger
    /// The newest health of each that is not written yet, by id.
    private struct Unwritten {
        var keys: [Int: HealthStateMachine] = [:]
        var upstreams: [Int: HealthStateMachine] = [:]
    }

    private let unwritten = Mutex(Unwritten())
    private let news: AsyncStream<Void>
    private let newsContinuation: AsyncStream<Void>.Continuation

    init(store: UpstreamStore, rules: RuleStore, logger: Logger) {
        self.store = store
        self.rules = rules
        self.logger = logger
        (news, newsContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func take(_ changes: [PoolChange], ofUpstream upstream: Int) {
        unwritten.withLock { unwritten in
            for change in changes {
                switch change {
                case .key(let id, let health): unwritten.keys[id] = health
                case .upstream(let health): unwritten.upstreams[upstream] = health
                // The count is in the file of counts.
                case .spent: break
                }
            }
        }
        newsContinuation.yield()
    }

    func took(rule: Int, now: Int) {
        hits.add(rule, now: now)
        newsContinuation.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            for await _ in news {
                write()
                // What comes in the meantime is written together; a cancelled sleep is the end of the loop.
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// The end writes what is left, once no exchange can change it any more.
    func write() {
        let taken = unwritten.withLock { unwritten in
            defer { unwritten = Unwritten() }
            return unwritten
        }
        let counted = hits.take()
        do {
            if !counted.isEmpty { try rules.count(counted) }
            if !taken.keys.isEmpty || !taken.upstreams.isEmpty {
                try store.keep(keys: taken.keys, upstreams: taken.upstreams)
            }
        } catch {
            logger.error("the states of upstream keys cannot be written", metadata: ["reason": "\(error)"])
            // Newer ones have come, or these are tried again with the next.
            unwritten.withLock { unwritten in
                unwritten.keys.merge(taken.keys) { newer, _ in newer }
                unwritten.upstreams.merge(taken.upstreams) { newer, _ in newer }
            }
        }
    }
}
