import Operations
import Synchronization

/// The pools of all upstreams by id.
final class PoolRegistry: Sendable {
    private let pools = Mutex<[Int: KeyPool]>([:])
    private let keeper: PoolKeeper
    private let limiter: Limiter
    private let news: PoolNews

    init(keeper: PoolKeeper, limiter: Limiter, news: PoolNews) {
        self.keeper = keeper
        self.limiter = limiter
        self.news = news
    }

    func rollOver(_ ends: QuotaEnds, now: Int) {
        for pool in pools.withLock({ Array($0.values) }) { pool.rollOver(ends, now: now) }
    }

    /// The sums of all pools.
    func timePassed(now: Int) -> (due: Int, resting: Int) {
        pools.withLock { Array($0.values) }.reduce(into: (0, 0)) { sums, pool in
            let (due, resting) = pool.timePassed(now: now)
            sums = (sums.0 + due, sums.1 + resting)
        }
    }

    func cleanUp(now: Int) -> Int {
        pools.withLock { Array($0.values) }.reduce(0) { $0 + $1.cleanUp(now: now) }
    }

    /// Empties the pools of upstreams that are gone: nobody may count where others will.
    ///
    /// Those with requests under way stay as long, since an upstream may come back by an undo.
    func keepOnly(_ ids: Set<Int>) {
        let gone = pools.withLock { pools in pools.filter { !ids.contains($0.key) } }
        for pool in gone.values {
            pool.configure([], .roundRobin, longestRest: .zero) { _ in HealthStateMachine() }
        }
        pools.withLock { pools in
            for (id, pool) in gone where !pool.isInUse { pools[id] = nil }
        }
    }

    func pool(ofUpstream id: Int) -> KeyPool {
        pools.withLock { pools in
            if let found = pools[id] { return found }
            let made = KeyPool(limiter: limiter) { [keeper, news] changes in
                keeper.take(changes, ofUpstream: id)
                news.take(changes, ofUpstream: id, now: WallClock.now().microseconds)
            } acted: { [keeper, news] acted, now in
                keeper.took(rule: acted.rule, now: now)
                if acted.notifies { news.matched(acted, ofUpstream: id, now: now) }
            }
            pools[id] = made
            return made
        }
    }
}
