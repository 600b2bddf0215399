import NIOCore
import Synchronization

/// One event loop's share of the data plane; everything in it is touched on that loop only.
final class Worker {
    let loop: any EventLoop
    let recorder: Recorder
    let addressBook: AddressBook
    let limiter: Limiter
    let headerValues: HeaderValues
    let readMemory = ReadMemory()
    private(set) var snapshot: Snapshot
    private(set) var isDraining = false
    private(set) var exchanges: [Exchange] = []
    private let shared: SharedCounters
    private var pools: [ConnectionIdentity: ConnectionPool] = [:]
    private var deadlines = Deadlines()
    private var callers = 0
    private var isTicking = false
    /// Of a generator that is quick and need not be unpredictable (SplitMix64; Steele, Lea, Flood 2014).
    private var random = UInt64.random(in: .min ... .max)

    init(
        loop: any EventLoop,
        snapshot: Snapshot,
        shared: SharedCounters,
        recorder: Recorder,
        addressBook: AddressBook,
        limiter: Limiter,
        scripts: ScriptPool
    ) {
        self.loop = loop
        self.snapshot = snapshot
        self.shared = shared
        self.recorder = recorder
        self.addressBook = addressBook
        self.limiter = limiter
        headerValues = HeaderValues(scripts, on: loop)
        warmScripts()
    }

    // MARK: Configuration

    func replace(_ snapshot: Snapshot) {
        guard snapshot.generation > self.snapshot.generation else { return }
        self.snapshot = snapshot
        warmScripts()
        for upstream in snapshot.upstreams.values {
            pools[upstream.connectionIdentity]?.renew(upstream.tls)
        }
        let wanted = Set(snapshot.upstreams.values.map(\.connectionIdentity))
        for (identity, pool) in pools where !wanted.contains(identity) {
            pool.closeIdle()
            if pool.open == 0 { pools[identity] = nil }
        }
    }

    private func warmScripts() {
        headerValues.warm(snapshot.upstreams.values.reduce(into: []) { $0.formUnion($1.headers.languages) })
    }

    func pool(for upstream: UpstreamEntry) -> ConnectionPool {
        let identity = upstream.connectionIdentity
        if let pool = pools[identity] { return pool }
        let pool = ConnectionPool(identity: identity, tls: upstream.tls, worker: self)
        pools[identity] = pool
        return pool
    }

    func idleTimeout(of exchange: Exchange?) -> TimeAmount {
        exchange?.upstream.idleTimeout ?? ConnectionPool.idleTime
    }

    /// Why the gateway is not up, nil when it is; touches nothing but memory.
    func health() -> StaticString? {
        shared.isHealthy.load(ordering: .acquiring) ? nil : "starting"
    }

    /// Why the gateway cannot serve, nil when it can.
    func readiness() -> StaticString? {
        if let problem = health() { return problem }
        if isDraining { return "shutting down" }
        for upstream in snapshot.upstreams.values where upstream.isEnabled && !upstream.keys.isEmpty {
            if !upstream.pool.hasUsableKey { return "an upstream has no usable key" }
        }
        return nil
    }

    func randomNumber() -> UInt64 {
        random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (random ^ (random >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    func nextExchangeID() -> Int {
        shared.nextExchangeID.wrappingAdd(1, ordering: .relaxed).newValue
    }

    // MARK: Exchanges

    func add(_ exchange: Exchange) {
        exchange.liveIndex = exchanges.count
        exchanges.append(exchange)
        shared.inFlight.wrappingAdd(1, ordering: .relaxed)
    }

    func remove(_ exchange: Exchange) {
        let index = exchange.liveIndex
        guard index >= 0 else { return }
        let last = exchanges.removeLast()
        if last !== exchange {
            exchanges[index] = last
            last.liveIndex = index
        }
        exchange.liveIndex = -1
        shared.inFlight.wrappingSubtract(1, ordering: .relaxed)
    }

    /// A request that became no exchange: refused by admission, authentication or routing.
    func refused(
        _ refusal: Refusal,
        _ answer: CallerConnection.OwnAnswer,
        head: RequestHead?,
        caller: CallerConnection,
        requestID: RequestIdentity? = nil,
        known: RoutedSoFar = RoutedSoFar()
    ) {
        let refused = ExchangeRecords.Refused(
            id: requestID?.exchangeID ?? nextExchangeID(),
            requestID: requestID?.text,
            address: caller.channelAddress?.ipAddress ?? "",
            head: head,
            known: known,
            refusal: refusal,
            bytesOut: answer.bodySize
        )
        recorder.refused(refused, on: loop)
    }

    // MARK: Connections

    var isOverConnectionLimit: Bool {
        shared.connections.load(ordering: .relaxed) > snapshot.configuration.limits.maxConnections
    }

    func opened(_ caller: CallerConnection) {
        callers += 1
        shared.connections.wrappingAdd(1, ordering: .relaxed)
        watch(caller)
    }

    func closed(_ caller: CallerConnection) {
        callers -= 1
        shared.connections.wrappingSubtract(1, ordering: .relaxed)
        unwatch(caller)
    }

    func upstreamOpened() {
        shared.upstreamConnections.wrappingAdd(1, ordering: .relaxed)
    }

    func upstreamClosed() {
        shared.upstreamConnections.wrappingSubtract(1, ordering: .relaxed)
    }

    func watch(_ item: any Deadlined) {
        deadlines.add(item)
        startTicking()
    }

    func unwatch(_ item: any Deadlined) {
        deadlines.remove(item)
    }

    /// One timer for the loop, and none while there is nothing to time.
    private func startTicking() {
        guard !isTicking else { return }
        isTicking = true
        let worker = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: deadlines.pause) { worker.value.ticked() }
    }

    private func ticked() {
        isTicking = false
        for item in deadlines.overdue(at: .now()) {
            item.deadlinePassed()
        }
        if !deadlines.items.isEmpty { startTicking() }
    }

    // MARK: Ending

    /// No new exchange is begun; idle connections close now, the others after their answer.
    func startDraining() {
        isDraining = true
        for case let caller as CallerConnection in deadlines.items {
            caller.closeIfIdle()
        }
        for pool in pools.values {
            pool.closeIdle()
        }
    }

    func endExchanges(with refusal: Refusal) {
        for exchange in exchanges {
            exchange.end(with: refusal)
        }
    }
}

/// Counts that all loops share.
final class SharedCounters: Sendable {
    /// Begins at the time of the start in microseconds, so that it rises over restarts too.
    let nextExchangeID: Atomic<Int>
    let inFlight = Atomic<Int>(0)
    let connections = Atomic<Int>(0)
    let upstreamConnections = Atomic<Int>(0)
    let isHealthy = Atomic(false)
    /// What runs is finished, and nothing new is taken.
    let isDraining = Atomic(false)

    init(after lastExchangeID: Int = 0) {
        nextExchangeID = Atomic(max(WallClock.now().microseconds, lastExchangeID + 1))
    }
}
