import Operations

/// When a task runs, and what came of it: no clock.
///
/// Times are microseconds since 1970.
struct TaskState: Sendable, Equatable {
    struct Run: Sendable, Equatable {
        var began: Int
        var duration: Duration
        var succeeded: Bool
        /// What was done, or why it failed.
        var result: String
    }

    var interval: Duration
    private(set) var last: Run?
    private(set) var isRunning = false
    private(set) var runs = 0
    private(set) var failures = 0
    /// When it is due without a last run.
    private let first: Int
    private var began = 0

    /// Tasks that are seldom done wait this long after a start, which has enough to do.
    private static let startDelay = Duration.seconds(30)

    /// `last`: of an earlier process.
    init(interval: Duration, last: Run?, now: Int) {
        self.interval = interval
        self.last = last
        first = now + Self.microseconds(min(interval, Self.startDelay))
    }

    /// After a clock was set back, at once: else nothing would be done until it is where it was.
    func nextRun(now: Int) -> Int {
        guard let last else { return min(first, now + Self.microseconds(interval)) }
        return last.began > now ? now : last.began + Self.microseconds(interval)
    }

    func isDue(now: Int) -> Bool { !isRunning && nextRun(now: now) <= now }

    /// - Returns: false while it runs already.
    mutating func begin(now: Int) -> Bool {
        guard !isRunning else { return false }
        isRunning = true
        began = now
        return true
    }

    mutating func end(after duration: Duration, _ result: Result<String, any Error>) {
        isRunning = false
        runs += 1
        switch result {
        case .success(let words):
            last = Run(began: began, duration: duration, succeeded: true, result: words)
        case .failure(let error):
            failures += 1
            last = Run(began: began, duration: duration, succeeded: false, result: "\(error)")
        }
    }

    private static func microseconds(_ duration: Duration) -> Int { duration.milliseconds * 1000 }
}
