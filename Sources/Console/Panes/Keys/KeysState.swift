import Operations

extension ClientKey: Identifiable {}

/// What the keys pane shows.
struct KeysState: Sendable {
    /// Every key that is known here, in the gateway's order.
    var all: [ClientKey] = []
    /// Those that the filter lets through, sorted.
    var table = TableState<ClientKey>()
    var sort = SortOrder(column: "client", isDescending: false)
    /// A key that has just been made, to be chosen once it is in the list.
    var wanted: Int?
    var usage: [Int: KeyUsage] = [:]
    var isLoading = true
    var fault: String?
    /// Whether all keys of the gateway are in `all`.
    var isComplete = true
    /// The gateway's count of requests when the list came.
    var knownRequests: Int?
}
