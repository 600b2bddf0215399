import NIOCore

/// What a caller asked, as one value that nothing changes once the exchange has begun.
struct ExchangeRequest {
    /// Rises with time, over restarts too; the audit's primary key.
    let id: Int
    let requestID: String
    let head: RequestHead
    let admitted: AdmittedRequest
    /// After `/proxy/{slug}`, with its leading slash; may be empty.
    let path: Range<Int>
    let clientKey: ClientKeyEntry
    let upstream: UpstreamEntry
    /// What its limits have counted, to be given back at its end.
    let admission: LimiterState.Admitted
    let callerAddress: String
    /// Microseconds since 1970.
    let receivedAt: Int
}

/// When the steps of an exchange happened, on the monotonic clock.
struct ExchangeTimes {
    let received: NIODeadline
    var bodyComplete: NIODeadline?
    var attemptSent: NIODeadline?
    var answerBegan: NIODeadline?
    /// When it was decided that the caller is given the answer, if it was held until then.
    var answerReleased: NIODeadline?
    /// What attempts before the last one have taken, and the waiting between them.
    var spent = TimeAmount.zero
    var headPassedOn: NIODeadline?
    var finished: NIODeadline?

    init(received: NIODeadline) {
        self.received = received
    }

    /// The gateway's own part of the time to the answer's first byte, in microseconds.
    func overhead(at now: NIODeadline) -> Int {
        var own = TimeAmount.zero
        // A body that is passed on as it comes ends after the attempt has begun.
        if let attemptSent { own = own + max(.zero, attemptSent - (bodyComplete ?? received)) - spent }
        if let ready = answerReleased ?? answerBegan { own = own + (now - ready) }
        return Int(max(.zero, own).nanoseconds / 1000)
    }
}

/// What became of an exchange; complete once it has finished.
struct ExchangeOutcome {
    /// nil while, or if, nothing was sent to the caller.
    var status: Int?
    /// The code answered, or how an answer that had begun was ended.
    var error: String?
    var bytesIn = 0
    var bytesOut = 0
    /// Of an answer of ours, or a rule's, in place of the upstream's.
    var ownBytes: Int?
    var attempts = 0
    /// Whether any upstream has been sent anything.
    var wasSent = false
    var overheadMicroseconds = 0
    var isStream = false
    var model: String?
    var usage: TokenUsage?
    /// What the upstream said, when the caller was told something else.
    var upstreamStatus: Int?
    var detail: String?
    /// The tries and the keys passed over, as JSON, when the other fields do not tell it all.
    var attemptsDetail: String?
}
