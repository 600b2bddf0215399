import Synchronization

/// Resolutions at which history is kept, in seconds.
enum Resolution: Int, CaseIterable, Sendable {
    case second = 1
    case tenSeconds = 10
    case minute = 60

    func start(of second: Int) -> Int { second - second % rawValue }
}

/// Whose history a series is.
enum SeriesScope: Hashable, Sendable {
    case total
    case upstream(Int)
    case clientKey(Int)

    var kind: Int {
        switch self {
        case .total: 0
        case .upstream: 1
        case .clientKey: 2
        }
    }

    var id: Int {
        switch self {
        case .total: 0
        case .upstream(let id), .clientKey(let id): id
        }
    }
}

/// Gathers what the loops count: totals since the start, and cells that wait to be stored.
final class Telemetry: Sendable {
    struct Key: Hashable, Sendable {
        let resolution: Resolution
        let start: Int
        let scope: SeriesScope
    }

    struct Totals: Sendable {
        var all = TrafficCell()
        var byUpstream: [Int: TrafficCell] = [:]
        var statuses: [Int: Int] = [:]
        var errors: [String: Int] = [:]
        var attempts = 0
    }

    private struct State {
        var totals = Totals()
        var waiting: [Key: TrafficCell] = [:]
        var lastUse: [Int: Int] = [:]
    }

    private let state = Mutex(State())

    func take(_ counted: LoopAccumulator) {
        state.withLock { state in
            for (slot, cell) in counted.cells {
                state.totals.all.merge(cell)
                state.totals.byUpstream[slot.scope.upstream, default: TrafficCell()].merge(cell)
                for scope in Self.scopes(of: slot.scope) {
                    for resolution in Resolution.allCases {
                        let key = Key(
                            resolution: resolution,
                            start: resolution.start(of: slot.second),
                            scope: scope
                        )
                        state.waiting[key, default: TrafficCell()].merge(cell)
                    }
                }
            }
            state.totals.statuses.merge(counted.statuses, uniquingKeysWith: +)
            state.totals.errors.merge(counted.refusals, uniquingKeysWith: +)
            state.totals.attempts += counted.attempts
            state.lastUse.merge(counted.lastUse) { max($0, $1) }
        }
    }

    private static func scopes(of scope: LoopAccumulator.Scope) -> [SeriesScope] {
        var scopes = [SeriesScope.total]
        if scope.upstream != 0 { scopes.append(.upstream(scope.upstream)) }
        if scope.clientKey != 0 { scopes.append(.clientKey(scope.clientKey)) }
        return scopes
    }

    var totals: Totals { state.withLock { $0.totals } }

    /// Cells of one series that are not stored yet.
    func waiting(_ scope: SeriesScope, _ resolution: Resolution) -> [Int: TrafficCell] {
        state.withLock { state in
            var result: [Int: TrafficCell] = [:]
            for (key, cell) in state.waiting where key.scope == scope && key.resolution == resolution {
                result[key.start] = cell
            }
            return result
        }
    }

    /// Everything that waits, for storing; a cell can be added to again, and is then merged where it is stored.
    func takeWaiting() -> (cells: [Key: TrafficCell], lastUse: [Int: Int]) {
        state.withLock { state in
            defer {
                state.waiting = [:]
                state.lastUse = [:]
            }
            return (state.waiting, state.lastUse)
        }
    }

    /// Puts cells back whose storing failed.
    func putBack(_ cells: [Key: TrafficCell]) {
        state.withLock { state in
            for (key, cell) in cells {
                state.waiting[key, default: TrafficCell()].merge(cell)
            }
        }
    }
}
