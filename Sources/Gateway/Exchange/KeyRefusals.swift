/// Keys of one upstream that have refused a request, and whether that is held against them.
///
/// A key that refuses what another one then serves is at fault. What two keys refuse alike may be asked of none of
/// them, and then it is the request that is: a caller must not be able to take keys out one by one. Whoever is still
/// refused when nobody is left to ask stays under suspicion only. What a provider says of the key in its own words, with
/// a status that no request can bring about, is believed.
struct KeyRefusals {
    /// Of a request that is refused with so many keys, no more is expected.
    private static let tries = 12

    private var status: Int?
    /// Taken out of use for it.
    private(set) var condemned: [KeyPool.Condemned] = []
    /// In use, until another key shows that the request can be served.
    private(set) var suspended: [(key: UpstreamKeyEntry, verdict: KeyVerdict)] = []

    var isEnough: Bool { suspended.count >= Self.tries }

    /// An attempt's answer.
    ///
    /// - Returns: keys that have refused alike before, and are not at fault as far as can be told.
    mutating func consider(
        _ judgement: inout Judgement,
        _ status: Int?,
        _ key: UpstreamKeyEntry?
    ) -> [KeyPool.Condemned] {
        guard let status, let key, !judgement.isExact, Self.mayBeTheRequests(status, judgement.verdict) else {
            return []
        }
        let takesOut = judgement.verdict.takesOut
        guard status == self.status, takesOut || (401...403).contains(status) else {
            if takesOut { (self.status, condemned) = (status, []) }
            return []
        }
        defer { condemned = [] }
        suspended += condemned.map { ($0.key, $0.verdict) }
        if takesOut {
            suspended.append((key, judgement.verdict))
            judgement.verdict = .untold
        }
        return condemned
    }

    /// What an operator's own rule says of another status is about the key, and so is a ban: no shipped rule bans.
    private static func mayBeTheRequests(_ status: Int, _ verdict: KeyVerdict) -> Bool {
        if case .banned = verdict { return false }
        return [400, 401, 402, 403, 412, 429].contains(status)
    }

    mutating func note(_ condemned: KeyPool.Condemned) {
        self.condemned.append(condemned)
    }

    mutating func takeSuspended() -> [(key: UpstreamKeyEntry, verdict: KeyVerdict)] {
        defer { suspended = [] }
        return suspended
    }
}
