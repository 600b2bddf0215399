import Synchronization

/// Makes each new snapshot from the one before it, one at a time, and hands it to every loop.
final class SnapshotPublisher: Sendable {
    private struct State {
        var snapshot: Snapshot
        /// Client keys whose change no snapshot shows yet, because making it failed: the next one tries them too.
        var unpublished: Set<Int> = []
    }

    private let builder: SnapshotBuilder
    private let plane: DataPlaneService
    private let state: Mutex<State>

    init(_ first: Snapshot, builder: SnapshotBuilder, plane: DataPlaneService) {
        self.builder = builder
        self.plane = plane
        state = Mutex(State(snapshot: first))
    }

    var configuration: Configuration { state.withLock(\.snapshot.configuration) }

    /// As the loops have them.
    var upstreams: [UpstreamEntry] {
        state.withLock { $0.snapshot.upstreams.values.sorted { $0.id < $1.id } }
    }

    var enabledUpstreams: Int {
        state.withLock { $0.snapshot.upstreams.values.count(where: \.isEnabled) }
    }

    /// Returns once every loop serves by what the database says of the upstreams and their keys.
    func publishUpstreams() async throws {
        let snapshot = try state.withLock { state in
            state.snapshot = try builder.buildUpstreams(after: state.snapshot)
            return state.snapshot
        }
        try await plane.publish(snapshot)
    }

    /// The same for client keys that were made, changed or deleted.
    func publishClientKeys(_ ids: [Int]) async throws {
        let snapshot = try state.withLock { state in
            state.unpublished.formUnion(ids)
            state.snapshot = try builder.buildClientKeys(Array(state.unpublished), after: state.snapshot)
            state.unpublished = []
            return state.snapshot
        }
        try await plane.publish(snapshot)
    }

    /// The same for everything, by a configuration that `load` reads while no other change is under way, so that of
    /// two reloads the later one has the later file.
    ///
    /// - Parameters:
    ///   - load: reads the configuration, and beside it whatever is to come into force together with it.
    ///   - install: takes what `load` has read beside it, once nothing can fail any more.
    /// - Returns: the configuration before and after.
    /// - Throws: what `load` throws, or a fault in building the snapshot; what was in force before then stays.
    func reload<Extra>(
        _ load: @Sendable () throws -> (Configuration, Extra),
        install: @Sendable (Extra) -> Void
    ) async throws -> (before: Configuration, after: Configuration) {
        let (before, snapshot) = try state.withLock { state in
            let before = state.snapshot.configuration
            let (configuration, extra) = try load()
            state.snapshot = try builder.build(configuration, after: state.snapshot)
            state.unpublished = []
            install(extra)
            return (before, state.snapshot)
        }
        try await plane.publish(snapshot)
        return (before, snapshot.configuration)
    }
}
