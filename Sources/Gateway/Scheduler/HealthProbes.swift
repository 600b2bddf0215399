import Operations
import Synchronization

/// Asks backends how they are, and tells their pools: only 2xx heals, and only a refused credential harms.
final class HealthProbes: Sendable {
    /// Keys of one upstream that are asked about in a round.
    private static let keysPerRound = 16
    private static let upstreamsAtOnce = 8

    private struct Turn {
        var round = 0
        /// Microseconds since 1970.
        var due = 0
        var last: ProbeResult?
        /// Whether the path has answered any key well since the start.
        var hasSucceeded = false
    }

    private let client = ProbeClient()
    private let turns = Mutex<[Int: Turn]>([:])

    /// What the last one of an upstream has told, since the start.
    func last(ofUpstream id: Int) -> ProbeResult? { turns.withLock { $0[id]?.last } }

    // MARK: By themselves

    /// Asks those whose time has come, or all when an operator asks for it.
    ///
    /// - Returns: what was done, in words.
    func round(_ upstreams: [UpstreamEntry], isAsked: Bool) async -> String {
        let now = WallClock.now().microseconds
        let due = turns.withLock { turns in
            turns = turns.filter { id, _ in upstreams.contains { $0.id == id } }
            return upstreams.compactMap { upstream -> (UpstreamEntry, UpstreamProbe, Int)? in
                guard upstream.isEnabled, let probe = upstream.definition.probe else { return nil }
                var turn = turns[upstream.id] ?? Turn()
                guard isAsked || turn.due <= now || turn.due > now + probe.interval.milliseconds * 1000 else {
                    return nil
                }
                turn.round += 1
                turn.due = now + probe.interval.milliseconds * 1000
                turns[upstream.id] = turn
                return (upstream, probe, turn.round)
            }
        }
        guard !due.isEmpty else {
            return upstreams.contains { $0.definition.probe != nil }
                ? "none was due" : "no upstream has a probe"
        }
        let results = await withTaskGroup(of: [ProbeResult].self) { group in
            var results: [ProbeResult] = []
            for (index, (upstream, probe, round)) in due.enumerated() {
                // So many at a time.
                if index >= Self.upstreamsAtOnce, let some = await group.next() { results += some }
                group.addTask { await self.ask(upstream, probe.path, round: round) }
            }
            for await some in group { results += some }
            return results
        }
        let failed = results.count { !$0.success }
        return "\(results.count) asked, \(failed == 0 ? "all well" : "\(failed) not well")"
    }

    private func ask(_ upstream: UpstreamEntry, _ path: String, round: Int) async -> [ProbeResult] {
        let chosen = upstream.pool.probed(limit: Self.keysPerRound, round: round)
        let keys: [UpstreamKeyEntry?] = upstream.keys.isEmpty ? [nil] : chosen
        return await withTaskGroup(of: ProbeResult.self) { group in
            for key in keys {
                group.addTask { await self.ask(upstream, path, with: key, counts: true) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    // MARK: One

    /// Asks once.
    ///
    /// `counts`: whether the answer says something of the key, as that of a path chosen for it does.
    func ask(
        _ upstream: UpstreamEntry,
        _ path: String,
        with key: UpstreamKeyEntry?,
        counts: Bool
    ) async -> ProbeResult {
        let time = Timestamp(microseconds: WallClock.now().microseconds)
        var result = ProbeResult(
            time: time,
            path: path.isEmpty ? "/" : path,
            upstreamKey: key?.definition.name
        )
        var verdict = ProbeVerdict.unclear
        do {
            let answer = try await client.get(path, of: upstream, with: key)
            (result.status, result.address) = (answer.status, answer.address)
            (result.connectMs, result.firstByteMs) =
                (answer.connectMilliseconds, answer.firstByteMilliseconds)
            result.success = (200..<300).contains(answer.status)
            if !result.success { result.body = Self.text(answer.body, without: key) }
            let isProven = turns.withLock { $0[upstream.id]?.hasSucceeded ?? false }
            verdict = Self.verdict(answer.status, isProven: isProven)
        } catch let failure as AttemptFailure {
            result.error = "\(failure.kind.rawValue): \(failure.detail)"
        } catch {
            result.error = "\(error)"
        }
        // A key in a body was not sent.
        let isTold = counts && key.map { $0.definition.location != .body } ?? false
        let before = key.flatMap { upstream.pool.standing($0.id)?.state }
        if isTold || counts && upstream.keys.isEmpty { upstream.pool.probed(key, verdict) }
        let after = key.flatMap { upstream.pool.standing($0.id)?.state }
        result.message = Self.words(result, isTold: isTold, before: before, after: after)
        // What a provider has written is for who has asked, not for the list of upstreams.
        var kept = result
        kept.body = nil
        turns.withLock { turns in
            turns[upstream.id, default: Turn()].last = kept
            if isTold, result.success { turns[upstream.id]?.hasSucceeded = true }
        }
        return result
    }

    /// `isProven`: whether the path answers good keys well; one that is forbidden to all says nothing of any.
    private static func verdict(_ status: Int, isProven: Bool) -> ProbeVerdict {
        switch status {
        case 200..<300: .good
        case 401: .refused("status 401 to a probe")
        case 403 where isProven: .refused("status 403 to a probe")
        default: .unclear
        }
    }

    private static func words(
        _ result: ProbeResult,
        isTold: Bool,
        before: KeyState?,
        after: KeyState?
    ) -> String {
        guard let status = result.status else { return "It cannot be reached." }
        let isOut = after == .disabled || after == .banned
        let stays = isTold && isOut ? after.map { " The key stays \($0.rawValue)." } ?? "" : ""
        let change = before == after ? stays : after.map { " The key is \($0.rawValue) now." } ?? ""
        switch status {
        case 200..<300: return (isTold ? "It answers, and takes the key." : "It answers.") + change
        case 401, 403:
            return (isTold ? "It answers, and refuses the key." : "It answers, and wants another credential.")
                + change
        case 407: return "The proxy on the way to it wants a user and password."
        case 404, 405: return "It answers, but not at this path: set a probe whose path costs nothing."
        case 429: return "It answers, and has too many requests."
        case 500...: return "It answers with trouble of its own."
        default: return "It answers \(status), which says nothing of the key."
        }
    }

    /// The key's value is shown to nobody, also where a provider repeats it.
    private static func text(_ body: [UInt8], without key: UpstreamKeyEntry?) -> String? {
        guard !body.isEmpty else { return nil }
        var body = body
        body.withUnsafeMutableBytes { key?.secret.cover(in: $0) }
        let text = String(decoding: body, as: UTF8.self)
        return String(text.prefix(ProbeClient.bodyLimit))
    }
}
