import CLinux
import Dispatch
import Foundation
import Synchronization

/// Tries on its own thread whether idle scheduling can be left again.
final class SchedulingProbe: Sendable {
    /// Whether a thread may come back from idle time, tried on one that is then thrown away.
    static func canComeBack() -> Bool {
        let probe = SchedulingProbe()
        let thread = Thread { probe.run() }
        thread.start()
        return probe.result()
    }

    private let answer = Mutex(false)
    private let done = DispatchSemaphore(value: 0)

    private func run() {
        let isPossible =
            clinux_set_idle_scheduling_of_this_thread(1) == 0
            && clinux_set_idle_scheduling_of_this_thread(0) == 0
        answer.withLock { $0 = isPossible }
        done.signal()
    }

    private func result() -> Bool {
        done.wait()
        return answer.withLock { $0 }
    }
}
