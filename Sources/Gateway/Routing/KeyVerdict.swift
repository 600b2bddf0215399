/// What an attempt has told of the key that it was made with.
enum KeyVerdict: Equatable, Sendable {
    struct Rest: Equatable, Sendable {
        /// Microseconds since 1970, as the provider says; nil when it does not.
        var until: Int?
        /// How long when it does not say.
        var length: Duration
        var reason: String
        /// The provider has too many requests, which may be the key's, or those of the whole host.
        var isThrottling = false
        /// The same request was throttled with another key before, so that it may be its own fault.
        var isRepeated = false
    }

    /// The attempt was given up before it could tell.
    case untold
    /// It works, also when the request did not.
    case good
    /// A failure that may be anybody's.
    case transient(String)
    case rest(Rest)
    case modelRest(String, Rest)
    case upstreamRest(Rest)
    case exhausted(until: Int?, String)
    case disabled(String, HealthStateMachine.Cause = .credential)
    case banned(String)

    /// In words for operators.
    var reason: String? {
        switch self {
        case .untold, .good: nil
        case .transient(let reason), .exhausted(_, let reason), .disabled(let reason, _), .banned(let reason):
            reason
        case .rest(let rest), .modelRest(_, let rest), .upstreamRest(let rest): rest.reason
        }
    }

    /// Whether the key is not used after it for what it has answered to one request.
    var takesOut: Bool {
        switch self {
        case .exhausted, .disabled, .banned: true
        case .rest(let rest): !rest.isThrottling
        case .untold, .good, .transient, .modelRest, .upstreamRest: false
        }
    }

    /// Whether operators are told of what it does to the key, whoever asks for it.
    var isToldAnyway: Bool {
        switch self {
        case .exhausted, .disabled, .banned: true
        case .untold, .good, .transient, .rest, .modelRest, .upstreamRest: false
        }
    }
}

/// What a question that costs nothing has told of a key: only 2xx heals, and only a refusal of the credential harms.
enum ProbeVerdict: Equatable, Sendable {
    case good
    case refused(String)
    case unclear
}

/// What has become of a key or an upstream, for the database and for operators.
enum PoolChange: Equatable, Sendable {
    case key(Int, HealthStateMachine)
    case upstream(HealthStateMachine)
    /// A key has used up the quota that an operator has set for it.
    case spent(Int, total: Int)
}

/// A rule that has acted on the outcome of an attempt.
struct RuleActed: Sendable, Equatable {
    let rule: Int
    let name: String
    let key: Int
    /// What it has acted on.
    let reason: String
    /// Whether it says so, and does nothing to the key that is told anyway.
    let notifies: Bool
}

/// Failures of an upstream's keys with no success between them.
struct SharedTrouble: Sendable {
    struct Throttled: Equatable, Sendable {
        let id: Int
        /// Before it was sent to rest.
        let before: HealthStateMachine
        let at: Int
        let until: Int
        /// By a request that was not throttled before.
        let isFirst: Bool
    }

    /// As many failures on end, of two keys or the only one, are the upstream's.
    private static let failureLimit = 5
    /// As many keys throttled within so long, for so many requests and with no success between, are the host's: one
    /// request that asks for too much is refused with every key that it is sent with.
    private static let throttledKeys = 5
    private static let throttledRequests = 3
    private static let throttledWithin = 2_000_000

    private var failures = 0
    private var failing: Int?
    private var isShared = false
    private var throttled: [Throttled] = []
    /// Requests on end that were refused alike with several keys.
    private var suspects = 0
    private static let suspectLimit = 3

    /// A request was refused alike with several keys, which may be its own fault.
    ///
    /// - Returns: whether so many were, with no success between, that it must be the keys'.
    mutating func suspected() -> Bool {
        suspects = min(suspects + 1, Self.suspectLimit)
        return suspects == Self.suspectLimit
    }

    /// Something went well.
    mutating func end() {
        self = SharedTrouble()
    }

    /// - Returns: whether the upstream is to blame.
    mutating func failed(_ id: Int?, isOnlyKey: Bool) -> Bool {
        failures += 1
        if let failing, failing != id { isShared = true }
        failing = id
        guard failures >= Self.failureLimit, isShared || isOnlyKey else { return false }
        end()
        return true
    }

    /// - Returns: the keys that were not to blame, and when the last of them would have returned.
    mutating func throttled(
        _ id: Int,
        _ before: HealthStateMachine,
        until: Int,
        isFirst: Bool,
        now: Int
    ) -> (keys: [Throttled], until: Int)? {
        let first = throttled.first { $0.id == id }?.before
        throttled.removeAll { $0.at < now - Self.throttledWithin || $0.id == id }
        throttled.append(
            Throttled(id: id, before: first ?? before, at: now, until: until, isFirst: isFirst)
        )
        guard throttled.count >= Self.throttledKeys,
            throttled.count(where: \.isFirst) >= Self.throttledRequests
        else { return nil }
        let keys = throttled
        end()
        return (keys, keys.map(\.until).max() ?? until)
    }
}

/// Models that a key may not be used for, for a while.
struct ModelRests: Sendable {
    /// When as many models of one key rest, the key does.
    private static let promotion = 3
    private static let limit = 10_000

    private var byKey: [Int: [String: Int]] = [:]
    private var count = 0

    var isEmpty: Bool { byKey.isEmpty }

    func rests(key: Int, model: String, now: Int) -> Bool {
        guard !byKey.isEmpty, let until = byKey[key]?[model] else { return false }
        return until > now
    }

    /// - Returns: whether the whole key should rest.
    mutating func add(key: Int, model: String, until: Int, now: Int) -> Bool {
        if count >= Self.limit { byKey = [:] }
        byKey[key] = (byKey[key] ?? [:]).filter { $0.value > now }
        byKey[key, default: [:]][model] = max(until, byKey[key]?[model] ?? 0)
        count = byKey.values.reduce(0) { $0 + $1.count }
        guard byKey[key]?.count ?? 0 >= Self.promotion else { return false }
        byKey[key] = nil
        return true
    }

    /// - Returns: how many rests were over.
    mutating func cleanUp(now: Int) -> Int {
        byKey = byKey.mapValues { $0.filter { $0.value > now } }.filter { !$0.value.isEmpty }
        let before = count
        count = byKey.values.reduce(0) { $0 + $1.count }
        return before - count
    }

    mutating func forget(key: Int) {
        byKey[key] = nil
    }

    mutating func keepOnly(_ isKnown: (Int) -> Bool) {
        byKey = byKey.filter { isKnown($0.key) }
    }
}
