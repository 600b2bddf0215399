import Operations

/// Whether an upstream key, or an upstream as a whole, may be used: no clock, no lock.
///
/// Times are microseconds since 1970, so that a deadline keeps its meaning over a restart.
struct HealthStateMachine: Equatable, Sendable {
    enum State: Equatable, Sendable {
        /// Exits: all others.
        case active
        /// Rests until its time has come. Exits: `.trial`, `.active` by an operator, the last three.
        case cooling(until: Int)
        /// The time has come, and one request finds out. Exits: `.active` when it goes well, `.cooling` when not, and
        /// none under way any more when it takes too long.
        case trial(isUnderWay: Bool)
        /// Its quota is used up; nil until somebody says when it returns. Exits: as `.cooling`.
        case exhausted(until: Int?)
        /// Not used until an operator enables it. Exits: `.active`, `.banned`.
        case disabled
        /// As disabled, and said to be for good. Exits: `.active`.
        case banned
    }

    /// What has brought it into its state, which decides what may bring it out again.
    enum Cause: String, Sendable {
        /// Failures that may be anybody's.
        case failures
        /// The provider's word: too many requests, or a quota.
        case told
        /// The provider does not know the credential.
        case credential
        /// An operator.
        case hand
    }

    /// How long a rest lasts; the longest is what an operator allows.
    struct Policy: Equatable, Sendable {
        /// Failures in a row, none of which is a verdict by itself, that send a key to rest.
        var failureLimit = 5
        /// The first rest when nobody says how long; each that follows without a success between is twice as long.
        var rest = Duration.seconds(30)
        var longestGrownRest = Duration.seconds(3600)
        /// Providers have been seen to ask for weeks.
        var longestRest = Duration.seconds(86_400)
        /// A request on trial that takes longer holds nobody up any more.
        var longestTrial = Duration.seconds(30)
    }

    private(set) var state = State.active
    /// In words for operators; nil while active.
    private(set) var reason: String?
    /// nil while active.
    private(set) var cause: Cause?
    /// When it last ceased to be used, microseconds since 1970; nil while active, and where nobody has noted it.
    private(set) var since: Int?
    /// Rests since the last success.
    private(set) var rests = 0
    private var failures = 0
    /// When the request on trial is waited for no longer; 0 without one.
    private(set) var trialEnds = 0
    /// The attempt that is on trial, or was the last that was.
    private var trialAttempt = 0
    /// The first that was on trial since the rest: all that were begun after it have been, too, since others had to wait.
    private var firstTrial = 0

    init() {}

    /// As it was written down.
    init(_ name: KeyState, until: Int?, since: Int? = nil, reason: String?, cause: Cause? = nil, rests: Int) {
        state =
            switch name {
            case .active: .active
            // A rest without an end is over.
            case .cooling: .cooling(until: until ?? 0)
            case .exhausted: .exhausted(until: until)
            case .disabled: .disabled
            case .banned: .banned
            }
        self.reason = reason
        self.cause = name == .active ? nil : cause
        self.since = name == .active ? nil : since
        self.rests = rests
    }

    /// The word for operators; a trial is the last part of a rest.
    var name: KeyState {
        switch state {
        case .active: .active
        case .cooling, .trial: .cooling
        case .exhausted: .exhausted
        case .disabled: .disabled
        case .banned: .banned
        }
    }

    /// Whether only an operator may bring it back: one has taken it out, or it is banned, whoever has said so.
    var isByHand: Bool { state == .banned || state == .disabled && cause == .hand }

    var mayBeUsed: Bool {
        switch state {
        case .active, .trial(isUnderWay: false): true
        case .cooling, .trial(isUnderWay: true), .exhausted, .disabled, .banned: false
        }
    }

    /// When it returns by itself; nil when it does not, or need not.
    var returnsAt: Int? {
        switch state {
        case .cooling(let until): until
        case .exhausted(let until): until
        case .active, .trial, .disabled, .banned: nil
        }
    }

    // MARK: Use

    /// - Returns: whether the time has come for a trial, or for another one.
    mutating func timePassed(now: Int) -> Bool {
        if state == .trial(isUnderWay: true), trialEnds <= now {
            abandonTrial()
            return true
        }
        guard let until = returnsAt, until <= now else { return false }
        state = .trial(isUnderWay: false)
        firstTrial = 0
        return true
    }

    /// `attempt`: its number, here and where its end is told.
    mutating func chosen(by attempt: Int, now: Int, _ policy: Policy) {
        guard case .trial = state else { return }
        if firstTrial == 0 { firstTrial = attempt }
        state = .trial(isUnderWay: true)
        trialEnds = now + Self.microseconds(policy.longestTrial)
        trialAttempt = attempt
    }

    var isAwaitingTrial: Bool { state == .trial(isUnderWay: false) }
    var isTrialUnderWay: Bool { state == .trial(isUnderWay: true) }

    /// Whether others wait for what this attempt finds out.
    func isOnTrial(by attempt: Int) -> Bool {
        state == .trial(isUnderWay: true) && trialAttempt == attempt
    }

