import Operations

extension UpstreamKey: Identifiable {}

/// What the pool pane shows.
struct PoolState: Sendable {
    static let filterFields: Set<LogFilter.Field> = [.ukey, .upstream]

    /// Every upstream key, in the gateway's order.
    var all: [UpstreamKey] = []
    /// Those that the filter lets through, sorted.
    var table = TableState<UpstreamKey>()
    var sort = SortOrder(column: "state", isDescending: false)
    var isLoading = true
    var fault: String?
    /// One that has just been added, as `upstream/name`, to be chosen once it is in the list.
    var wanted: String?

    static func accepts(_ filter: LogFilter, _ key: UpstreamKey) -> Bool {
        ListFilter.accepts(filter, words: [key.name, key.upstream, key.reason ?? "", key.state.rawValue]) {
            condition in
            switch condition.field {
            case .ukey: ListFilter.compare(condition, to: key.name)
            case .upstream: ListFilter.compare(condition, to: key.upstream)
            default: nil
            }
        }
    }
}
