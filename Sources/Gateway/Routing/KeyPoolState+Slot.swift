import Operations

/// What the state of a pool is made of, and what it is asked and answers.
extension KeyPoolState {
    /// What a key brings with it.
    struct Member: Equatable, Sendable {
        let id: Int
        var weight = 1
        /// Lower ones are used first.
        var priority = 0
        /// Another for another secret, of which nothing is known yet.
        var generation = 0
    }

    enum Choice: Equatable, Sendable {
        case key(Int)
        /// The upstream has no keys.
        case unneeded
        /// With the first moment at which one may be used again, if one is known.
        case none(returnsAt: Int?)
    }

    /// What a request needs of a key.
    struct Wish: Sendable {
        /// Keys that have been tried for it.
        var tried: [Int] = []
        /// The key that is to be used again, if it may be.
        var wanted: Int?
        var model: String?
        /// The caller's client key; 0 where nobody is told from others.
        var client = 0
        /// Any number, for strategies that throw dice.
        var random: UInt64 = 0
    }

    /// What time it is.
    struct Moment: Sendable {
        /// Microseconds since 1970.
        var now: Int
        /// By the clock of the windows.
        var counting = 0
    }

    /// Why a key that is well is not used.
    enum Hold: Equatable, Sendable {
        /// One of its windows is full.
        case full(LimitWindow, limit: Int, until: Int)
        /// As many requests as it may have are under way.
        case busy(limit: Int)
        /// Its quota is used up; nil until it is reset.
        case spent(total: Int, until: Int?)
    }

    struct Slot: Sendable {
        var member: Member
        var health = HealthStateMachine()
        /// nil without limits.
        var windows: ScopeWindows?
        var quota: CountedQuota?
        var hold: Hold?
        var inFlight = 0
        var uses = 0
        /// Place among the ready keys of its group, or among those that rest.
        var place = -1
        var isReady = false
        /// The latest deadline that stands in the heap.
        var awaited: Int?

        var mayBeUsed: Bool { hold == nil && health.mayBeUsed }

        /// When it returns by itself, if that is known.
        var returnsAt: Int? {
            switch hold {
            case .full(_, _, let until): max(until, health.returnsAt ?? until)
            case .spent(_, let until): until.map { max($0, health.returnsAt ?? $0) }
            case .busy, nil: health.returnsAt
            }
        }

        /// When it has to be looked at again: as `returnsAt`, or when a trial has taken too long.
        var changesAt: Int? {
            if health.state == .trial(isUnderWay: true) { return health.trialEnds }
            return returnsAt
        }

        /// Why it is not used, in words for operators.
        var reason: String {
            if !health.mayBeUsed {
                return health.name.rawValue + (health.reason.map { ": \($0)" } ?? "")
            }
            return holdReason ?? state.rawValue
        }

        /// The word for operators: a quota of ours that is used up is as one of the provider's.
        var state: KeyState {
            if health.mayBeUsed, case .spent = hold { return .exhausted }
            return health.name
        }

        var holdReason: String? {
            switch hold {
            case .full(let window, let limit, _): "at its limit of \(limit)/\(window.rawValue)"
            case .busy(let limit): "at its limit of \(limit) at once"
            case .spent(let total, _): "its quota of \(total) requests is used up"
            case nil: nil
            }
        }
    }

    /// Keys of one priority that may be used.
    struct Group: Sendable {
        let priority: Int
        var slots: [Int] = []
        var turn = 0
    }
}
