import NIOCore

/// What an exchange takes of its client key's quota: reserved before it is sent, settled at its end.
extension Exchange {
    /// Takes of a quota of tokens what the request will use at least: about a token for four bytes of the prompt, and
    /// as many as it says that it wants.
    func reserveTokens(_ body: ByteBuffer) throws(Refusal) {
        guard admission.quota != nil else { return }
        let wanted = body.withUnsafeReadableBytes { bytes in
            ["max_completion_tokens", "max_tokens", "max_output_tokens"].lazy
                .compactMap { JSONFields.integer($0, in: bytes) }.first
        }
        // A wish beyond all reason is the provider's to refuse.
        let tokens = (body.readableBytes + 3) / 4 + min(max(wanted ?? 0, 0), 1 << 32)
        try worker.limiter.reserve(tokens: max(1, tokens), for: &admission)
    }

    /// Gives back what limits count as under way, and brings the quota to what was used.
    func settleQuota() {
        worker.limiter.release(
            admission,
            wasSent: outcome.attempts > 0,
            tokens: outcome.usage.map { ($0.promptTokens ?? 0) + ($0.completionTokens ?? 0) }
        )
    }
}
