import NIOCore
import Operations
import Synchronization

/// Choosing a key, judging what came of it, and trying again: only while the caller has seen nothing.
extension Exchange: Deadlined {
    /// How long the head of a stream waits for its first event, which may be an error.
    private static let firstEventTime = TimeAmount.milliseconds(500)
    /// And how long a failure is waited for that comes in drops.
    private static let failureTime = TimeAmount.seconds(2)

    var deadline: NIODeadline { attempts.deadline }

    // MARK: Beginning

    /// The first try, which the audit is told of before a byte leaves.
    func startAttempt() {
        guard takeKey() else {
            let message =
                request.upstream.pool.upstreamHealth.mayBeUsed
                ? "No key of this upstream can be used now."
                : "This upstream rests after failures, and is tried again soon."
            end(with: Refusal(.noUsableKey, message, retryAfter: attempts.returnSeconds ?? 30))
            return
        }
        guard worker.recorder.begin(self) else {
            let message =
                "The audit cannot take this request, and the gateway refuses rather than lose its record."
            end(with: Refusal(.auditUnavailable, message, retryAfter: 5))
            return
        }
        makeAttempt()
    }

    /// Takes a key of this upstream, or of the next one that may stand in for it.
    ///
    /// - Returns: false when there is none; `returnSeconds` then says when there is.
    private func takeKey(_ same: UpstreamKeyEntry? = nil) -> Bool {
        var soonest: Int?
        while true {
            if attempts.notedUpstream !== upstream {
                attempts.notedUpstream = upstream
                attempts.traces.note(
                    upstream.pool.census(),
                    of: upstream === request.upstream ? nil : upstream
                )
            }
            if !attempts.areEnough, takeOwnKey(same) { return true }
            settleRefusals(othersReturn: !attempts.areEnough && attempts.returnSeconds != nil)
            soonest = [soonest, attempts.returnSeconds].compactMap { $0 }.min()
            guard let next = nextUpstream() else { break }
            upstream = next
            attempts.moveOn()
        }
        attempts.returnSeconds = soonest
        return false
    }

    private func takeOwnKey(_ same: UpstreamKeyEntry?) -> Bool {
        var wish = KeyPoolState.Wish()
        wish.tried = attempts.tried
        wish.wanted = same?.id
        wish.model = outcome.model
        wish.client = request.clientKey.id
        wish.random = worker.randomNumber()
        attempts.returnSeconds = nil
        switch upstream.pool.choose(wish, now: WallClock.now().microseconds) {
        case .loan(let loan):
            attempts.loan = loan
            attempts.wasSent = false
            // There is no next key where there is none, or where all have gone meanwhile.
            if loan.key == nil, attempts.wasAskedWithoutKey || !upstream.keys.isEmpty {
                tell(.untold)
                return false
            }
            key = loan.key
        case .none(let seconds):
            attempts.returnSeconds = seconds
            return false
        }
        return true
    }

    /// The next upstream of those that may stand in for the one that was asked for, and that the caller may use.
    private func nextUpstream() -> UpstreamEntry? {
        while attempts.fallbacksSeen < request.upstream.definition.fallbacks.count {
            let slug = request.upstream.definition.fallbacks[attempts.fallbacksSeen]
            attempts.fallbacksSeen += 1
            if let next = worker.snapshot.upstreams[slug], next.isEnabled, next !== request.upstream,
                request.clientKey.permissions.allowsUpstream(slug)
            {
                return next
            }
        }
        return nil
    }

    private func makeAttempt() {
        guard key?.definition.location != .body || mayCarryKey else {
            let message = "This upstream's key goes into the body: send a JSON object."
            end(with: Refusal(.badRequest, message))
            return
        }
        let now = NIODeadline.now()
        // What the one before has taken, and the pause after it.
        if outcome.attempts > 0 { times.spent = times.spent + (now - attempts.began) }
        outcome.attempts += 1
        attempts.began = now
        attempts.judgement = nil
        key?.counters.lastUsedAt.store(WallClock.now().microseconds / 1000, ordering: .relaxed)
        attempts.headerLines = upstream.headers.staticLines
        if upstream.headers.needsScripts { computeHeaders() } else { connect() }
    }

