import NIOCore
import Operations
import Synchronization

/// A header rule as the data plane needs it.
final class HeaderRuleEntry: Sendable {
    enum Source: Sendable {
        /// The whole line.
        case line([UInt8])
        case script(ScriptLanguage, String)

        /// Empty for a script.
        var staticLine: [UInt8] {
            switch self {
            case .line(let line): line
            case .script: []
            }
        }
    }

    let id: Int
    let version: Int
    let name: String
    let source: Source
    let onFailure: HeaderFailurePolicy
    /// The whole line of the other value.
    let fallback: [UInt8]
    let cacheTime: TimeAmount
    let figures: HeaderRuleFigures

    init(_ rule: HeaderRule, figures: HeaderRuleFigures) {
        id = rule.id
        version = rule.version
        name = rule.name
        self.figures = figures
        onFailure = rule.onFailure
        fallback = Self.line(rule.name, rule.fallback ?? "")
        cacheTime = .seconds(Int64(rule.cacheSeconds))
        source =
            rule.kind.language.map { .script($0, rule.script ?? "") }
            ?? .line(Self.line(rule.name, rule.value ?? ""))
    }

    func line(_ value: String) -> [UInt8] { Self.line(name, value) }

    private static func line(_ name: String, _ value: String) -> [UInt8] {
        Array("\(name): \(value)\r\n".utf8)
    }
}

/// The header rules of an upstream that are on, in order.
struct HeaderRuleSet: Sendable {
    let entries: [HeaderRuleEntry]
    /// All of them, where none needs a script.
    let staticLines: [UInt8]
    let languages: Set<ScriptLanguage>

    /// `keyHeaders`: what the upstream's keys are put into, in lower case; a rule never takes the place of a key.
    init(_ rules: [HeaderRule], keyHeaders: Set<String>, _ registry: HeaderRuleRegistry) {
        entries = rules.filter { $0.enabled && !keyHeaders.contains($0.name.lowercased()) }
            .map { HeaderRuleEntry($0, figures: registry.figures(of: $0)) }
        staticLines = entries.flatMap { $0.source.staticLine }
        languages = Set(
            entries.compactMap { entry in
                if case .script(let language, _) = entry.source { language } else { nil }
            }
        )
    }

    var needsScripts: Bool { !languages.isEmpty }

    /// Callers' headers of these names are not passed on.
    var names: [String] { entries.map(\.name) }
}

/// What the runs of one rule were like since the start.
final class HeaderRuleFigures: Sendable {
    /// So many failures in a row are worth an alert.
    static let failingAfter = 5
    private static let sampleSize = 128
    private static let errorLimit = 500
    /// A rule that fails now and then is told of no more often.
    private static let reportPause = TimeAmount.seconds(10)

    struct State: Sendable {
        var runs = 0
        var errors = 0
        var errorsInRow = 0
        var lastError: String?
        fileprivate var samples: [Int] = []
        fileprivate var reportedAt: NIODeadline?
        fileprivate var isReportedFailing = false

        /// How long a request has waited for the value, of the last runs, in milliseconds.
        func percentile(_ percent: Int) -> Double? {
            guard !samples.isEmpty else { return nil }
            return Double(samples.sorted()[(samples.count * percent + 99) / 100 - 1]) / 1000
        }

        var isFailing: Bool { errorsInRow >= HeaderRuleFigures.failingAfter }
    }

    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    /// - Returns: whether it has begun to fail, or does no more; nil while there is nothing new to tell.
    func record(microseconds: Int, failure: String?) -> Bool? {
        state.withLock { state in
            if state.samples.count < Self.sampleSize {
                state.samples.append(microseconds)
            } else {
                state.samples[state.runs % Self.sampleSize] = microseconds
            }
            state.runs += 1
            if let failure {
                state.errors += 1
                state.errorsInRow += 1
                state.lastError = String(
                    decoding: failure.utf8.prefix(HeaderRuleFigures.errorLimit),
                    as: UTF8.self
                )
            } else {
                state.errorsInRow = 0
            }
            let now = NIODeadline.now()
            let isRecent = state.reportedAt.map { now - $0 < Self.reportPause } ?? false
            guard state.isFailing != state.isReportedFailing, !isRecent else { return nil }
            (state.reportedAt, state.isReportedFailing) = (now, state.isFailing)
            return state.isFailing
        }
    }
}

/// The figures of header rules by id; they outlive snapshots, and end with what the rule computes its value by.
final class HeaderRuleRegistry: Sendable {
    private struct Known {
        let source: [String?]
        let figures: HeaderRuleFigures
    }

    private let byRule = Mutex<[Int: Known]>([:])

    func figures(of rule: HeaderRule) -> HeaderRuleFigures {
        let source = [rule.kind.rawValue, rule.script, rule.value]
        return byRule.withLock { all in
            if let known = all[rule.id], known.source == source { return known.figures }
            let made = HeaderRuleFigures()
            all[rule.id] = Known(source: source, figures: made)
            return made
        }
    }

    func keepOnly(_ ids: Set<Int>) {
        byRule.withLock { all in all = all.filter { ids.contains($0.key) } }
    }
}
