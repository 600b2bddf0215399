import Operations
import Synchronization

/// Finds out by looking, once a second, what nobody says; and gives the ids in news the names that people know.
final class NotificationWatch: Sendable {
    private struct State {
        var emptyPools: Set<Int> = []
        var failingHeaders: Set<Int> = []
        var auditTrouble: String?
        var auditDropped = 0
        /// Nothing is news at the first look but what is wrong.
        var hasLooked = false
    }

    /// What the audit says of itself.
    struct AuditStanding: Sendable, Equatable {
        var trouble: String?
        var dropped: Int
    }

    private let inbox: NotificationInbox
    private let upstreams: @Sendable () -> [UpstreamEntry]
    private let clientKeyName: @Sendable (Int) -> String?
    private let audit: @Sendable () async -> AuditStanding
    private let state = Mutex(State())

    init(
        inbox: NotificationInbox,
        upstreams: @escaping @Sendable () -> [UpstreamEntry],
        clientKeyName: @escaping @Sendable (Int) -> String?,
        audit: @escaping @Sendable () async -> AuditStanding
    ) {
        self.inbox = inbox
        self.upstreams = upstreams
        self.clientKeyName = clientKeyName
        self.audit = audit
    }

    // MARK: Looking

    func look(now: Int) async {
        lookAtUpstreams(now: now)
        let standing = await audit()
        let isWorse = state.withLock { state in
            defer { (state.auditTrouble, state.auditDropped) = (standing.trouble, standing.dropped) }
            return standing.trouble != nil && state.auditTrouble == nil
                || standing.dropped > state.auditDropped
        }
        guard isWorse else { return }
        let detail = standing.trouble == nil ? "dropped" : "trouble"
        inbox.put(.init(event: .auditDegraded, detail: detail), now: now) {
            ["reason": standing.trouble ?? "\(standing.dropped) records were dropped since the start"]
        }
    }

    private func lookAtUpstreams(now: Int) {
        let all = upstreams().filter(\.isEnabled)
        let empty = Set(all.filter { !$0.keys.isEmpty && !$0.pool.hasUsableKey }.map(\.id))
        var failing: [Int: (upstream: Int, figures: HeaderRuleFigures.State)] = [:]
        for upstream in all where upstream.headers.needsScripts {
            for rule in upstream.headers.entries {
                let figures = rule.figures.now
                if figures.isFailing { failing[rule.id] = (upstream.id, figures) }
            }
        }
        let (newlyEmpty, newlyFailing) = state.withLock { state in
            defer {
                (state.emptyPools, state.failingHeaders) = (empty, Set(failing.keys))
            }
            return (
                empty.subtracting(state.emptyPools),
                failing.filter { !state.failingHeaders.contains($0.key) }
            )
        }
        for id in newlyEmpty {
            inbox.put(.init(event: .poolExhausted, upstream: id), now: now) {
                ["reason": "every key of it rests or is out of use"]
            }
        }
        for (id, (upstream, figures)) in newlyFailing {
            inbox.put(.init(event: .scriptFailing, upstream: upstream, id: id), now: now) {
                // What a script says may hold secrets.
                ["reason": "\(figures.errorsInRow) runs failed one after the other; its header rule says why"]
            }
        }
    }

    // MARK: Names

    /// The news with the fields that its templates may name.
    func described(_ news: NotificationInbox.News) -> NotificationInbox.News {
        var news = news
        let place = news.place
        if place.upstream != 0 {
            let upstream = upstreams().first { $0.id == place.upstream }
            news.data["upstream_id"] = "\(place.upstream)"
            news.data["upstream_name"] = upstream?.definition.name ?? "upstream \(place.upstream)"
            describeInside(upstream, &news)
        }
        if place.isOfClientKey {
            news.data["key_id"] = "\(place.id)"
            news.data["key_name"] = clientKeyName(place.id) ?? "client key \(place.id)"
        }
        return news
    }

    private func describeInside(_ upstream: UpstreamEntry?, _ news: inout NotificationInbox.News) {
        let id = news.place.id
        guard id != 0, !news.place.isOfClientKey else { return }
        switch news.place.event {
        case .scriptFailing:
            news.data["header_id"] = "\(id)"
            news.data["header_name"] = upstream?.headers.entries.first { $0.id == id }?.name ?? "header \(id)"
        default:
            news.data["key_id"] = "\(id)"
            news.data["key_name"] = upstream?.keys.first { $0.id == id }?.definition.name ?? "key \(id)"
        }
    }
}

extension NotificationInbox.Place {
    /// Whether `id` is a client key's.
    fileprivate var isOfClientKey: Bool { id != 0 && detail.hasPrefix(LimitScope.clientKey.rawValue) }
}