    /// Without its credential the provider would refuse the request, and the key would be blamed.
    private var mayCarryKey: Bool {
        request.admitted.framing != .none
            && held.withUnsafeReadableBytes { JSONWalker($0).bodyStart != nil }
    }

    func connect() {
        worker.pool(for: upstream).lend(
            to: self,
            connectTimeout: TimeAmount(upstream.definition.timeouts.connect)
        )
    }

    // MARK: Outcomes

    func attemptFailed(_ failure: AttemptFailure) {
        stopWaiting()
        attempt = nil
        outcome.detail = "\(failure.kind.rawValue): \(failure.detail)"
        key?.counters.record(error: outcome.detail)
        guard let error = failure.kind.ruleError else {
            // A bound of ours tells nothing of the key.
            perform(machine.failed(failure.refusal), of: failure.refusal)
            return
        }
        var result = outcome(of: attempts.held)
        result.error = error
        result.detail = outcome.detail
        let judgement = judge(result)
        if tryAgain(judgement) { return }
        if let replacement = judgement.answer, machine.replaced() {
            replaceAnswer(replacement)
        } else {
            perform(machine.failed(failure.refusal), of: failure.refusal)
        }
    }

    /// Whether an answer may turn out to be none for the caller.
    func isJudged(_ head: ResponseHead, isEventStream: Bool) -> Bool {
        if head.status >= 400 || upstream.rules.concern(status: head.status) { return true }
        // A stream may begin with an error, which matters where there is another key to try.
        return isEventStream && machine.canRepeat && (upstream.keys.count > 1 || mayFallBack)
    }

    /// Whether another upstream may still stand in.
    private var mayFallBack: Bool { attempts.fallbacksSeen < request.upstream.definition.fallbacks.count }

    func hold(_ answer: HeldAnswer) {
        attempts.held = answer
        let awaitsEvent = answer.isEventStream && answer.head.status < 400
        let wantsBody = answer.isRefusal || upstream.rules.wantBody(status: answer.head.status)
        guard awaitsEvent || wantsBody else {
            judgeHeld()
            return
        }
        wait(for: .firstEvent, answer.head.status < 400 ? Self.firstEventTime : Self.failureTime)
    }

    func hold(_ piece: ByteBuffer, isLast: Bool) {
        attempts.held?.body.writeImmutableBuffer(piece)
        if isLast {
            attempt = nil
            attempts.held?.isComplete = true
        }
        guard let held = attempts.held else { return }
        let isEnough = isLast || held.body.readableBytes >= AttemptOutcome.bodyLimit
        let isStream = held.isEventStream && held.head.status < 400
        if isEnough || isStream && held.body.withUnsafeReadableBytes(FirstEvent.read) != .incomplete {
            judgeHeld()
        }
    }

    private func judgeHeld() {
        stopWaiting()
        guard let held = attempts.held else { return }
        // No backend asks for that: it is the proxy before it.
        if held.head.status == 407, upstream.definition.proxyURL != nil {
            attempt?.cancel()
            attempts.held = nil
            return attemptFailed(AttemptFailure(kind: .connect, detail: "\(ProxyRefusal(status: 407))"))
        }
        let result = outcome(of: held)
        let judgement = judge(result)
        let isFailure = result.status ?? 0 >= 400
        if isFailure { key?.counters.record(error: result.account()) }
        if tryAgain(judgement) { return }
        attempts.held = nil
        answer = AnswerRelay(captureLimit: answer.body.limit)
        answer.accept(held.head)
        if judgement.answer == nil, !held.isRefusal {
            if machine.judged(.relay(isEventStream: held.isEventStream)) {
                release(held, isFailure: isFailure)
            }
            return
        }
        // Operators see what the caller does not.
        answer.note(held.body, isLast: true, at: .now())
        guard machine.judged(.replace) else { return }
        if let replacement = judgement.answer {
            replaceAnswer(replacement)
        } else {
            let message = "The provider refused the gateway's credentials (status \(held.head.status))."
            refuse(Refusal(.upstreamCredentials, message))
        }
    }

    private func release(_ held: HeldAnswer, isFailure: Bool) {
        let now = NIODeadline.now()
        if !isFailure { proveKey() }
        times.answerReleased = now
        relay(held.head, isEventStream: held.isEventStream)
        if held.body.readableBytes > 0 || held.isComplete {
            answerPiece(held.body, isLast: held.isComplete, at: now)
        } else {
            flushAnswer()
        }
    }

