import Operations

extension Upstream: Identifiable {}

/// What the upstreams pane shows; other panes' forms offer its names.
struct UpstreamsState: Sendable {
    static let filterFields: Set<LogFilter.Field> = [.upstream]

    var all: [Upstream] = []
    /// Those that the filter lets through, sorted.
    var table = TableState<Upstream>()
    var sort = SortOrder(column: "upstream", isDescending: false)
    var isLoading = true
    var fault: String?
    /// One that has just been made, to be chosen once it is in the list.
    var wanted: String?
    var headers = HeadersState()

    func slug(_ id: Int) -> String { all.first { $0.id == id }?.slug ?? "\(id)" }

    static func accepts(_ filter: LogFilter, _ upstream: Upstream) -> Bool {
        let words = [upstream.slug, upstream.name, upstream.baseUrl, upstream.health]
        return ListFilter.accepts(filter, words: words) { condition in
            condition.field == .upstream ? ListFilter.compare(condition, to: upstream.slug) : nil
        }
    }
}
