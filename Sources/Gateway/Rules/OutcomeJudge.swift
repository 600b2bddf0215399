import Operations

/// What is made of an attempt's outcome: for the key, for the request, for the operator.
struct Judgement: Equatable, Sendable {
    enum Repeat: Equatable, Sendable {
        case no
        case nextKey
        case sameKey
    }

    /// What the caller is told in place of the answer.
    struct Answer: Equatable, Sendable {
        let status: Int
        let body: String
    }

    var verdict: KeyVerdict
    var repeats = Repeat.no
    var answer: Answer?
    /// The rule that has fired.
    var ruleID: Int?
    var ruleName: String?
    /// Whether the attempt counts towards those that one request may make: a key's own trouble does not.
    var counts = true
    var notifies = false
    /// Whether the answer says of the key, in the provider's own words and with a status that is about keys, what the
    /// verdict is.
    var isExact = false
}

extension Judgement {
    /// In words: `the key rests for 7 s; the request goes to the next key`.
    ///
    /// `longest`: of any rest, as `HealthStateMachine.Policy` has it.
    func words(now: Int, longest: Duration) -> String {
        let most = now + HealthStateMachine.microseconds(longest)
        let toKey =
            switch verdict {
            case .untold: "nothing is learnt of the key"
            case .good: "the key works"
            case .transient: "a failure is counted for the key"
            case .rest(let rest): "the key rests for \(Self.length(rest, now, most))"
            case .modelRest(let model, let rest):
                "the key is not used for \(model) for \(Self.length(rest, now, most))"
            case .upstreamRest(let rest): "the upstream rests for \(Self.length(rest, now, most))"
            case .exhausted(let until, _):
                "the key is exhausted" + (until.map { ", for \((min($0, most) - now) / 1_000_000) s" } ?? "")
            case .disabled: "the key is disabled"
            case .banned: "the key is banned"
            }
        let toCaller =
            switch repeats {
            case .nextKey: "the request goes to the next key"
            case .sameKey: "the request is sent again with this key"
            case .no: answer.map { "the caller is answered \($0.status)" } ?? "the caller is given the answer"
            }
        return "\(toKey); \(toCaller)"
    }

    private static func length(_ rest: KeyVerdict.Rest, _ now: Int, _ most: Int) -> String {
        rest.until.map { "\(max(0, (min($0, most) - now + 999_999) / 1_000_000)) s" } ?? rest.length.text
    }
}

/// Asks the rules about an outcome, and knows what to make of one that no rule speaks of.
struct OutcomeJudge {
    let rules: CompiledRules

    /// `reached`: as `CompiledRules.first`.
    func judge(_ outcome: AttemptOutcome, now: Int, reached: (Rule) -> Bool) -> Judgement {
        guard let rule = rules.first(outcome, reached: reached) else {
            return Judgement(verdict: Self.plain(outcome))
        }
        var judgement = Judgement(verdict: Self.verdict(rule, outcome, now: now))
        if judgement.verdict.takesOut, [401, 402, 429].contains(outcome.status) {
            judgement.isExact = ErrorWords.speakOfKey(outcome.body)
        }
        judgement.ruleID = rule.id
        judgement.ruleName = rule.name
        for action in rule.then {
            switch action.action {
            case .retryNextKey: judgement.repeats = .nextKey
            case .retrySameKey: judgement.repeats = .sameKey
            case .respond:
                judgement.answer = Judgement.Answer(status: action.status ?? 502, body: action.body ?? "")
            case .notify: judgement.notifies = true
            case .cooldownKey, .disableKey, .banKey, .exhaustKey: judgement.counts = false
            // A name that no key knows must not be asked of all of them.
            case .cooldownModel, .cooldownUpstream: break
            }
        }
        return judgement
    }

    /// Without a rule: what is the upstream's own trouble counts against the key, all else shows that it works.
    static func plain(_ outcome: AttemptOutcome) -> KeyVerdict {
        // An answer that broke off says less by its status than by that.
        if outcome.error != nil { return .transient(outcome.account()) }
        return switch outcome.status {
        case 401, 402, 403, 429: .untold
        case .some(let status):
            status >= 500 && status != 501 && status != 505 ? .transient(outcome.account()) : .good
        case nil: .transient(outcome.account())
        }
    }

    private static func verdict(_ rule: Rule, _ outcome: AttemptOutcome, now: Int) -> KeyVerdict {
        let reason = outcome.account(rule: rule.name)
        for action in rule.then {
            let told = action.fromAnswer == false ? nil : ResetTime.find(in: outcome, now: now)
            let rest = KeyVerdict.Rest(
                until: told,
                length: .seconds(action.seconds ?? 60),
                reason: reason,
                isThrottling: outcome.status == 429
            )
            switch action.action {
            case .cooldownKey: return .rest(rest)
            case .cooldownModel: return outcome.model.map { .modelRest($0, rest) } ?? .rest(rest)
            case .cooldownUpstream: return .upstreamRest(rest)
            case .disableKey:
                let isRefused = outcome.status == 401 || outcome.status == 403
                return .disabled(reason, isRefused ? .credential : .told)
            case .banKey: return .banned(reason)
            // What opens at once is not the quota's window: it is asked again soon, and not at once.
            case .exhaustKey:
                let until = told.map { $0 > now + 1_000_000 ? $0 : now + 60_000_000 }
                return .exhausted(until: until, reason)
            case .retryNextKey, .retrySameKey, .respond, .notify: continue
            }
        }
        return plain(outcome)
    }
}

/// Counts how often a rule has applied to a key lately, for rules that act only after several times.
struct RuleThresholds: Sendable {
    private struct Place: Hashable, Sendable {
        let rule: Int
        let key: Int
    }

    private static let limit = 10_000

    private var times: [Place: [Int]] = [:]

    /// - Returns: how many counts were forgotten: those of longer ago than any threshold reaches back.
    mutating func cleanUp(now: Int) -> Int {
        let before = times.count
        times = times.filter { $0.value.last ?? 0 > now - 86_400_000_000 }
        return before - times.count
    }

    /// - Returns: whether this time is the one; the count then begins anew.
    mutating func reached(_ rule: Rule, key: Int, now: Int) -> Bool {
        guard let threshold = rule.threshold else { return true }
        if times.count >= Self.limit { times = times.filter { $0.value.last ?? 0 > now - 60_000_000 } }
        // What is left after that is too much to remember.
        if times.count >= Self.limit { times = [:] }
        let place = Place(rule: rule.id, key: key)
        var recent = (times[place] ?? []).filter { $0 > now - threshold.seconds * 1_000_000 }
        recent.append(now)
        let isFull = recent.count >= threshold.count
        times[place] = isFull ? nil : recent
        return isFull
    }
}
