import NIOCore

/// What an exchange takes of its client key's quota: reserved before it is sent, settled at its end.
extension Exchange {
    /// Takes of a quota of tokens what the request will use at least: about a token for four bytes of the prompt, and
    /// as many as it says that it wants.
    func reserveTokens(_ body: ByteBuffer, length: Int) throws(Refusal) {
        guard admission.quota != nil else { return }
        let wanted = body.withUnsafeReadableBytes { bytes in
            ["max_completion_tokens", "max_tokens", "max_output_tokens"].lazy
                .compactMap { JSONFields.integer($0, in: bytes) }.first
        }
        // A wish beyond all reason is the provider's to refuse.
        let tokens = Self.tokens(ofBytes: length) + min(max(wanted ?? 0, 0), 1 << 32)
        try worker.limiter.reserve(tokens: max(1, tokens), for: &admission)
    }

    /// What is said for a text of this length where nobody counts.
    private static func tokens(ofBytes count: Int) -> Int { (count + 3) / 4 }

    /// Gives back what limits count as under way, and brings the quota to what was used.
    func settleQuota() {
        worker.limiter.release(admission, wasSent: outcome.wasSent, tokens: usedTokens)
    }

    /// What was used, as the provider says it; an answer that refuses costs nothing, and one that nobody has counted, or
    /// that a caller has left, costs at least what has come of it.
    private var usedTokens: Int? {
        if let usage = outcome.usage {
            let most = 1 << 40
            return min(usage.promptTokens ?? 0, most) + min(usage.completionTokens ?? 0, most)
        }
        if let status = outcome.upstreamStatus, status >= 400 { return 0 }
        guard let reserved = admission.quota?.amount, let events = answer.events?.events else { return nil }
        return max(reserved, Self.tokens(ofBytes: outcome.bytesIn) + events)
    }
}
