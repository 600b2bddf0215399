import Logging
import ServiceLifecycle

/// Stores the history every few seconds, and a last time at the end.
struct TelemetryService: Service {
    static let interval = Duration.seconds(5)

    let telemetry: Telemetry
    let store: TelemetryStore
    let clientKeys: ClientKeyStore
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // A cancelled sleep is the end of the loop.
                try? await Task.sleep(for: Self.interval)
                flush()
            }
        }
    }

    /// Failing leaves the cells where they were, for the next time.
    func flush() {
        let (cells, lastUse) = telemetry.takeWaiting()
        guard !cells.isEmpty else { return }
        do {
            try store.add(cells, now: WallClock.now().seconds)
            if !lastUse.isEmpty { try clientKeys.markUsed(lastUse) }
        } catch {
            telemetry.putBack(cells)
            logger.error("the history cannot be stored", metadata: ["error": "\(error)"])
        }
    }
}
