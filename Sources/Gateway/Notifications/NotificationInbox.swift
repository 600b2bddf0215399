import Operations
import Synchronization

/// Where whoever finds something out puts it down: a lock and no more, since loops of the data plane do, too.
///
/// The same news again before it is fetched is counted and not kept twice, so that a storm costs what one costs.
final class NotificationInbox: Sendable {
    /// What tells news apart.
    struct Place: Hashable, Sendable {
        var event: NotificationEvent
        var upstream = 0
        /// Of a key, a client key or a header rule, as the event says.
        var id = 0
        /// What tells apart further: `client_key.minute`.
        var detail = ""
    }

    struct News: Sendable, Equatable {
        var place: Place
        var data: [String: String]
        /// Microseconds since 1970.
        var first: Int
        var last: Int
        var count = 1
    }

    private struct State {
        var news: [Place: News] = [:]
        var lost = 0

        /// A key is back that was out of use for a moment: nobody need know of either.
        ///
        /// - Returns: whether that was all that there was to tell of it.
        mutating func forget(_ place: Place, since: Int) -> Bool {
            var isForgotten = false
            for event in [NotificationEvent.keyDisabled, .keyBanned, .quotaExceeded] {
                var other = place
                (other.event, other.detail) = (event, PoolNews.detail(of: event))
                guard let one = news[other], one.first >= since else { continue }
                news[other] = nil
                isForgotten = true
            }
            return isForgotten
        }
    }

    /// What one key refuses is doubted as soon as the next one refuses it, too.
    private static let doubt = 1_000_000

    /// Different news at once; more are counted as lost.
    static let limit = 10_000

    private let state = Mutex(State())
    let arrivals: AsyncStream<Void>
    private let arrived: AsyncStream<Void>.Continuation

    init() {
        (arrivals, arrived) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// `data`: made only when it is news.
    func put(_ place: Place, now: Int, data: () -> [String: String]) {
        let isNew = state.withLock { state in
            if place.event == .keyRecovered, state.forget(place, since: now - Self.doubt) { return false }
            if state.news[place] != nil {
                state.news[place]?.last = now
                state.news[place]?.count += 1
                return false
            }
            guard state.news.count < Self.limit else {
                state.lost += 1
                return false
            }
            state.news[place] = News(place: place, data: data(), first: now, last: now)
            return true
        }
        if isNew { arrived.yield() }
    }

    /// All there is, in the order in which each was last news, and how much was lost since.
    func take() -> (news: [News], lost: Int) {
        let taken = state.withLock { state in
            defer { state = State() }
            return state
        }
        // What goes back and forth meanwhile ends with what was last.
        return (taken.news.values.sorted { $0.last < $1.last }, taken.lost)
    }

    /// Has whoever fetches look again.
    func nudge() {
        arrived.yield()
    }
}
