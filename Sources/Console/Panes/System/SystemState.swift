import Operations

extension OperatorChange: Identifiable {}

/// What the system pane shows.
struct SystemState: Sendable {
    var status: Status?
    var operators: [OperatorPresence] = []
    var changes = TableState<OperatorChange>()
    var fault: String?
    var isLoading = true
}
