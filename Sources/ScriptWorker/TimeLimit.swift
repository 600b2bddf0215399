import CJavaScriptCore

#if canImport(Glibc)
import Glibc
#endif

/// Ends a script whose time is over while the machine lives on; a long regular expression, a join or a chain of
/// promises it cannot end: for those the gateway ends the worker a moment later.
final class TimeLimit {
    /// Seconds of processor time between two looks at the clock; a worker that paces itself takes ten times as long.
    private static let slice = 0.002

    private let group: JSContextGroupRef
    private var deadline: UInt64 = 0
    /// Whether the deadline has ended something.
    private var hasEnded = false

    init(group: JSContextGroupRef) {
        self.group = group
    }

    /// Nanoseconds of the clock that the gateway tells the time by.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func begin(until deadline: UInt64) {
        self.deadline = deadline
        hasEnded = false
        arm()
    }

    /// - Returns: whether what ran since `begin` was ended.
    func end() -> Bool {
        JSContextGroupClearExecutionTimeLimit(group)
        return hasEnded
    }

    private func arm() {
        let own = Unmanaged.passUnretained(self).toOpaque()
        JSContextGroupSetExecutionTimeLimit(group, Self.slice, isTimeOver, own)
    }

    fileprivate func look() -> Bool {
        hasEnded = Self.now >= deadline
        if !hasEnded { arm() }
        return hasEnded
    }
}

private func isTimeOver(_ context: JSContextRef?, _ limit: UnsafeMutableRawPointer?) -> Bool {
    guard let limit else { return true }
    return Unmanaged<TimeLimit>.fromOpaque(limit).takeUnretainedValue().look()
}
