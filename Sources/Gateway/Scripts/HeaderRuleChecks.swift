import Operations

/// What may be a header rule; the same for operators' drafts and for what scripts return.
enum HeaderRuleChecks {
    /// Of one upstream.
    static let countLimit = 32
    static let valueLimit = 8192
    private static let nameLimit = 128
    private static let cacheLimit = 86_400

    /// They frame the message, belong to the connection, or are the gateway's own to say.
    private static let reserved: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te",
        "trailer", "upgrade", "expect", "proxy-authenticate", "proxy-authorization", "x-request-id",
        "x-fastgate-attempts", "x-fastgate-overhead-us", "accept-encoding", "content-encoding",
    ]

    static func check(_ rule: HeaderRule) throws(OperationsError) {
        try check(name: rule.name)
        switch rule.kind {
        case .static:
            guard let value = rule.value else { throw invalid("is required for a static header", "value") }
            if let fault = fault(ofValue: value) { throw invalid(fault, "value") }
            if rule.script != nil { throw invalid("a static header has no script", "script") }
        case .javascript, .python:
            guard let script = rule.script else {
                throw invalid("is required for a header in \(rule.kind.rawValue)", "script")
            }
            try ScriptChecks.check(script)
            if rule.value != nil { throw invalid("a header with a script has no value", "value") }
        }
        switch (rule.onFailure, rule.fallback) {
        case (.fallback, nil): throw invalid("is required where on_failure is fallback", "fallback")
        case (.fallback, let value?):
            if let fault = fault(ofValue: value) { throw invalid(fault, "fallback") }
        case (.fail, .some), (.omit, .some):
            throw invalid("is used only where on_failure is fallback", "fallback")
        case (.fail, nil), (.omit, nil): break
        }
        guard (0...cacheLimit).contains(rule.cacheSeconds) else {
            throw invalid("must be from 0 to \(cacheLimit)", "cache_seconds")
        }
    }

    private static func check(name: String) throws(OperationsError) {
        let bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count <= nameLimit, bytes.allSatisfy(ASCII.isToken), !bytes.contains(95)
        else {
            throw invalid("must be 1 to \(nameLimit) letters, digits and hyphens", "name")
        }
        guard !reserved.contains(name.lowercased()) else {
            throw invalid("\(name) is the gateway's own to say", "name")
        }
    }

    /// Why a text cannot be a header's value; nil when it can.
    static func fault(ofValue value: String) -> String? {
        let bytes = value.utf8
        if bytes.count > valueLimit { return "has \(bytes.count) bytes; a value can have \(valueLimit)" }
        if bytes.contains(where: { $0 == 0x0D || $0 == 0x0A }) { return "holds a line end" }
        if bytes.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
            return "holds a control character"
        }
        if bytes.first == 0x20 || bytes.last == 0x20 || bytes.first == 0x09 || bytes.last == 0x09 {
            return "begins or ends with a space"
        }
        return nil
    }

    private static func invalid(_ message: String, _ field: String) -> OperationsError {
        OperationsError(.invalid, message, parameter: field)
    }
}
