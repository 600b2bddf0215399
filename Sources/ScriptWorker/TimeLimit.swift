import CJavaScriptCore

/// Ends a script whose time is over while the machine lives on; a long regular expression, a join or a chain of
/// promises it cannot end: for those the gateway ends the worker a moment later.
final class TimeLimit {
    /// Seconds of processor time between two looks at the clock; a worker that paces itself takes ten times as long.
    private static let slice = 0.003

    private let group: JSContextGroupRef
    private var deadline = ContinuousClock.now
    /// Whether the deadline has ended something.
    private var hasEnded = false

    init(group: JSContextGroupRef) {
        self.group = group
    }

    func begin(until deadline: ContinuousClock.Instant) {
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
        hasEnded = ContinuousClock.now >= deadline
        if !hasEnded { arm() }
        return hasEnded
    }
}

private func isTimeOver(_ context: JSContextRef?, _ limit: UnsafeMutableRawPointer?) -> Bool {
    guard let limit else { return true }
    return Unmanaged<TimeLimit>.fromOpaque(limit).takeUnretainedValue().look()
}
