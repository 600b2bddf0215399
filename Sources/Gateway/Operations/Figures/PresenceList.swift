import Operations
import Synchronization

/// The operators who are watching now.
final class PresenceList: Sendable {
    private let present = Mutex<(next: Int, list: [Int: OperatorPresence])>((0, [:]))

    var all: [OperatorPresence] {
        present.withLock { $0.list.sorted { $0.key < $1.key }.map(\.value) }
    }

    func enter(_ user: Operator) -> Int {
        let since = Timestamp(microseconds: WallClock.now().microseconds)
        let presence = OperatorPresence(name: user.name, role: user.role, via: user.via, since: since)
        return present.withLock { present in
            present.next += 1
            present.list[present.next] = presence
            return present.next
        }
    }

    func leave(_ number: Int) {
        present.withLock { $0.list[number] = nil }
    }
}