    /// Whether this attempt is on trial, or was for as long as it was waited for: it tells how things stand.
    func wasOnTrial(by attempt: Int) -> Bool {
        guard case .trial = state else { return false }
        return firstTrial != 0 && attempt >= firstTrial
    }

    /// Whoever is on trial is not waited for.
    mutating func abandonTrial() {
        guard case .trial = state else { return }
        state = .trial(isUnderWay: false)
        trialEnds = 0
    }

    /// A request that was sent with it has told nothing about it.
    mutating func released(by attempt: Int) {
        if isOnTrial(by: attempt) { abandonTrial() }
    }

    /// - Returns: whether this has brought it back.
    mutating func succeeded(by attempt: Int) -> Bool {
        failures = 0
        switch state {
        case .active: rests = 0
        case .trial where wasOnTrial(by: attempt):
            reset()
            return true
        // A request that began before the verdict: a rest is not cut short by it.
        case .trial, .cooling, .exhausted, .disabled, .banned: break
        }
        return false
    }

    /// A failure that may be anybody's: only several in a row, or one in a trial, are a verdict.
    ///
    /// - Returns: whether it rests from now on.
    mutating func failed(_ reason: String, by attempt: Int, now: Int, _ policy: Policy) -> Bool {
        // What began before a rest, and fails in it, is no news.
        if case .cooling = state { return false }
        failures += 1
        guard wasOnTrial(by: attempt) || failures >= policy.failureLimit else { return false }
        return cool(until: now + grownRest(policy.rest, policy), reason, .failures, now: now, policy)
    }

    /// A question that costs nothing has been answered well.
    ///
    /// It tells that the backend is there and knows the credential, and nothing of limits.
    ///
    /// - Returns: whether this has brought it back.
    mutating func probedWell() -> Bool {
        switch (state, cause) {
        case (.cooling, .failures), (.trial(isUnderWay: false), .failures), (.disabled, .credential):
            // Backends may answer such questions well and requests not: until one has gone well, the next rest is
            // longer, and the next refusal is asked about less often.
            let before = state == .disabled ? rests + 1 : rests
            reset()
            rests = before
        default: return false
        }
        return true
    }

    /// Whether such a question may bring it back in this round of them.
    func mayBeProbed(round: Int) -> Bool {
        switch (state, cause) {
        case (.cooling, .failures), (.trial(isUnderWay: false), .failures): true
        case (.disabled, .credential): round % (1 << min(rests, 8)) == 0
        default: false
        }
    }

    // MARK: Verdicts

    /// Rests until then, or longer if it already does.
    ///
    /// - Returns: whether anything has changed.
    mutating func cool(
        until wanted: Int,
        _ reason: String,
        _ cause: Cause = .told,
        now: Int,
        _ policy: Policy
    ) -> Bool {
        let until = min(max(wanted, now), now + Self.microseconds(policy.longestRest))
        switch state {
        case .disabled, .banned: return false
        case .cooling(let known) where known >= until: return false
        case .exhausted(let known) where known.map({ $0 >= until }) ?? true: return false
        case .active, .trial, .cooling, .exhausted: break
        }
        if case .cooling = state {} else { rests += 1 }
        if state == .active { since = now }
        failures = 0
        // What the provider has told stands until its time, whatever fails meanwhile.
        let isTold = self.cause == .told && isResting
        state = .cooling(until: until)
        (self.reason, self.cause) = (reason, isTold ? .told : cause)
        return true
    }

    private var isResting: Bool {
        switch state {
        case .cooling, .exhausted: true
        case .active, .trial, .disabled, .banned: false
        }
    }

    /// `rest`, twice as long for each one before it since the last success, in microseconds.
    func grownRest(_ rest: Duration, _ policy: Policy) -> Int {
        let length = Self.microseconds(rest)
        return max(length, min(length << min(rests, 16), Self.microseconds(policy.longestGrownRest)))
    }

    mutating func exhaust(until: Int?, _ reason: String, now: Int, _ policy: Policy) -> Bool {
        switch state {
        case .disabled, .banned: return false
        case .active, .cooling, .trial, .exhausted: break
        }
        let before = state
        if state == .active { since = now }
        state = .exhausted(
            until: until.map { min(max($0, now), now + Self.microseconds(policy.longestRest)) }
        )
        (self.reason, cause) = (reason, .told)
        return state != before
    }

    mutating func disable(_ reason: String, _ cause: Cause = .credential, now: Int) -> Bool {
        guard state != .banned, state != .disabled else { return false }
        state = .disabled
        (self.reason, self.cause, since) = (reason, cause, now)
        return true
    }

    mutating func ban(_ reason: String, _ cause: Cause = .credential, now: Int) -> Bool {
        guard state != .banned else { return false }
        state = .banned
        (self.reason, self.cause, since) = (reason, cause, now)
        return true
    }

    /// Forgets everything: by an operator, or because a trial went well.
    mutating func reset() {
        self = HealthStateMachine()
    }

    static func microseconds(_ duration: Duration) -> Int {
        duration.milliseconds * 1000
    }
}
