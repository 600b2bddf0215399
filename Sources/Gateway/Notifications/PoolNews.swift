import Operations
import Synchronization

/// Makes news of what becomes of upstream keys and upstreams: it remembers how each stood.
final class PoolNews: Sendable {
    private struct State {
        var keys: [Int: KeyState] = [:]
        var restingUpstreams: Set<Int> = []
    }

    private let inbox: NotificationInbox
    private let state = Mutex(State())

    init(inbox: NotificationInbox) {
        self.inbox = inbox
    }

    /// How keys and upstreams stood when the process before ended; one that was out of use is no news.
    func remember(_ rows: (upstreams: [UpstreamRow], keys: [UpstreamKeyRow])) {
        state.withLock { state in
            state.keys = Dictionary(rows.keys.map { ($0.id, $0.health.name) }) { $1 }
            state.restingUpstreams = Set(rows.upstreams.filter { $0.health.name != .active }.map(\.id))
        }
    }

    func take(_ changes: [PoolChange], ofUpstream upstream: Int, now: Int) {
        for change in changes {
            switch change {
            case .key(let id, let health): key(id, health, upstream, now)
            case .upstream(let health): self.upstream(upstream, health, now)
            case .spent(let id, let total): spent(id, total, upstream, now)
            }
        }
    }

    private func key(_ id: Int, _ health: HealthStateMachine, _ upstream: Int, _ now: Int) {
        let before = state.withLock { state in
            defer { state.keys[id] = health.name }
            return state.keys[id] ?? .active
        }
        guard before != health.name else { return }
        let event: NotificationEvent? =
            switch health.name {
            case .disabled: .keyDisabled
            case .banned: .keyBanned
            case .exhausted: .quotaExceeded
            case .active: [.disabled, .banned, .exhausted].contains(before) ? .keyRecovered : nil
            // It comes back by itself, and many do so all day; one that is no longer out of use is news.
            case .cooling: [.disabled, .banned].contains(before) ? .keyRecovered : nil
            }
        guard let event else { return }
        let place = NotificationInbox.Place(
            event: event,
            upstream: upstream,
            id: id,
            detail: Self.detail(of: event)
        )
        inbox.put(place, now: now) {
            var data = ["state": health.name.rawValue]
            data["reason"] = event == .keyRecovered ? "was \(before.rawValue)" : health.reason
            if event == .quotaExceeded { data["scope"] = LimitScope.upstreamKey.rawValue }
            return data
        }
    }

    /// What tells the news of an upstream key from others of the same kind.
    static func detail(of event: NotificationEvent) -> String {
        event == .quotaExceeded ? LimitScope.upstreamKey.rawValue : ""
    }

    private func upstream(_ id: Int, _ health: HealthStateMachine, _ now: Int) {
        let isResting = health.name != .active
        let wasResting = state.withLock { state in
            defer {
                if isResting { state.restingUpstreams.insert(id) } else { state.restingUpstreams.remove(id) }
            }
            return state.restingUpstreams.contains(id)
        }
        guard isResting != wasResting else { return }
        inbox.put(.init(event: isResting ? .upstreamDown : .upstreamRecovered, upstream: id), now: now) {
            ["reason": health.reason ?? "it answers again"]
        }
    }

    /// A quota that an operator has set for a key.
    private func spent(_ id: Int, _ total: Int, _ upstream: Int, _ now: Int) {
        let scope = LimitScope.upstreamKey.rawValue
        inbox.put(.init(event: .quotaExceeded, upstream: upstream, id: id, detail: scope), now: now) {
            ["reason": "its quota of \(total) requests is used up", "limit": "\(total)", "scope": scope]
        }
    }

    /// A rule that says `notify` has acted; what it does to a key is told anyway.
    func matched(_ acted: RuleActed, ofUpstream upstream: Int, now: Int) {
        let place = NotificationInbox.Place(
            event: .ruleMatched,
            upstream: upstream,
            id: acted.key,
            detail: "rule \(acted.rule)"
        )
        inbox.put(place, now: now) {
            ["rule_id": "\(acted.rule)", "rule_name": acted.name, "reason": acted.reason]
        }
    }
}
