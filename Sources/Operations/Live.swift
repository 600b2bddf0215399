/// An exchange that is running now.
package struct LiveExchange: Codable, Sendable {
    package var id: Int
    package var requestId: String
    package var ageMs: Double
    package var clientKey: String
    package var owner: String
    package var upstream: String
    @ShownNull package var upstreamKey: String?
    package var method: String
    package var path: String
    @ShownNull package var model: String?
    /// `receiving`, `waiting` or `answering`.
    package var state: String
    @ShownNull package var status: Int?
    @ShownNull package var ttftMs: Double?
    package var isStream: Bool
    package var streamChunks: Int
    package var bytesIn: Int
    package var bytesOut: Int

    package init(id: Int, requestId: String, ageMs: Double, method: String, path: String, state: String) {
        self.id = id
        self.requestId = requestId
        self.ageMs = ageMs
        self.method = method
        self.path = path
        self.state = state
        clientKey = ""
        owner = ""
        upstream = ""
        isStream = false
        streamChunks = 0
        bytesIn = 0
        bytesOut = 0
    }
}

/// What an operator sees move: the figures and the exchanges in flight of one moment.
package struct LiveSnapshot: Codable, Sendable {
    package var time: Timestamp
    package var dashboard: Dashboard
    package var exchanges: [LiveExchange]
    /// The last seconds that are over, so that a chart goes on without asking.
    package var points: [ChartPoint]
    package var uptimeSeconds: Int
    package var auditPending: Int
    package var auditDiskBytes: Int
    /// How many are watching.
    package var operators: Int
    /// The newest change by an operator.
    @ShownNull package var lastChange: OperatorChange?

    package init(time: Timestamp, dashboard: Dashboard, exchanges: [LiveExchange]) {
        self.time = time
        self.dashboard = dashboard
        self.exchanges = exchanges
        points = []
        uptimeSeconds = 0
        auditPending = 0
        auditDiskBytes = 0
        operators = 0
    }
}

/// What an answer has become since the piece before, while it is generated.
package struct WatchedPiece: Codable, Sendable {
    package var exchange: LiveExchange
    /// As it goes to the caller, secrets covered; of an event stream the events themselves.
    package var text: String
    /// Whether what came before belongs to an attempt that was given up.
    package var restarted = false
    /// Bytes that are missing right before `text`.
    package var gap = 0
    /// Bytes that have passed and are not shown: beyond what the audit keeps of an answer, and before anybody watched.
    package var leftOut = 0
    /// Whether this is the last piece, and what ended the exchange if not its answer.
    package var ended = false
    @ShownNull package var error: String?

    package init(exchange: LiveExchange, text: String) {
        (self.exchange, self.text) = (exchange, text)
    }
}

/// What happens now.
package protocol LiveOperations: Sendable {
    func exchanges(by user: Operator) async throws -> Page<LiveExchange>
    /// Ends an exchange with the code `operator_cut`.
    func cutExchange(_ id: Int, by user: Operator) async throws
    /// Follows the answer of an exchange to its end, several times a second while it grows and once while it does not.
    func watch(
        exchange id: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<WatchedPiece, any Error>
    /// A snapshot a second; ends when the caller stops listening.
    func live(filter: String, by user: Operator) async throws -> AsyncThrowingStream<LiveSnapshot, any Error>
}
