/// Decides what happens next in one exchange: no I/O, no clock, no lock.
///
/// An attempt's events after the exchange has finished are ignored: both sides may fail in the same tick.
struct ExchangeStateMachine {
    enum State: Equatable {
        /// The request's body is being gathered and nothing has left. Exits: `.attempting`, `.finished`.
        case gathering
        /// An attempt is under way, or the next one is waited for; the caller has seen nothing.
        /// Exits: `.judging`, `.answering`, `.finished`.
        case attempting
        /// The beginning of an answer is held until it is decided what becomes of it.
        /// Exits: `.attempting`, `.answering`, `.finished`.
        case judging
        /// The answer's head has been passed on. Exits: `.finished`.
        case answering(isEventStream: Bool)
        case finished
    }

    /// Where a request's body goes.
    enum BodyMode: Equatable {
        /// Held until it is whole, and can then be sent more than once.
        case buffered
        /// Passed on as it arrives; one attempt only.
        case streamed
    }

    enum BodyAction: Equatable {
        case hold
        case sendWhole
        /// The body outgrew its buffer: send what is held and pass the rest on as it comes.
        case startStreaming
        case passOn
        case refuse(Refusal)
        /// The answer has begun, so the fault can only end it.
        case cut
        case ignore
    }

    enum HeadAction: Equatable {
        case relay
        case hold
        case ignore
    }

    enum EndAction: Equatable {
        case complete
        /// It has come whole while it was held.
        case judge
        case ignore
    }

    /// What becomes of an answer that was held.
    enum Sentence: Equatable {
        case relay(isEventStream: Bool)
        /// The caller is told something else.
        case replace
        /// It is dropped, and the request is tried again.
        case again
    }

    /// How an exchange that cannot be completed ends for its caller.
    enum FailureAction: Equatable {
        /// Nothing was sent yet: an answer of ours.
        case refuse(Refusal)
        /// A stream has begun: an event with the error, and no end of stream.
        case sendErrorEvent(Refusal)
        /// Any other answer has begun: it is cut off.
        case cut
        case ignore
    }

    /// The largest body, and the largest that is held.
    struct BodyLimits: Equatable {
        var total: Int
        var buffered: Int
        /// Members of the body change, so it must be held whole.
        var mustHold: Bool
    }

    private(set) var state = State.gathering
    private(set) var bodyMode = BodyMode.buffered
    private var bodyBytes = 0
    private let limits: BodyLimits

    init(limits: BodyLimits) {
        self.limits = limits
    }

    var isFinished: Bool { state == .finished }

    /// A declared length is judged before any of it is read.
    mutating func bodyDeclared(length: Int?) -> BodyAction {
        guard let length else { return .hold }
        if length > limits.total { return refuse(bodyTooLarge(limits.total)) }
        guard length > limits.buffered else { return .hold }
        return startStreaming()
    }

    mutating func bodyArrived(bytes: Int) -> BodyAction {
        guard state != .finished else { return .ignore }
        bodyBytes += bytes
        if bodyBytes > limits.total {
            return refuse(bodyTooLarge(limits.total))
        }
        if bodyMode == .streamed { return .passOn }
        return bodyBytes > limits.buffered ? startStreaming() : .hold
    }

    mutating func bodyEnded() -> BodyAction {
        switch state {
        case .gathering:
            state = .attempting
            return .sendWhole
        case .attempting, .judging, .answering: return .passOn
        case .finished: return .ignore
        }
    }

    /// `isJudged`: whether the answer may turn out to be none for the caller.
    mutating func headArrived(isJudged: Bool, isEventStream: Bool) -> HeadAction {
        switch state {
        case .attempting where isJudged:
            state = .judging
            return .hold
        case .attempting:
            state = .answering(isEventStream: isEventStream)
            return .relay
        case .gathering, .judging, .answering, .finished: return .ignore
        }
    }

    /// - Returns: false when there is nothing to decide any more.
    mutating func judged(_ sentence: Sentence) -> Bool {
        guard state == .judging else { return false }
        switch sentence {
        case .relay(let isEventStream): state = .answering(isEventStream: isEventStream)
        case .replace: state = .finished
        case .again: state = .attempting
        }
        return true
    }

    /// A rule answers in place of a failure.
    ///
    /// - Returns: false when the caller has seen something already.
    mutating func replaced() -> Bool {
        guard state == .attempting || state == .judging else { return false }
        state = .finished
        return true
    }

    mutating func answerEnded() -> EndAction {
        switch state {
        case .answering:
            state = .finished
            return .complete
        case .judging: return .judge
        case .gathering, .attempting, .finished: return .ignore
        }
    }

    /// Whether the request can be sent once more: it is here whole, and the caller has seen nothing.
    var canRepeat: Bool {
        switch state {
        case .attempting, .judging: bodyMode == .buffered
        case .gathering, .answering, .finished: false
        }
    }

    /// The attempt failed, ran out of time, or was cut off by an operator or a drain.
    mutating func failed(_ refusal: Refusal) -> FailureAction {
        defer { state = .finished }
        switch state {
        case .gathering, .attempting, .judging: return .refuse(refusal)
        case .answering(let isEventStream): return isEventStream ? .sendErrorEvent(refusal) : .cut
        case .finished: return .ignore
        }
    }

    /// - Returns: whether there was still something to end.
    mutating func callerLeft() -> Bool {
        defer { state = .finished }
        return state != .finished
    }

    private mutating func startStreaming() -> BodyAction {
        if limits.mustHold { return refuse(bodyTooLarge(limits.buffered)) }
        state = .attempting
        bodyMode = .streamed
        return .startStreaming
    }

    private mutating func refuse(_ refusal: Refusal) -> BodyAction {
        defer { state = .finished }
        if case .answering = state { return .cut }
        return .refuse(refusal)
    }

    private func bodyTooLarge(_ limit: Int) -> Refusal {
        Refusal(.bodyTooLarge, "The request body is larger than \(limit) bytes.", closes: true)
    }
}
