import Operations
import Testing

@testable import Gateway

@Suite struct `Providers' words` {
    private func rule(_ status: Int, _ body: String) throws -> String? {
        var outcome = AttemptOutcome()
        (outcome.status, outcome.model, outcome.body) = (status, "gpt-4o", Array(body.utf8))
        let rules = try CompiledRules(DefaultRules.all)
        return OutcomeJudge(rules: rules).judge(outcome, now: 0) { _ in false }.ruleName
    }

    /// As they were seen: in providers' documents, or in what their users have reported.
    @Test(
        arguments: [
            (
                400,
                #"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API "#
                    + #"usage limits. You will regain access on 2027-01-01 at 00:00 UTC."}}"#,
                "refused for quota"
            ),
            (
                429,
                #"{"type":"error","error":{"details":{"error_code":"enforced_spend_limit_reached"},"type":"rate_limit_"#
                    + #"error","message":"You have reached your API usage limits: your organization has crossed its"}}"#,
                "out of quota"
            ),
            (
                429,
                #"{"error":{"type":"rate_limit_error","message":"Extra usage is required for long context requests."}}"#,
                "request beyond a limit"
            ),
            (
                429, #"{"error":{"message":"x","type":"requests","code":"project_spend_limit_exceeded"}}"#,
                "out of quota"
            ),
            (
                403,
                #"{"error":{"code":"unsupported_country_region_territory","message":"Country not supported"}}"#,
                "request not permitted"
            ),
            (
                403,
                #"[{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","#
                    + #""status":"PERMISSION_DENIED"}}]"#, "refused credential"
            ),
            (
                403,
                #"{"error":{"code":403,"message":"Permission denied: Consumer 'api_key:AIzaXX' has been suspended."}}"#,
                "refused credential"
            ),
            (
                429,
                #"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan.\n* Quota exceeded"#
                    + #" for metric: x, limit: 20","status":"RESOURCE_EXHAUSTED","details":[{"a":[]}]}}"#,
                "quota of a model"
            ),
            (
                429,
                #"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","errors":[{"reason":"x"}],"#
                    + #""status":"RESOURCE_EXHAUSTED"}}"#, "quota of a model"
            ),
            (
                429,
                #"{"error":{"code":429,"message":"Your prepayment credits are depleted.","status":"RESOURCE_EXHAUSTED"}}"#,
                "out of quota"
            ),
            (
                403,
                #"{"error":{"message":"Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys","#
                    + #""code":403}}"#, "refused for quota"
            ),
            (
                402,
                #"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 9","code":402}}"#,
                "request too expensive"
            ),
            (402, #"{"error":{"message":"Insufficient credits","code":402}}"#, "payment required"),
            (
                429,
                #"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"insufficient balance"}}}"#,
                "throttled"
            ),
            (
                403, #"{"error":{"message":"Request blocked: prompt injection patterns detected"}}"#,
                "request not permitted"
            ),
            (
                403,
                #"{"code":"The caller does not have permission","error":"Your newly created team doesn't have any credits or "#
                    + #"licenses yet. You can purchase those on https://console.x.ai/team/0123abcd-0123-0123-0123-0123456789ab."}"#,
                "refused for quota"
            ),
            (
                403, #"{"error":"API key is currently blocked: Blocked due to API key leak"}"#,
                "refused credential"
            ),
            (
                400,
                #"{"error":"Incorrect API key provided. You can obtain an API key from https://console.x.ai."}"#,
                "refused credential"
            ),
            (
                429,
                #"{"error":"Your team x has either used all available credits or reached its monthly spending limit."}"#,
                "out of quota"
            ),
            (
                403, #"{"code":30001,"message":"Sorry, your account balance is insufficient"}"#,
                "refused for quota"
            ),
            (
                403,
                #"{"error":{"type":"permission_error","message":"You've reached your usage limit for this billing cycle. Wait"}}"#,
                "plan used up for now"
            ),
            (429, #"{"error":{"code":"1113","message":"您的账户已欠费，请充值后重试"}}"#, "out of quota"),
            (
                429,
                #"{"error":{"message":"You exceeded your current quota, please check your plan and billing details. For details, "#
                    + #"see: https://help/error-code#token-limit","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                "too many tokens"
            ),
            (
                429,
                #"{"error":{"message":"insufficient balance (1008)","type":"insufficient_balance_error"}}"#,
                "out of quota"
            ),
            (404, #"{"error":{"code":"ModelNotOpen","message":"x"}}"#, "model not there"),
            (403, #"{"code":"AllocationQuota.FreeTierOnly","message":"x"}"#, "model not there"),
            (
                400,
                #"{"error":{"message":"Organization has been restricted","code":"organization_restricted"}}"#,
                "refused credential"
            ),
            (400, #"{"error":{"message":"x","code":"blocked_api_access"}}"#, "refused for quota"),
            (
                412,
                #"{"error":{"code":"PRECONDITION_FAILED","message":"Account a-1 is suspended, possibly due to reaching the monthly "#
                    + #"spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more "#
                    + #"information."}}"#, "refused for quota"
            ),
            (412, "", nil),
            (
                403, #"{"Message":"Authentication failed: Please make sure your API Key is valid."}"#,
                "refused credential"
            ),
            (
                400,
                #"{"error":{"message":"maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#,
                nil
            ),
            (
                400,
                #"{"error":{"message":"The response was filtered","code":"content_filter","status":400}}"#,
                nil
            ),
            (
                400,
                #"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
                nil
            ),
            (
                403, #"{"type":"error","error":{"type":"permission_error","message":"Request not allowed"}}"#,
                nil
            ),
        ] as [(Int, String, String?)]
    )
    func `providers' own words are known`(status: Int, body: String, name: String?) throws {
        #expect(try rule(status, body) == name)
    }

    /// What stands deeper, or in a text that an answer repeats, is not the error's own.
    @Test(arguments: [
        #"{"error":{"input":{"code":"insufficient_quota"},"message":"x"}}"#,
        #"{"error":{"input":"\"},\"code\":\"insufficient_quota\"","message":"x"}}"#,
        #"{"error":{"input":["}],\"message\":\"insufficient balance\""],"message":"x"}}"#,
        #"{"error":{"message":"x","metadata":{"raw":"you exceeded your current quota"}}}"#,
        #"<html>{"message":"out of credits"}"#, #"{"choices":[{"message":"insufficient funds"}]}"#,
    ])
    func `a quota is none that only somebody speaks of`(body: String) throws {
        #expect(try rule(429, body) == "throttled")
    }
}
