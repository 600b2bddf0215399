/// Why a request is answered by the gateway itself: a stable code, a status and words for the caller.
struct Refusal: Error, Equatable {
    let code: RefusalCode
    let message: String
    /// Names the offending part: `client_key.minute`, a header, a field.
    var parameter: String?
    /// Whole seconds after which a repeat makes sense.
    var retryAfter: Int?
    /// Whether the bytes after this request can still be trusted to be a request.
    var closesConnection = false
    /// How the caller's tightest window stands, where one has been counted or has refused.
    var limits: ScopeWindows.Figures?

    init(
        _ code: RefusalCode,
        _ message: String,
        parameter: String? = nil,
        retryAfter: Int? = nil,
        closes: Bool = false,
        limits: ScopeWindows.Figures? = nil
    ) {
        self.code = code
        self.message = message
        self.parameter = parameter
        self.retryAfter = retryAfter
        closesConnection = closes
        self.limits = limits
    }
}

/// The stable codes of the error envelope, and the one place that gives each its status and type.
enum RefusalCode: String, Sendable, CaseIterable {
    case badRequest = "bad_request"
    case missingAPIKey = "missing_api_key"
    case invalidAPIKey = "invalid_api_key"
    case expiredAPIKey = "expired_api_key"
    case disabledAPIKey = "disabled_api_key"
    case permissionDenied = "permission_denied"
    case unknownUpstream = "unknown_upstream"
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case requestTimeout = "request_timeout"
    case bodyTooLarge = "body_too_large"
    case uriTooLong = "uri_too_long"
    case expectationFailed = "expectation_failed"
    case headersTooLarge = "headers_too_large"
    case rateLimitExceeded = "rate_limit_exceeded"
    case quotaExceeded = "quota_exceeded"
    case concurrencyExceeded = "concurrency_exceeded"
    case notImplemented = "not_implemented"
    case versionNotSupported = "http_version_not_supported"
    case upstreamError = "upstream_error"
    case upstreamCredentials = "upstream_credentials"
    case headerScriptFailed = "header_script_failed"
    case upstreamProtocol = "upstream_protocol"
    case noUsableKey = "no_usable_key"
    case overloaded = "overloaded"
    case upstreamDisabled = "upstream_disabled"
    case shuttingDown = "shutting_down"
    case auditUnavailable = "audit_unavailable"
    case upstreamTimeout = "upstream_timeout"
    /// After an answer has begun: never a status, only an event in the stream.
    case truncated
    case operatorCut = "operator_cut"

    var status: Int {
        switch self {
        case .badRequest: 400
        case .missingAPIKey, .invalidAPIKey, .expiredAPIKey, .disabledAPIKey: 401
        case .permissionDenied: 403
        case .unknownUpstream, .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .bodyTooLarge: 413
        case .uriTooLong: 414
        case .expectationFailed: 417
        case .rateLimitExceeded, .quotaExceeded, .concurrencyExceeded: 429
        case .headersTooLarge: 431
        case .notImplemented: 501
        case .upstreamError, .upstreamCredentials, .upstreamProtocol, .headerScriptFailed, .truncated: 502
        case .noUsableKey, .overloaded, .upstreamDisabled, .shuttingDown, .auditUnavailable, .operatorCut: 503
        case .upstreamTimeout: 504
        case .versionNotSupported: 505
        }
    }

    /// The class of error that OpenAI's SDKs branch on.
    var type: StaticString {
        switch self {
        case .missingAPIKey, .invalidAPIKey, .expiredAPIKey, .disabledAPIKey: "authentication_error"
        case .permissionDenied: "permission_error"
        case .rateLimitExceeded, .concurrencyExceeded: "rate_limit_error"
        case .quotaExceeded: "insufficient_quota"
        default: status >= 500 ? "server_error" : "invalid_request_error"
        }
    }

    var reason: StaticString {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Error"
        }
    }
}
