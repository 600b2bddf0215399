import NIOCore
import Operations

/// Computes the headers of attempts for one loop, which goes on serving while scripts run.
final class HeaderValues {
    enum Result {
        case lines([UInt8])
        /// A rule without a value whose policy is to fail, and why.
        case failed(name: String, reason: String)
    }

    private struct CacheKey: Hashable {
        let rule: Int
        let version: Int
        /// A value that was computed for one caller is never another's.
        let clientKey: Int
    }

    /// One attempt's headers while some are being computed.
    private final class Batch {
        var lines: [[UInt8]]
        var open = 0
        private var completion: ((Result) -> Void)?

        init(count: Int, _ completion: @escaping (Result) -> Void) {
            lines = Array(repeating: [], count: count)
            self.completion = completion
        }

        func end(_ result: Result) {
            let completion = completion
            self.completion = nil
            completion?(result)
        }

        func endIfComplete() {
            if open == 0 { end(.lines(Array(lines.joined()))) }
        }
    }

    private static let cacheLimit = 10_000

    private let loop: any EventLoop
    private let crew: ScriptCrew
    private let limit: TimeAmount
    private let reportHeader: @Sendable (HeaderRuleEntry, Bool) -> Void
    private var cache: [CacheKey: (line: [UInt8], until: NIODeadline)] = [:]

    init(_ scripts: ScriptPool, on loop: any EventLoop) {
        crew = ScriptCrew(scripts.settings, on: loop, spawner: scripts.loop)
        self.loop = loop
        limit = TimeAmount(scripts.settings.timeout)
        reportHeader = scripts.settings.reportHeader
    }

    /// Has workers of these languages ready before the first request needs them.
    func warm(_ languages: Set<ScriptLanguage>) {
        for language in languages { crew.warm(language) }
    }

    /// Ends every worker; what is asked for from then on is refused.
    func stop() {
        crew.stop()
    }

    /// `context`: JSON; `completion` is called once, on this loop, and at once where every value is known.
    func make(
        _ rules: HeaderRuleSet,
        clientKey: Int,
        context: @autoclosure () -> String,
        completion: @escaping (Result) -> Void
    ) {
        let batch = Batch(count: rules.entries.count, completion)
        let now = NIODeadline.now()
        var waiting: [(Int, HeaderRuleEntry, ScriptLanguage, String)] = []
        for (index, rule) in rules.entries.enumerated() {
            switch rule.source {
            case .line(let line): batch.lines[index] = line
            case .script(let language, let source):
                if let line = cached(rule, clientKey, at: now) {
                    batch.lines[index] = line
                } else {
                    waiting.append((index, rule, language, source))
                }
            }
        }
        batch.open = waiting.count
        guard !waiting.isEmpty else { return batch.endIfComplete() }
        let json = context()
        for (index, rule, language, source) in waiting {
            let bound = NIOLoopBound((self, batch), eventLoop: loop)
            let job = ScriptJob(language: language, source: source, context: json, limit: limit) { outcome in
                let (values, batch) = bound.value
                values.take(outcome, rule, clientKey: clientKey, since: now, index, batch)
            }
            crew.submit(job)
        }
    }

    private func take(
        _ outcome: ScriptOutcome,
        _ rule: HeaderRuleEntry,
        clientKey: Int,
        since begin: NIODeadline,
        _ index: Int,
        _ batch: Batch
    ) {
        let now = NIODeadline.now()
        var failure = outcome.failure
        if case .value(let value) = outcome.end {
            failure = HeaderRuleChecks.fault(ofValue: value).map { "the value \($0)" }
            if failure == nil {
                batch.lines[index] = rule.line(value)
                keep(batch.lines[index], rule, clientKey, at: now)
            }
        }
        let took = Int((now - begin).nanoseconds / 1000)
        if let isFailing = rule.figures.record(microseconds: took, failure: failure) {
            reportHeader(rule, isFailing)
        }
        batch.open -= 1
        if let failure {
            switch rule.onFailure {
            case .fail: return batch.end(.failed(name: rule.name, reason: failure))
            case .omit: break
            case .fallback: batch.lines[index] = rule.fallback
            }
        }
        batch.endIfComplete()
    }

    // MARK: Cache

    private func cached(_ rule: HeaderRuleEntry, _ clientKey: Int, at now: NIODeadline) -> [UInt8]? {
        guard rule.cacheTime > .zero else { return nil }
        let found = cache[CacheKey(rule: rule.id, version: rule.version, clientKey: clientKey)]
        return found.flatMap { $0.until > now ? $0.line : nil }
    }

    private func keep(_ line: [UInt8], _ rule: HeaderRuleEntry, _ clientKey: Int, at now: NIODeadline) {
        guard rule.cacheTime > .zero else { return }
        if cache.count >= Self.cacheLimit { cache = cache.filter { $0.value.until > now } }
        if cache.count >= Self.cacheLimit { cache.removeAll() }
        let key = CacheKey(rule: rule.id, version: rule.version, clientKey: clientKey)
        cache[key] = (line, now + rule.cacheTime)
    }
}
