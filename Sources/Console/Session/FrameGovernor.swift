/// Decides when a frame may be painted: at once for a key, seldom for data, and never faster than the terminal
/// takes it.
struct FrameGovernor {
    /// 60 a second, for keys.
    private static let shortest = Duration.milliseconds(16)
    /// 10 a second, for data.
    private static let ordinary = Duration.milliseconds(100)
    /// For a terminal that nobody looks at.
    private static let unfocused = Duration.seconds(1)

    private var last: ContinuousClock.Instant?
    private var began: ContinuousClock.Instant?
    /// How long the terminal takes for a frame, smoothed.
    private(set) var drain = Duration.zero

    /// When a frame may be painted.
    func earliest(isUrgent: Bool, isFocused: Bool) -> ContinuousClock.Instant? {
        guard let last else { return nil }
        if isUrgent { return last + Self.shortest }
        return last + max(isFocused ? Self.ordinary : Self.unfocused, drain * 2)
    }

    mutating func painted(at now: ContinuousClock.Instant) {
        last = now
        began = now
    }

    mutating func drained(at now: ContinuousClock.Instant) {
        guard let began else { return }
        drain = (drain * 3 + (now - began)) / 4
        self.began = nil
    }
}
