import Operations
import Synchronization

/// What the crews of all loops have done and have at hand, for who looks from outside.
final class ScriptCounters: Sendable {
    /// Of one language.
    struct Cell: Sendable {
        var workers = 0
        var busy = 0
        /// By what came of them: `ok`, `failed`, `timeout`, `memory`, `crashed`, `refused`.
        var runs: [String: Int] = [:]
        /// Workers that were started, and those of them that a script has ended.
        var started = 0
        var killed = 0
        /// Why none can be started; nil once one is ready.
        var trouble: String?
    }

    private let cells = Mutex<[ScriptLanguage: Cell]>([:])

    func change(_ language: ScriptLanguage, _ change: (inout Cell) -> Void) {
        cells.withLock { change(&$0[language, default: Cell()]) }
    }

    func count(_ language: ScriptLanguage, _ end: ScriptOutcome.End) {
        change(language) { $0.runs[Self.name(end), default: 0] += 1 }
    }

    /// In the order of languages; those that were never asked for have no cell.
    var now: [(language: ScriptLanguage, cell: Cell)] {
        let all = cells.withLock { $0 }
        return ScriptLanguage.allCases.compactMap { language in all[language].map { (language, $0) } }
    }

    private static func name(_ end: ScriptOutcome.End) -> String {
        switch end {
        case .value: "ok"
        case .failed: "failed"
        case .timedOut: "timeout"
        case .tooMuchMemory: "memory"
        case .crashed: "crashed"
        case .refused: "refused"
        }
    }
}
