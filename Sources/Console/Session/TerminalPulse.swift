/// Whether somebody still reads the terminal, by a question that every terminal answers (DSR, `ESC [ 5 n`).
///
/// The system, and SSH even more, take bytes for many seconds after the last one was read; only the terminal's own
/// answer tells. One that has never answered is taken to be read.
struct TerminalPulse {
    /// Between two questions while frames are sent.
    private static let interval = Duration.seconds(2)
    /// How long an answer may be under way.
    private static let patience = Duration.seconds(2)
    /// An answer may have been lost: the question is put again after so long.
    private static let retry = Duration.seconds(5)
    /// A terminal that has not answered so many questions does not know them.
    private static let attempts = 3

    private var hasAnswered = false
    private var unanswered = 0
    private var asked: ContinuousClock.Instant?
    /// When the oldest question was put that has no answer.
    private var openSince: ContinuousClock.Instant?

    /// Whether an answer may still come.
    var isOpen: Bool { openSince != nil }

    /// Whether the question is to be put now, with a frame or by itself.
    mutating func asks(withFrame: Bool, at now: ContinuousClock.Instant) -> Bool {
        guard hasAnswered || unanswered < Self.attempts else { return false }
        let pause = isOpen ? Self.retry : Self.interval
        guard withFrame || isOpen, asked.map({ now - $0 >= pause }) ?? true else { return false }
        asked = now
        unanswered += 1
        openSince = openSince ?? now
        return true
    }

    /// The terminal has answered, or somebody has typed.
    mutating func answered(isAnswer: Bool) {
        hasAnswered = hasAnswered || isAnswer
        unanswered = 0
        openSince = nil
    }

    /// Whether it used to answer and does not now.
    func isSilent(at now: ContinuousClock.Instant) -> Bool {
        guard hasAnswered, let openSince else { return false }
        return now - openSince > Self.patience
    }
}
