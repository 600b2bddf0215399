import CLinux
import Dispatch
import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

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
        canSwitch = SchedulingProbe.canComeBack()
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

    /// Lets whoever waits for this processor have it; called on the audit's own thread, between two records.
    ///
    /// A kernel that preempts lazily tells a thread that another is due only when it next enters the kernel, or at its
    /// next tick, milliseconds later: an event loop that has just been woken would wait that long.
    func letOthers() {
        if isIdle.load(ordering: .relaxed) { sched_yield() }
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
