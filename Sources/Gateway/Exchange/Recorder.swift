/// Where a loop's exchanges are written down: the audit's journal and the telemetry of this loop.
final class Recorder {
    /// What a recorder is made of, before its loop exists.
    struct Parts: Sendable {}

    init(_ parts: Parts) {}

    /// False when the audit is strict and cannot take the exchange.
    func begin(_ exchange: Exchange) -> Bool {
        true
    }

    func end(_ exchange: Exchange) {}
}
