import Synchronization

/// The fake provider's own rate limit: so many requests of a key in each window, then 429 until the window is over.
final class MockThrottle: Sendable {
    private struct Window {
        let end: ContinuousClock.Instant
        var count = 0
    }

    private let windows = Mutex<[String: Window]>([:])

    /// Counts one request.
    ///
    /// - Parameters:
    ///   - key: whose limit it is.
    ///   - requests: how many a window allows.
    ///   - seconds: the window, which begins with a key's first request.
    /// - Returns: whole seconds until the key may ask again; nil when it may now.
    func wait(for key: String, requests: Int, seconds: Int) -> Int? {
        let now = ContinuousClock.now
        return windows.withLock { windows in
            if (windows[key]?.end ?? now) <= now { windows[key] = Window(end: now + .seconds(seconds)) }
            windows[key]?.count += 1
            guard let window = windows[key], window.count > requests else { return nil }
            let rest = (window.end - now).components
            return Int(rest.seconds) + (rest.attoseconds > 0 ? 1 : 0)
        }
    }
}
