import Logging
import NIOCore
import NIOPosix

/// The loops, their workers and the listener: everything that callers touch.
final class DataPlaneService: Sendable {
    let group: MultiThreadedEventLoopGroup
    let workers: [WorkerHandle]
    let counters: SharedCounters

    init(
        snapshot: Snapshot,
        counters: SharedCounters,
        recorders: [Recorder.Parts],
        limiter: Limiter,
        scripts: ScriptPool
    ) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: recorders.count)
        self.counters = counters
        let addressBook = AddressBook()
        var handles: [WorkerHandle] = []
        for (loop, parts) in zip(group.makeIterator(), recorders) {
            handles.append(
                try await WorkerHandle.start(on: loop) {
                    Worker(
                        loop: loop,
                        snapshot: snapshot,
                        shared: counters,
                        recorder: Recorder(parts),
                        addressBook: addressBook,
                        limiter: limiter,
                        scripts: scripts
                    )
                }
            )
        }
        workers = handles
    }

    /// One loop for each core unless the file says otherwise.
    static func loopCount(_ configured: Int) -> Int {
        configured > 0 ? configured : max(1, NIOCore.System.coreCount)
    }

    func listen(_ configuration: Configuration) async throws -> Listener {
        try await Listener.bind(to: configuration.server, group: group, workers: workers)
    }

    /// Returns once every loop serves by the new snapshot.
    func publish(_ snapshot: Snapshot) async throws {
        for worker in workers {
            try await worker.run { $0.replace(snapshot) }
        }
    }

    /// Lets exchanges end for as long as the limit says, then ends them with an error of their own.
    func drain(within limit: Duration) async throws {
        for worker in workers {
            try await worker.run { $0.startDraining() }
        }
        let deadline = ContinuousClock.now + limit
        while try await exchangeCount() > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        let refusal = Refusal(.shuttingDown, "The gateway is shutting down.", retryAfter: 1, closes: true)
        for worker in workers {
            try await worker.run { worker in
                worker.endExchanges(with: refusal)
                worker.headerValues.stop()
            }
        }
    }

    private func exchangeCount() async throws -> Int {
        var count = 0
        for worker in workers {
            count += try await worker.run { $0.exchanges.count }
        }
        return count
    }

    /// Gives the telemetry what the loops have counted since their last hand-over.
    func handOff() async throws {
        for worker in workers {
            try await worker.run { $0.recorder.handOff() }
        }
    }

    func stop() async throws {
        // The last answers and their closes are still being written on the loops.
        try await Task.sleep(for: .milliseconds(50))
        try await group.shutdownGracefully()
    }
}
