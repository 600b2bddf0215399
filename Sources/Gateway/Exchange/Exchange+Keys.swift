import NIOCore
import Operations

/// What attempts tell of the keys that they were made with.
extension Exchange {
    /// Tells the pool what came of the key, and notes the attempt.
    func closeAttempt() {
        let judgement = attempts.judgement ?? Judgement(verdict: .untold)
        let now = NIODeadline.now()
        attempts.traces.add(
            AttemptTrace(
                upstream: upstream.slug,
                key: key,
                status: outcome.upstreamStatus,
                detail: outcome.detail,
                rule: judgement.ruleName,
                timeToFirstByte: times.answerBegan.map { $0 - attempts.began },
                duration: now - attempts.began
            )
        )
        tell(judgement.verdict)
        outcome.detail = nil
        attempts.judgement = nil
    }

    /// The answer has begun: whoever waits for what this attempt finds out need not wait for its end.
    func proveKey() {
        let refused = attempts.refusals.takeSuspended()
        if !refused.isEmpty { upstream.pool.confirm(refused, now: WallClock.now().microseconds) }
        guard let loan = attempts.loan, loan.isTrial else { return }
        attempts.loan?.isTrial = false
        upstream.pool.proved(loan)
    }

    func tell(_ verdict: KeyVerdict) {
        guard let loan = attempts.loan else { return }
        attempts.loan = nil
        let now = WallClock.now().microseconds
        let condemned = upstream.pool.finished(loan, verdict, wasSent: attempts.wasSent, now: now)
        if let condemned, attempts.judgement?.isExact == false { attempts.refusals.note(condemned) }
    }

    /// Nobody is left to ask at this upstream.
    ///
    /// `othersReturn`: whether that is so for a while only, so that one refusal cannot be held against another key's word.
    func settleRefusals(othersReturn: Bool) {
        let now = WallClock.now().microseconds
        let suspended = attempts.refusals.takeSuspended()
        if let last = suspended.last {
            let reason = (last.verdict.reason ?? "refused") + ", as with other keys for one request"
            upstream.pool.doubt(suspended, reason: reason, now: now)
        } else if othersReturn, attempts.refusals.condemned.count == 1 {
            upstream.pool.rest(attempts.refusals.condemned[0], now: now)
        }
        attempts.refusals = KeyRefusals()
    }

    /// Every exchange comes here once, from `finish`.
    func endLastAttempt() {
        stopWaiting()
        defer { settleRefusals(othersReturn: false) }
        let isNoted = attempts.traces.isNoteworthy || attempts.judgement?.ruleName != nil
        guard isNoted else {
            tell(attempts.judgement?.verdict ?? .untold)
            return
        }
        // One that was closed because it should be repeated, and could not be, is noted already.
        if attempts.traces.tries.count < outcome.attempts {
            let detail = outcome.detail
            closeAttempt()
            outcome.detail = detail
        } else {
            // The next key was taken, and the exchange has ended before it was used.
            tell(.untold)
        }
        outcome.attemptsDetail = attempts.traces.json()
    }
}
