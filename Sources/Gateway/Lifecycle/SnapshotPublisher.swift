import Synchronization

/// Makes each new snapshot from the one before it, one at a time, and hands it to every loop.
final class SnapshotPublisher: Sendable {
    private let builder: SnapshotBuilder
    private let plane: DataPlaneService
    private let current: Mutex<Snapshot>

    init(_ first: Snapshot, builder: SnapshotBuilder, plane: DataPlaneService) {
        self.builder = builder
        self.plane = plane
        current = Mutex(first)
    }

    var configuration: Configuration { current.withLock(\.configuration) }

    /// Returns once every loop serves by what the database says of the upstreams and their keys.
    func publishUpstreams() async throws {
        try await publish { try $0.buildUpstreams(after: $1) }
    }

    /// The same for client keys that were made, changed or deleted.
    func publishClientKeys(_ ids: [Int]) async throws {
        try await publish { try $0.buildClientKeys(ids, after: $1) }
    }

    /// The same for everything, with a new file; returns the configuration before it.
    func publish(_ configuration: Configuration) async throws -> Configuration {
        let before = self.configuration
        try await publish { try $0.build(configuration, after: $1) }
        return before
    }

    private func publish(_ make: (SnapshotBuilder, Snapshot) throws -> Snapshot) async throws {
        let snapshot = try current.withLock { current in
            let made = try make(builder, current)
            current = made
            return made
        }
        try await plane.publish(snapshot)
    }
}