    private func outcome(of held: HeldAnswer?) -> AttemptOutcome {
        var result = AttemptOutcome()
        result.model = outcome.model
        let end = times.answerBegan ?? .now()
        result.latencyMilliseconds = Int((end - attempts.began).nanoseconds / 1_000_000)
        guard let held else { return result }
        result.status = held.head.status
        result.headers = held.head.message.fields.map { field in
            (held.head.message.text(field.nameRange).lowercased(), held.head.message.text(field))
        }
        result.body = Array(held.body.readableBytesView.prefix(AttemptOutcome.bodyLimit))
        if held.isEventStream, held.head.status < 400,
            case .failure(let status) = held.body.withUnsafeReadableBytes(FirstEvent.read)
        {
            result.status = status
        }
        if result.status ?? 0 >= 400 {
            result.message = ProviderMessage.find(in: result.body, without: key?.secret)
        }
        return result
    }

    private func judge(_ result: AttemptOutcome) -> Judgement {
        let now = WallClock.now().microseconds
        var judgement = upstream.pool.judge(result, key: key?.id ?? 0, by: upstream.rules, now: now)
        attempts.temper(&judgement)
        // What cannot be tried with another key condemns none while there are others.
        if judgement.verdict.takesOut, !judgement.isExact, !machine.canRepeat, upstream.keys.count > 1 {
            let reason = judgement.verdict.reason ?? result.account()
            judgement.verdict = .rest(KeyVerdict.Rest(length: .seconds(60), reason: reason))
        }
        let pardoned = attempts.refusals.consider(&judgement, result.status, key)
        if !pardoned.isEmpty { upstream.pool.pardon(pardoned) }
        attempts.judgement = judgement
        return judgement
    }

    // MARK: Again

    /// Gives the attempt up and begins the next one, if that is allowed and there is a key for it.
    private func tryAgain(_ judgement: Judgement) -> Bool {
        attempts.budget.failed(counts: judgement.counts)
        let now = WallClock.now().microseconds
        attempts.isSpent = !attempts.budget.allowsAnother(now: now)
        guard judgement.repeats != .no, machine.canRepeat,
            !attempts.isSpent || mayFallBack && attempts.budget.allowsOther(now: now)
        else { return false }
        let (last, detail) = (key, outcome.detail)
        if judgement.repeats == .nextKey {
            if let last { attempts.tried.append(last.id) } else { attempts.wasAskedWithoutKey = true }
        }
        closeAttempt()
        guard takeKey(judgement.repeats == .sameKey ? last : nil) else {
            outcome.detail = detail
            return false
        }
        _ = machine.judged(.again)
        attempts.held = nil
        attempt?.cancel()
        attempt = nil
        answer = AnswerRelay(captureLimit: answer.body.limit)
        outcome.upstreamStatus = nil
        times.answerBegan = nil
        let pause = attempts.budget.wait(counts: judgement.counts, random: worker.randomNumber())
        if pause == 0 { makeAttempt() } else { wait(for: .next, .milliseconds(Int64(pause))) }
        return true
    }

    // MARK: Waiting

    private func wait(for what: Attempts.Waiting, _ time: TimeAmount) {
        stopWaiting()
        attempts.waiting = what
        attempts.deadline = .now() + time
        worker.watch(self)
    }

    func stopWaiting() {
        guard attempts.waiting != nil else { return }
        attempts.waiting = nil
        attempts.deadline = .distantFuture
        worker.unwatch(self)
    }

    func deadlinePassed() {
        let what = attempts.waiting
        stopWaiting()
        switch what {
        case .next: makeAttempt()
        case .firstEvent: judgeHeld()
        case nil: break
        }
    }
}

extension AttemptFailure.Kind {
    /// nil for what is no fault of the upstream's.
    var ruleError: RuleError? {
        switch self {
        case .connect, .connectTimeout: .connect
        case .tls: .tls
        case .reset: .reset
        case .truncated: .truncated
        case .protocolError: .invalid
        case .firstByteTimeout, .idleTimeout: .timeout
        case .overloaded: nil
        }
    }
}
