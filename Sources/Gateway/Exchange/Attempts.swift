import NIOCore

/// The beginning of an answer that the caller may never see.
struct HeldAnswer {
    let head: ResponseHead
    let isEventStream: Bool
    var body = ByteBuffer()
    var isComplete = false

    /// It speaks of our credentials, never of the caller's.
    var isRefusal: Bool { head.status == 401 || head.status == 403 }
}

/// The tries of one exchange: those before, the one under way, and what is waited for.
struct Attempts {
    enum Waiting {
        /// For the moment to try again.
        case next
        /// For the first event of a stream.
        case firstEvent
    }

    var budget: RepeatBudget
    /// Keys that have been tried, each once.
    var tried: [Int] = []
    /// Whether the upstream at hand has none, and was asked so.
    var wasAskedWithoutKey = false
    /// The last upstream whose keys that rest were noted.
    var notedUpstream: UpstreamEntry?
    /// Keys of the upstream at hand that this request was throttled with.
    private var throttled = 0
    /// Those of them that refuse it.
    var refusals = KeyRefusals()
    /// Whether no more tries are left for the upstream at hand.
    var isSpent = false
    /// Of the upstreams that may stand in, how many have been looked at.
    var fallbacksSeen = 0
    var traces = AttemptTraces()
    /// Whether the one under way has sent anything.
    var wasSent = false
    /// The upstream's own headers, as lines.
    var headerLines: [UInt8] = []
    /// What the pool waits to hear of.
    var loan: KeyPool.Loan?
    var began = NIODeadline.uptimeNanoseconds(0)
    var held: HeldAnswer?
    /// What is made of the one under way, once that is known.
    var judgement: Judgement?
    /// When a key returns, told by the pool when it had none.
    var returnSeconds: Int?
    var waiting: Waiting?
    var deadline = NIODeadline.distantFuture

    init(budget: RepeatBudget) {
        self.budget = budget
    }

    /// A request that is throttled with one key after the other may itself be too much: it sends only some of them to
    /// rest.
    mutating func temper(_ judgement: inout Judgement) {
        guard case .rest(var rest) = judgement.verdict, rest.isThrottling else { return }
        throttled += 1
        rest.isRepeated = throttled > 1
        judgement.verdict = throttled > Self.throttledKeys ? .untold : .rest(rest)
    }

    /// And it is not tried with all that there are.
    var areEnough: Bool { isSpent || throttled >= Self.throttledTries || refusals.isEnough }

    /// Goes on with the keys of an upstream that stands in.
    mutating func moveOn() {
        (throttled, wasAskedWithoutKey, isSpent) = (0, false, false)
        refusals = KeyRefusals()
        budget.moveOn()
    }

    private static let throttledKeys = 4
    private static let throttledTries = 12

    /// An answer has begun that nothing speaks against; what was made of one that was held stands.
    mutating func wentWell() {
        if judgement == nil { judgement = Judgement(verdict: .good) }
    }
}
