import Operations

/// Whatever can happen to a console.
enum ConsoleEvent: Sendable {
    case terminal(TerminalEvent)
    case resize(Size)
    /// A second or a deadline has passed.
    case tick(Timestamp)
    /// The terminal has taken nothing for a while, or takes things again.
    case stalled(Bool)
    case answer(Answer)
    /// The operator's own editor is left.
    case edited(ExternalEdit)
    /// Themes or other files of the operator's were edited.
    case themes(ThemeLibrary)

    enum Answer: Sendable {
        case live(LiveSnapshot)
        /// Why the gateway does not answer, until the next `live`.
        case outage(String)
        case charts(Charts, ChartRequest)
        case stats([StatsGrouping: [StatsItem]], filter: String)
        case recent([LogRecord], filter: String)
        case logs(LogPage)
        /// What follows a moment, oldest first.
        case newer([LogRecord], filter: String, from: Timestamp)
        /// New exchanges are being sent from now on.
        case following(LogWatch)
        case logBatch(LogBatch, LogWatch)
        case logDetail(Int, Result<LogDetail, OperationsError>)
        case keys([ClientKey], isComplete: Bool)
        case pool([UpstreamKey])
        case upstreams([Upstream])
        case rules([Rule])
        case headers([HeaderRule])
        case channels([NotificationChannel])
        case tasks([ScheduledTask])
        case notifications([NotificationRecord])
        case template(NotificationTemplate)
        /// Of the run that was asked for with this number.
        case ran(Result<ScriptTestResult, OperationsError>, number: Int)
        case importing(count: Int, total: Int, unit: String)
        /// So many bytes are in the file.
        case backingUp(Int)
        case backedUp(path: String, log: Bool, Result<Int, OperationsError>)
        case imported(path: String, ImportOptions, Result<BatchResult, OperationsError>)
        /// What has come of the answer that is watched.
        case watched(Int, WatchedPiece)
        /// Nothing more comes of it; with a reason if that is not its end.
        case watchOver(Int, String?)
        case told(ConsoleQuestion, Result<[TextView.Line], OperationsError>)
        case usage([Int: KeyUsage])
        case status(Status)
        case operators([OperatorPresence])
        case changes([OperatorChange])
        case changed(ChangeOutcome)
        case failed(String, what: LoadKind)
    }

    /// What a failure was about.
    enum LoadKind: Sendable, Equatable {
        case charts, recent, stats, logs, keys, pool, upstreams, rules, headers, alerts, system, settings
    }
}

/// A stretch of the log that was asked for.
struct LogPage: Sendable {
    let records: [LogRecord]
    let filter: String
    /// The cursor from which older rows were asked for; nil for a page that replaces what is there.
    var asked: String?
    /// Where the rows before these begin; nil when there are none.
    let cursor: String?
    /// The moment that was jumped to, if one was.
    var time: Timestamp?
}

/// What the charts show, as asked of the gateway.
struct ChartRequest: Equatable, Sendable {
    var filter: String
    var window: ChartWindow
    /// nil: now.
    var end: Timestamp?
}

/// How often a client key was used today.
struct KeyUsage: Sendable, Equatable {
    var today: Int
    /// Requests of the last 24 hours in eight parts.
    var parts: [Double]
}

/// What came of a change.
struct ChangeOutcome: Sendable {
    enum Result: Sendable {
        case done(String)
        /// Some of several were done before one was refused.
        case partly(String)
        case created(ClientKey)
        case refused(OperationsError)
    }

    let change: ConsoleChange
    let result: Result
    /// What takes it back.
    var undo: ConsoleChange?
    /// The header rule that was made or changed, as it is now.
    var header: HeaderRule?
}
