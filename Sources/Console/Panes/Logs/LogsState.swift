import Operations

extension LogRecord: Identifiable {}

/// What the logs pane shows: rows oldest first, the newest at the bottom.
struct LogsState: Sendable {
    /// Rows kept here; older ones are fetched again when they are wanted.
    static let limit = 10_000
    static let pageSize = 200

    var table = TableState<LogRecord>()
    /// Whether the newest row is kept in sight.
    var isFollowing = true
    /// Whether the rows end before the newest, after a jump to a time.
    var isDetached = false
    /// The moment whose rows are wanted; nil for the newest.
    var target: Timestamp?
    /// Whether following goes on once the newest rows are here.
    var isResuming = false
    /// Rows that have come since following stopped.
    var newCount = 0
    /// Rows that came too fast to be shown, since the filter was set.
    var skipped = 0
    /// Rows that came while paused; shown when following goes on.
    var waiting: [LogRecord] = []
    /// Where the older rows begin; nil when there are none.
    var cursor: String?
    var isLoading = true
    var isLoadingOlder = false
    /// Of a list that ends before the newest.
    var isLoadingNewer = false
    var fault: String?
    /// The filter that the rows answer.
    var shownFilter: String?
    var record: OpenRecord?
    /// Whether the record takes the whole pane.
    var isRecordFull = false
    /// Whether the keys go to the record rather than the list.
    var isRecordFocused = false

    /// A record that is open, and what is known of it.
    struct OpenRecord: Sendable {
        let id: Int
        var record: LogRecord
        var detail: LogDetail?
        var fault: String?
        var view = TextView()
    }
}
