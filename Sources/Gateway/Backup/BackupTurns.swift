import Operations
import Synchronization

/// One backup at a time: each has a copy of a database on the disk.
final class BackupTurns: Sendable {
    /// Ends when nobody reads the backup any more.
    final class Turn: Sendable {
        private let turns: BackupTurns

        fileprivate init(_ turns: BackupTurns) { self.turns = turns }

        deinit { turns.isTaken.store(false, ordering: .releasing) }
    }

    private let isTaken = Atomic(false)

    func begin() throws(OperationsError) -> Turn {
        guard !isTaken.exchange(true, ordering: .acquiring) else {
            throw OperationsError(.unavailable, "a backup or a purge is under way; wait for its end")
        }
        return Turn(self)
    }
}
