import Operations

/// The shared filter, asked of an exchange that still runs: what only its end can tell is left out of account.
enum InFlightFilter {
    static func accepts(_ filter: LogFilter, _ exchange: LiveExchange) -> Bool {
        let words = [
            exchange.clientKey, exchange.owner, exchange.upstream, exchange.path, exchange.model ?? "",
            exchange.requestId,
        ]
        return ListFilter.accepts(filter, words: words) { judge($0, exchange) }
    }

    /// Whether something in the filter has no say in what is listed.
    static func ignoresPart(of filter: LogFilter) -> Bool {
        var any = LiveExchange(id: 0, requestId: "", ageMs: 0, method: "", path: "", state: "")
        (any.status, any.ttftMs) = (200, 0)
        return ListFilter.ignoresPart(of: filter) { judge($0, any) == nil }
    }

    private static func judge(_ condition: LogFilter.Condition, _ exchange: LiveExchange) -> Bool? {
        switch condition.field {
        case .client: ListFilter.compare(condition, to: exchange.clientKey)
        case .owner: ListFilter.compare(condition, to: exchange.owner)
        case .upstream: ListFilter.compare(condition, to: exchange.upstream)
        case .ukey: ListFilter.compare(condition, to: exchange.upstreamKey ?? "")
        case .model: ListFilter.compare(condition, to: exchange.model ?? "")
        case .method: ListFilter.compare(condition, to: exchange.method)
        case .path: ListFilter.compare(condition, to: exchange.path)
        case .id: ListFilter.compare(condition, to: exchange.requestId)
        case .status: status(condition, exchange.status)
        case .stream: flag(condition, exchange.isStream)
        case .latency: compare(condition, exchange.ageMs * 1000)
        case .ttft: exchange.ttftMs.map { compare(condition, $0 * 1000) } ?? false
        case .bytes: compare(condition, Double(exchange.bytesOut))
        case .query, .error, .attempts, .tokens, .time, .body: nil
        }
    }

    private static func status(_ condition: LogFilter.Condition, _ status: Int?) -> Bool? {
        if case .statusClass(let digit) = condition.value {
            let isInside = status.map { $0 / 100 == digit } ?? false
            return condition.relation == .unequal ? !isInside : isInside
        }
        return status.map { compare(condition, Double($0)) } ?? false
    }

    private static func flag(_ condition: LogFilter.Condition, _ value: Bool) -> Bool? {
        guard case .flag(let wanted) = condition.value else { return nil }
        return condition.relation == .unequal ? value != wanted : value == wanted
    }

    private static func compare(_ condition: LogFilter.Condition, _ value: Double) -> Bool? {
        let wanted: Double
        switch condition.value {
        case .number(let number), .microseconds(let number), .bytes(let number): wanted = Double(number)
        case .text, .statusClass, .moment, .fromNow, .flag: return nil
        }
        return switch condition.relation {
        case .contains, .equal, .matches: value == wanted
        case .unequal: value != wanted
        case .less: value < wanted
        case .lessOrEqual: value <= wanted
        case .greater: value > wanted
        case .greaterOrEqual: value >= wanted
        }
    }
}
