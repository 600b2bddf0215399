import Operations

/// What providers say of a key by the error's own code or message: the rest of an answer may repeat what the caller
/// has sent.
///
/// The words are those of answers that were seen, most of them in the providers' documents or their users' reports.
enum ErrorWords {
    /// Where nothing but the error's own code or whole message is believed.
    static let quota = plain(code(quotaCodes) + "|" + message(spentMessages))
    static let credential = plain(code(credentialCodes) + "|" + message(credentialMessages))

    /// Of a status that tells of limits anyway: what a message of the error's own speaks of, or a text that is no JSON.
    static let spent =
        own(code(quotaCodes) + "|" + saying(spentWords)) + #"|^[^{\[]*(?:"# + spentWords + ")"

    /// Google counts quotas for each model, of a minute and of a day, and says the same of both.
    static let modelQuota = own(
        saying("^(?:you exceeded your current quota|resource (?:has been )?exhausted|quota exceeded for )")
            + text + "\"" + #"(?:\s*,\s*"\w+"\s*:\s*"# + anyValue + ")*"
            + #"\s*,\s*"status"\s*:\s*"RESOURCE_EXHAUSTED""#
    )

    /// Too many tokens within a minute, in the words and with the code of a quota (Alibaba).
    static let tokenRate = own(saying(#"error-code#token-limit"#))

    /// Of a plan that counts by hours or weeks, and says so with 403 (Kimi).
    static let planWindow = plain(
        saying(#"^you've reached your (?:usage limit for this billing cycle|weekly \(7-day\) usage limit)\."#)
    )

    /// What this request would cost, and another one may not.
    static let tooExpensive = plain(
        saying(
            "^(?:this request requires more credits, or fewer max_tokens\\.|prompt tokens limit exceeded: )"
        )
    )

    /// Not the key has had too much, but the request alone is more than it may have.
    static let tooLarge = own(
        saying(
            "^(?:request too large for |(?:extra usage is|usage credits are) required for long context requests)"
        )
    )

    /// What none of the keys may do, or the caller has asked for in somebody else's name.
    static let notPermitted =
        #"(?i)"mismatched_(organization|project)"|missing scopes?|must be made with a session key|"#
        + plain(
            code("unsupported_country_region_territory") + "|" + saying("^request blocked: ")
        )

    // MARK: Words

    private static let quotaCodes =
        "insufficient_(?:user_)?quota|insufficient_(?:balance(?:_error)?|credits|funds)|billing_hard_limit_reached"
        + "|billing_not_active|(?:exceeded_current_)?quota(?:_exceeded)?(?:_error)?|budget_exceeded"
        + "|pre_consume_token_quota_failed|arrearage|account_?overdue(?:_?error)?|credit_balance_exhausted"
        + "|(?:organization|project)_spend_limit_exceeded|organization_usage_limit_exceeded"
        + "|(?:enforced_)?spend_limit_reached|blocked_api_access|personal-team-blocked:spending-limit"

    private static let spentWords =
        "insufficient_quota|billing_hard_limit|billing_not_active|exceeded your current quota"
        + "|credit balance is too low|insufficient (?:balance|credits|funds)|out of credits"
        + "|used all available credits|monthly spending (?:limit|cap)|credits are depleted"
        + "|reached your (?:specified )?(?:workspace )?api usage limits|余额不足|额度不足|已欠费"

    private static let uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    private static let spentMessages =
        #"your credit balance is too low to access the anthropic api\. please go to plans"#
        + #" (?:&|\\u0026) billing to upgrade or purchase credits\."#
        + #"|you exceeded your current quota[a-z ,.:/&-]*"#
        + #"|insufficient (?:balance|credits|funds)\.?|(?:用户|账户|令牌)?(?:余额|额度)不足"#
        + #"|you have reached your specified (?:workspace )?api usage limits\."#
        + #" you will regain access on \d{4}-\d\d-\d\d at \d\d:\d\d utc\."#
        + #"|key limit exceeded(?: \((?:total|daily|weekly|monthly) limit\))?\."#
        + #" manage it using https://openrouter\.ai/[\w/-]{1,60}"#
        + #"|sorry, your account balance is insufficient\.?|the selected model requires paid balance\."#
        + #" your paid balance is insufficient\. please top up and try again\."#
        + "|your team " + uuid
        + #" has either used all available credits or reached its monthly spending limit\."#
        + #" to continue making api requests, please purchase more credits or raise your spending limit\."#
        + #"|your newly created teams? doesn't have any credits(?: or licenses)? yet\."#
        + #" you can purchase (?:those|credits) on https://console\.x\.ai/team/"# + uuid + #"\."#
        + #"|account [\w-]{1,60} is suspended, possibly due to reaching the monthly spending limit or failure to pay"#
        + #" past invoices\. please go to https://fireworks\.ai/account/billing for more information\."#

    private static let credentialCodes =
        "invalid_?api_?key|(?:incorrect|expired|revoked|disabled)_api_key"
        + "|api_?key_?(?:not_valid|invalid|expired)"
        + "|account_(?:deactivated|suspended|disabled|banned)|organization_(?:deactivated|disabled|restricted)"
        + "|authentication_error|invalid_authentication(?:_error)?"

    private static let credentialMessages =
        #"api key (?:not (?:valid|found)\. please pass a valid|expired\. please renew the) api key\."#
        + #"|incorrect api key provided(?:: \S{1,99})?\. you can obtain an api key from https://\S{1,99}"#
        + #"|(?:this|your) (?:organization|account) has been (?:deactivated|suspended|disabled|banned)\.?"#
        + #"|your api key was reported as leaked\. please use another api key\."#
        + #"|permission denied: consumer 'api_key:[\w*-]{1,60}' has been suspended\."#
        + #"|your project has been denied access\. please contact support\."#
        + #"|api key is currently blocked: blocked due to api key leak\.?"#
        + #"|authentication failed: please make sure your api key is valid\."#

    // MARK: Places

    private static let start = #"^(?:\x{FEFF}|\s|(?:event|id|retry) ?:[^\n]*\n|data ?:)*\[?\s*\{"#
    private static let text = #"(?:[^"\\]|\\.)*"#
    private static let simpleValue = #"(?:""# + text + #""|[\w.+-]+|\[\s*\]|\{\s*\})"#
    /// Lists and objects too, with nothing of their own kind in them.
    private static let anyValue =
        #"(?:""# + text + #""|[\w.+-]+|\[(?:[^\[\]"]|""# + text + #"")*\]|\{(?:[^{}"]|""# + text + #"")*\})"#

    /// A pattern for a member of the error itself: of the answer's object, or of its `error`, and the answer is that
    /// object or a stream's event of it.
    ///
    /// Text that repeats what a caller has sent stands in a longer text, or deeper, and does not look like that.
    private static func plain(_ member: String) -> String { place(member, behind: simpleValue) }

    /// The same also behind members that may hold what a caller has sent.
    private static func own(_ member: String) -> String { place(member, behind: anyValue) }

    private static func place(_ member: String, behind value: String) -> String {
        let before = #"(?:\s*"\w+"\s*:\s*"# + value + #"\s*,)*\s*"#
        return "(?i)" + start + before + #"(?:"error"\s*:\s*\{"# + before + ")?(?:" + member + ")"
    }

    private static func code(_ words: String) -> String {
        #""(?:code|type|status)"\s*:\s*"(?:"# + words + #")""#
    }

    /// The whole message is one of these.
    private static func message(_ words: String) -> String {
        #""(?:message|error)"\s*:\s*"(?:"# + words + #")(?: \(request id: \w+\))?""#
    }

    /// A message with one of these in it, or where it begins behind `^`.
    private static func saying(_ words: String) -> String {
        let isFirst = words.hasPrefix("^")
        return #""(?:message|error)"\s*:\s*""# + (isFirst ? "" : text) + "(?:"
            + words.dropFirst(isFirst ? 1 : 0) + ")"
    }

    // MARK: What is believed

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
