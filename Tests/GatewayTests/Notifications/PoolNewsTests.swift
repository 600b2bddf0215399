import Operations
import Testing

@testable import Gateway

@Suite struct `News of keys` {
    private static let second = 1_000_000
    private let inbox = NotificationInbox()

    /// A key's states at these times, in seconds, and what there is to tell of them.
    private func told(_ states: [(KeyState, at: Double)]) -> [NotificationEvent] {
        let news = PoolNews(inbox: inbox)
        for (state, at) in states {
            let now = Int(at * Double(Self.second))
            let until = state == .cooling ? now + Self.second : nil
            let health = HealthStateMachine(
                state,
                until: until,
                since: now,
                reason: "why",
                cause: .credential,
                rests: 0
            )
            news.take([.key(1, health)], ofUpstream: 7, now: now)
        }
        return inbox.take().news.map(\.place.event)
    }

    @Test func `what was only doubted for a moment is told to nobody`() {
        #expect(told([(.disabled, 10), (.active, 10.04)]).isEmpty)
        #expect(told([(.exhausted, 10), (.active, 10.04)]).isEmpty)
        #expect(told([(.disabled, 10), (.active, 10.04), (.disabled, 10.1)]) == [.keyDisabled])
    }

    @Test func `what lasted is told, and in the order in which it was`() {
        #expect(told([(.disabled, 10), (.active, 12)]) == [.keyDisabled, .keyRecovered])
        #expect(told([(.banned, 10)]) == [.keyBanned])
        #expect(told([(.active, 10), (.cooling, 11), (.active, 12)]).isEmpty)
    }

    @Test func `one that only rests is no longer out of use`() {
        #expect(told([(.disabled, 10), (.cooling, 12)]) == [.keyDisabled, .keyRecovered])
        // An exhausted one still waits for its provider.
        #expect(told([(.exhausted, 10), (.cooling, 12)]) == [.quotaExceeded])
    }

    @Test(arguments: [(-1, 0), (0, 0), (1, 2)])
    func `a moment is a second`(more: Int, count: Int) {
        let end = 11 + Double(more) / Double(Self.second)
        #expect(told([(.disabled, 10), (.active, end)]).count == count)
    }
}
