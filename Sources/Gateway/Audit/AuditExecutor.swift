import CLinux
import Dispatch
import Foundation
import Synchronization

/// A thread of its own for the audit: SQLite blocks, and the shared threads must not.
///
/// Where processors are short, callers come before their records: the thread runs in otherwise idle time, and
/// in ordinary turns only while a backlog has grown.
final class AuditExecutor: SerialExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let signal = DispatchSemaphore(value: 0)
    private let isIdle = Atomic(false)
    private let canSwitch: Bool

    init() {
        canSwitch = Self.probe()
        let thread = Thread { [weak self, signal] in
            // Without a lower priority the audit is as good, only less polite.
            _ = clinux_lower_priority_of_this_thread()
            while true {
                signal.wait()
                guard let self, let job = self.next() else { return }
                job.runSynchronously(on: self.asUnownedSerialExecutor())
            }
        }
        thread.name = "fastgate-audit"
        thread.start()
    }

    deinit {
        signal.signal()
    }

    /// Takes ordinary turns, or idle time only; called on the audit's own thread.
    func takeTurns(_ takesTurns: Bool) {
        guard canSwitch, isIdle.load(ordering: .relaxed) == takesTurns else { return }
        if clinux_set_idle_scheduling_of_this_thread(takesTurns ? 0 : 1) == 0 {
            isIdle.store(!takesTurns, ordering: .relaxed)
        }
    }

    /// Whether a thread may come back from idle time, tried on one that is then thrown away.
    private static func probe() -> Bool {
        let probe = SchedulingProbe()
        let thread = Thread { probe.run() }
        thread.start()
        return probe.result()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        signal.signal()
    }

    private func next() -> UnownedJob? {
        jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}

/// Tries on its own thread whether idle scheduling can be left again.
private final class SchedulingProbe: Sendable {
    private let answer = Mutex(false)
    private let done = DispatchSemaphore(value: 0)

    func run() {
        let isPossible =
            clinux_set_idle_scheduling_of_this_thread(1) == 0
            && clinux_set_idle_scheduling_of_this_thread(0) == 0
        answer.withLock { $0 = isPossible }
        done.signal()
    }

    func result() -> Bool {
        done.wait()
        return answer.withLock { $0 }
    }
}
