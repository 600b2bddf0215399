import Operations

/// The rules that a new gateway has: what providers' answers mean, and what is safe to repeat.
///
/// Exhausted quota stands before throttling, since providers say both with 429, and before it what is said in a quota's
/// words and is none of the key. Nothing here repeats a request that a provider may have begun to work on.
enum DefaultRules {
    static let all: [Rule] = drafts.enumerated().map { index, draft in
        Rule(id: index + 1, name: draft.name, when: draft.when, then: draft.then)
            .with(draft.threshold)
    }

    private typealias Draft = (
        name: String, when: RuleCondition, threshold: RuleThreshold?, then: [RuleAction]
    )

    private static let modelWords =
        "(?i)model_not_found|model .{0,100}(does not exist|not found|not supported)|no access to (the )?model"
        + "|not have access to (the )?model|\"ModelNotOpen\"|\"AllocationQuota\\.FreeTierOnly\""
        + "|function '[^']{1,99}': not found for account"

    private static let drafts: [Draft] = [
        (
            "request not permitted",
            when {
                $0.status = [StatusRange(401...401), StatusRange(403...403)]
                $0.bodyRegex = ErrorWords.notPermitted
            }, nil, [RuleAction(.retryNextKey)]
        ),
        (
            "dead credential", when { $0.status = [StatusRange(401...401)] }, nil,
            [RuleAction(.disableKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "request too expensive",
            when {
                $0.status = [StatusRange(402...402)]
                $0.bodyRegex = ErrorWords.tooExpensive
            }, nil, [RuleAction(.retryNextKey)]
        ),
        (
            "payment required", when { $0.status = [StatusRange(402...402)] }, nil,
            [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "request beyond a limit",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = ErrorWords.tooLarge
            }, nil, [RuleAction(.retryNextKey)]
        ),
        (
            "quota of a model",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = ErrorWords.modelQuota
            }, nil, [RuleAction(.cooldownModel, seconds: 60), RuleAction(.retryNextKey)]
        ),
        (
            "too many tokens",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = ErrorWords.tokenRate
            }, nil, [RuleAction(.cooldownKey, seconds: 60), RuleAction(.retryNextKey)]
        ),
        (
            "out of quota",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = ErrorWords.spent
            }, nil, [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "refused for quota",
            when {
                $0.status = [StatusRange(400...400), StatusRange(403...403), StatusRange(412...412)]
                $0.bodyRegex = ErrorWords.quota
            }, nil, [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "refused credential",
            when {
                $0.status = [StatusRange(400...400), StatusRange(403...403)]
                $0.bodyRegex = ErrorWords.credential
            }, nil, [RuleAction(.disableKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "plan used up for now",
            when {
                $0.status = [StatusRange(403...403)]
                $0.bodyRegex = ErrorWords.planWindow
            }, nil, [RuleAction(.cooldownKey, seconds: 3600), RuleAction(.retryNextKey)]
        ),
        (
            "often forbidden", when { $0.status = [StatusRange(403...403)] },
            RuleThreshold(count: 5, seconds: 60),
            [RuleAction(.cooldownKey, seconds: 300), RuleAction(.retryNextKey)]
        ),
        (
            "model not there",
            when {
                $0.status = [StatusRange(403...403), StatusRange(404...404)]
                $0.bodyRegex = modelWords
            }, nil, [RuleAction(.cooldownModel, seconds: 3600), RuleAction(.retryNextKey)]
        ),
        (
            "throttled", when { $0.status = [StatusRange(429...429)] }, nil,
            [RuleAction(.cooldownKey, seconds: 60), RuleAction(.retryNextKey)]
        ),
        (
            "overloaded", when { $0.status = [StatusRange(503...503), StatusRange(529...529)] }, nil,
            [RuleAction(.retryNextKey)]
        ),
        (
            "unreachable", when { $0.error = [.connect, .tls] }, nil,
            [RuleAction(.retryNextKey)]
        ),
    ]

    private static func when(_ set: (inout RuleCondition) -> Void) -> RuleCondition {
        var condition = RuleCondition()
        set(&condition)
        return condition
    }
}

extension Rule {
    fileprivate func with(_ threshold: RuleThreshold?) -> Rule {
        var copy = self
        copy.threshold = threshold
        return copy
    }
}
