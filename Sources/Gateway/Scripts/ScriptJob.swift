import NIOCore
import Operations

/// One run of a script that somebody waits for.
struct ScriptJob: Sendable {
    let language: ScriptLanguage
    let source: String
    /// A JSON object.
    let context: String
    /// From now on, waiting for a worker included.
    let limit: TimeAmount
    /// Whether it is only read, and found to hold or not.
    var isCheck = false
    /// Whether the outcome is to say what the worker holds in memory.
    var wantsMemory = false
    /// Called once, on the loop where it was submitted.
    let completion: @Sendable (ScriptOutcome) -> Void
}

/// What came of a run.
struct ScriptOutcome: Sendable, Equatable {
    enum End: Sendable, Equatable {
        case value(String)
        /// The script's own failure; `line` and `column` from 1, 0 when unknown.
        case failed(String, line: Int, column: Int)
        /// It took longer than it may.
        case timedOut(milliseconds: Int)
        case tooMuchMemory(bytes: Int)
        /// The worker has died of it.
        case crashed
        /// It never ran: why.
        case refused(String)
    }

    var end: End
    var output = ""
    var microseconds = 0
    /// What the worker held when the run ended; nil when unknown.
    var residentBytes: Int?

    /// In one line; nil when there is a value.
    var failure: String? {
        switch end {
        case .value: nil
        case .failed(let message, let line, _): line > 0 ? "line \(line): \(message)" : message
        case .timedOut(let milliseconds): "the script was stopped after \(milliseconds) ms"
        case .tooMuchMemory(let bytes):
            "the script was stopped: it used more than \(bytes >> 20) MiB of memory"
        case .crashed: "the script brought its worker down"
        case .refused(let reason): reason
        }
    }
}
