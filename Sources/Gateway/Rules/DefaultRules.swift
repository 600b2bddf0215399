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
    /// Of what says so with 400 or 403, only the error's own words count: the rest may repeat what the caller has sent.
    private static let quotaError = error(
        codes: "insufficient_(user_)?quota|insufficient_(balance|credits|funds)|billing_hard_limit_reached"
            + "|billing_not_active|(exceeded_current_)?quota(_exceeded)?(_error)?|budget_exceeded"
            + "|pre_consume_token_quota_failed|arrearage|account_?overdue(_?error)?",
        messages: "your credit balance is too low to access the anthropic api\\. please go to plans"
            + " (&|\\\\u0026) billing to upgrade or purchase credits\\."
            + "|you exceeded your current quota[a-z ,.:/&-]*"
            + "|insufficient (balance|credits|funds)\\.?|(用户|账户|令牌)?(余额|额度)不足"
    )
    private static let credentialError = error(
        codes: "invalid_?api_?key|(incorrect|expired|revoked|disabled)_api_key"
            + "|api_?key_?(not_valid|invalid|expired)"
            + "|account_(deactivated|suspended|disabled|banned)|organization_(deactivated|disabled)"
            + "|authentication_error|invalid_authentication(_error)?",
        messages: "api key (not (valid|found)\\. please pass a valid|expired\\. please renew the) api key\\."
            + "|incorrect api key provided: \\S{1,99}\\. you can obtain an api key from https://\\S{1,99}"
            + "|(this|your) (organization|account) has been (deactivated|suspended|disabled|banned)\\.?"
    )

    /// A pattern for a code or a whole message of the error itself: a member of the answer's object, or of its `error`,
    /// behind plain members only, and the answer is that object or a stream's event of it.
    ///
    /// Text that repeats what a caller has sent stands in a longer text, or deeper, and does not look like that.
    private static func error(codes: String, messages: String) -> String {
        let start = #"^(?:\x{FEFF}|\s|(?:event|id|retry) ?:[^\n]*\n|data ?:)*\[?\s*\{"#
        let value = #"(?:"(?:[^"\\]|\\.)*"|[\w.+-]+|\[\s*\]|\{\s*\})"#
        let before = #"(?:\s*"\w+"\s*:\s*"# + value + #"\s*,)*\s*"#
        return "(?i)" + start + before + #"(?:"error"\s*:\s*\{"# + before + ")?"
            + #"(?:"(?:code|type|status)"\s*:\s*"(?:"# + codes + #")""#
            + #"|"(?:message|error)"\s*:\s*"(?:"# + messages + #")(?: \(request id: \w+\))?")"#
    }

    private static let modelWords =
        "(?i)model_not_found|model .{0,100}(does not exist|not found|not supported)|no access to (the )?model"
        + "|not have access to (the )?model"

    /// Not the key has had too much, but the request alone is more than it may have.
    private static let tooLarge =
        "(?i)\"message\"\\s*:\\s*\"request too large for "

    private static let drafts: [Draft] = [
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
                $0.bodyRegex = quotaError
            }, nil, [RuleAction(.exhaustKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "refused credential",
            when {
                $0.status = [StatusRange(400...400), StatusRange(403...403)]
                $0.bodyRegex = credentialError
            }, nil, [RuleAction(.disableKey), RuleAction(.retryNextKey), RuleAction(.notify)]
        ),
        (
            "often forbidden", when { $0.status = [StatusRange(403...403)] },
            RuleThreshold(count: 5, seconds: 60), [RuleAction(.cooldownKey, seconds: 300)]
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
