import Operations
import Synchronization
import Testing

@testable import Gateway

@Suite struct `Live hub` {
    private static func snapshot(_ number: Int) -> LiveSnapshot {
        let dashboard = Dashboard(requests: number, inFlight: 0, state: "ok")
        return LiveSnapshot(time: Timestamp(seconds: number), dashboard: dashboard, exchanges: [])
    }

    @Test func `all who watch the same are shown the same, made once`() async throws {
        // So long that none is made a second time, however busy the machine is.
        let hub = LiveHub(interval: .seconds(3600))
        let made = Mutex(0)
        let make: @Sendable () async throws -> LiveSnapshot = {
            Self.snapshot(
                made.withLock {
                    $0 += 1
                    return $0
                }
            )
        }
        var seen: [Int] = []
        for _ in 0..<20 {
            let stream = hub.snapshots("", ended: {}, make: make)
            for try await snapshot in stream {
                seen.append(snapshot.dashboard.requests)
                break
            }
        }
        // Each left before the next came, so that each began anew.
        #expect(seen == Array(1...20))
        var streams: [AsyncThrowingStream<LiveSnapshot, any Error>] = []
        for _ in 0..<20 { streams.append(hub.snapshots("", ended: {}, make: make)) }
        for stream in streams {
            for try await snapshot in stream {
                #expect(snapshot.dashboard.requests == 21)
                break
            }
        }
    }

    @Test func `whoever stays is shown more when another leaves, and the last one ends it`() async throws {
        let hub = LiveHub()
        let made = Mutex(0)
        let make: @Sendable () async throws -> LiveSnapshot = {
            Self.snapshot(
                made.withLock {
                    $0 += 1
                    return $0
                }
            )
        }
        var seen = 0
        do {
            let stays = hub.snapshots("", ended: {}, make: make)
            do {
                for try await _ in hub.snapshots("", ended: {}, make: make) { break }
            }
            for try await snapshot in stays {
                seen = snapshot.dashboard.requests
                if seen == 2 { break }
            }
        }
        #expect(seen == 2 && hub.watcherCount == 0)
    }

    @Test func `what cannot be made is told to all, and tried again for the next`() async throws {
        struct Failure: Error {}
        let hub = LiveHub()
        let ended = Mutex(0)
        let failing = (0..<3).map { _ in
            hub.snapshots("x", ended: { ended.withLock { $0 += 1 } }, make: { throw Failure() })
        }
        for stream in failing {
            await #expect(throws: Failure.self) { for try await _ in stream {} }
        }
        #expect(ended.withLock { $0 } == 3 && hub.watcherCount == 0)
        for try await snapshot in hub.snapshots("x", ended: {}, make: { Self.snapshot(7) }) {
            #expect(snapshot.dashboard.requests == 7)
            break
        }
    }
}
