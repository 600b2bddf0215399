import Operations

/// The rules that a new gateway has: what providers' answers mean, and what is safe to repeat.
///
/// Exhausted quota stands before throttling, since providers say both with 429. Nothing here repeats a request that a
/// provider may have begun to work on.
enum DefaultRules {
    static let all: [Rule] = drafts.enumerated().map { index, draft in
        Rule(id: index + 1, name: draft.name, when: draft.when, then: draft.then)
            .with(draft.threshold)
    }

    private typealias Draft = (
        name: String, when: RuleCondition, threshold: RuleThreshold?, then: [RuleAction]
    )

    private static let quotaWords =
        "(?i)insufficient_quota|billing_hard_limit|billing_not_active|exceeded your current quota"
        + "|credit balance is too low|insufficient (balance|credits|funds)|out of credits|余额不足|额度不足"
    private static let modelWords =
        "(?i)model_not_found|model .{0,100}(does not exist|not found|not supported)|no access to (the )?model"
        + "|not have access to (the )?model"

    /// Not the key has had too much, but the request alone is more than it may have.
    private static let tooLarge =
        "(?i)\"message\"\\s*:\\s*\"request too large for "

    /// What none of the keys may do, or the caller has asked for in somebody else's name.
    private static let notPermitted =
        "(?i)\"mismatched_(organization|project)\"|missing scopes?|must be made with a session key"

    private static let drafts: [Draft] = [
        (
            "request not permitted",
            when {
                $0.status = [StatusRange(401...401), StatusRange(403...403)]
                $0.bodyRegex = notPermitted
            }, nil, [RuleAction(.retryNextKey)]
        ),
        (
            "dead credential", when { $0.status = [StatusRange(401...401)] }, nil,
            [RuleAction(.disableKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "payment required", when { $0.status = [StatusRange(402...402)] }, nil,
            [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "out of quota",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = quotaWords
            }, nil, [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "refused for quota",
            when {
                $0.status = [StatusRange(400...400), StatusRange(403...403)]
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
            "request beyond a limit",
            when {
                $0.status = [StatusRange(429...429)]
                $0.bodyRegex = tooLarge
            }, nil, [RuleAction(.retryNextKey)]
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
