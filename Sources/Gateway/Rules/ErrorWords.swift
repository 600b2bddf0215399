import Operations

/// What providers say of a key by the error's own code or whole message: the rest of an answer may repeat what the
/// caller has sent.
enum ErrorWords {
    static let quota = error(
        codes: "insufficient_(user_)?quota|insufficient_(balance|credits|funds)|billing_hard_limit_reached"
            + "|billing_not_active|(exceeded_current_)?quota(_exceeded)?(_error)?|budget_exceeded"
            + "|pre_consume_token_quota_failed|arrearage|account_?overdue(_?error)?",
        messages: "your credit balance is too low to access the anthropic api\\. please go to plans"
            + " (&|\\\\u0026) billing to upgrade or purchase credits\\."
            + "|you exceeded your current quota[a-z ,.:/&-]*"
            + "|insufficient (balance|credits|funds)\\.?|(用户|账户|令牌)?(余额|额度)不足"
    )
    static let credential = error(
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

    /// Whether an answer says so of the key, and not only by its status.
    static func speakOfKey(_ body: [UInt8]) -> Bool {
        patterns.map { !$0.occurring(in: body).numbers.isEmpty } ?? false
    }

    /// nil where RE2 has no memory for them, and then nothing is said exactly.
    private static let patterns: PatternSet? = {
        let set = PatternSet()
        do {
            for pattern in [quota, credential] {
                _ = try set.add(pattern, isLiteral: false, parameter: "when.body_regex")
            }
            try set.compile()
            return set
        } catch {
            return nil
        }
    }()
}
