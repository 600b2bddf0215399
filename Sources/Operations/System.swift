/// How the audit is doing.
package struct AuditStatus: Codable, Sendable {
    package var mode: String
    /// Exchanges that are in the journal and not yet in the database.
    package var pending: Int
    package var written: Int
    package var dropped: Int
    package var bodiesTruncated: Int
    package var bodiesDropped: Int
    package var diskBytes: Int
    @ShownNull package var trouble: String?

    package init(mode: String, pending: Int, written: Int, dropped: Int) {
        self.mode = mode
        self.pending = pending
        self.written = written
        self.dropped = dropped
        bodiesTruncated = 0
        bodiesDropped = 0
        diskBytes = 0
    }
}

/// How the workers of one script language are doing, on all event loops.
package struct ScriptStatus: Codable, Sendable, Equatable {
    package var language: ScriptLanguage
    package var workers: Int
    package var busy: Int
    /// Since the start, by what came of them: `ok`, `failed`, `timeout`, `memory`, `crashed`, `refused`.
    package var runs: [String: Int]
    /// Workers that were started, and those that a script has ended.
    package var started: Int
    package var killed: Int
    /// Why scripts of it cannot run; null while they can.
    @ShownNull package var trouble: String?

    package init(language: ScriptLanguage, workers: Int, busy: Int, runs: [String: Int]) {
        self.language = language
        self.workers = workers
        self.busy = busy
        self.runs = runs
        started = 0
        killed = 0
        _trouble = ShownNull(wrappedValue: nil)
    }
}

/// The gateway's own condition.
package struct Status: Codable, Sendable {
    package var version: String
    package var pid: Int
    /// `ok`; `degraded` while the log cannot be written or an upstream that is enabled cannot be used; `draining`.
    package var state: String
    package var startedAt: Timestamp
    package var uptimeSeconds: Int
    package var address: String
    package var dataPath: String
    @ShownNull package var configFile: String?
    package var eventLoops: Int
    /// Of callers.
    package var connections: Int
    /// To backends, those included that are being opened or kept for the next exchange.
    package var upstreamConnections: Int
    package var inFlight: Int
    package var residentBytes: Int
    package var openFiles: Int
    package var upstreams: Int
    package var clientKeys: Int
    package var audit: AuditStatus
    /// Of the languages that were asked for since the start.
    package var scripts: [ScriptStatus] = []

    package init(
        version: String,
        pid: Int,
        state: String,
        startedAt: Timestamp,
        address: String,
        dataPath: String,
        audit: AuditStatus
    ) {
        self.version = version
        self.pid = pid
        self.state = state
        self.startedAt = startedAt
        self.address = address
        self.dataPath = dataPath
        self.audit = audit
        uptimeSeconds = 0
        eventLoops = 0
        connections = 0
        upstreamConnections = 0
        inFlight = 0
        residentBytes = 0
        openFiles = 0
        upstreams = 0
        clientKeys = 0
    }
}

/// One line of the operators' audit: who changed what, when, from where.
package struct OperatorChange: Codable, Sendable {
    package var id: Int
    package var time: Timestamp
    package var `operator`: String
    package var role: String
    package var via: String
    package var action: String
    package var object: String
    @ShownNull package var objectId: Int?
    /// JSON of the object before and after, without secrets.
    @ShownNull package var before: String?
    @ShownNull package var after: String?
    /// Whether `POST /undo/{change_id}` can take it back, together with what was changed in one go with it.
    package var undoable = false
    /// The change that took it back, and the one that it takes back.
    @ShownNull package var undoneBy: Int?
    @ShownNull package var undoes: Int?

    package init(
        id: Int,
        time: Timestamp,
        operator name: String,
        role: String,
        via: String,
        action: String,
        object: String
    ) {
        self.id = id
        self.time = time
        self.operator = name
        self.role = role
        self.via = via
        self.action = action
        self.object = object
    }
}

/// An operator who is watching now.
package struct OperatorPresence: Codable, Sendable, Equatable {
    package var name: String
    package var role: Role
    package var via: String
    package var since: Timestamp

    package init(name: String, role: Role, via: String, since: Timestamp) {
        self.name = name
        self.role = role
        self.via = via
        self.since = since
    }
}

/// The gateway itself.
package protocol SystemOperations: Sendable {
    func status(by user: Operator) async throws -> Status
    /// Reads the configuration file again; an invalid one changes nothing.
    func reload(by user: Operator) async throws
    func operatorChanges(limit: Int, cursor: String?, by user: Operator) async throws -> Page<OperatorChange>
    /// Takes a change back, together with those that were made in one go with it.
    ///
    /// - Returns: the change that did so, which can be undone itself.
    func undo(change id: Int, by user: Operator) async throws -> OperatorChange
    /// Who is watching, longest first.
    func operators(by user: Operator) async throws -> Page<OperatorPresence>
    /// Who the gateway takes the caller for.
    func me(by user: Operator) async throws -> Operator
    /// What an operator has chosen for their console: JSON of the console's own; `{}` when nothing was saved.
    func settings(by user: Operator) async throws -> String
    func saveSettings(_ json: String, by user: Operator) async throws
    /// The Prometheus text page.
    func metricsPage(by user: Operator) async throws -> String
    /// An earlier answer to the same key, so that a repeated create creates nothing.
    func rememberedAnswer(_ key: String, request: String, by user: Operator) async throws -> String?
    func remember(_ answer: String, for key: String, request: String, by user: Operator) async throws
}

/// Everything an operator can see and do; console, CLI and API speak to nothing else.
package typealias GatewayPort = BatchOperations & ClientKeyOperations & DashboardOperations & HeaderOperations
    & LiveOperations
    & LogOperations & NotificationOperations
    & RateLimitOperations & RuleOperations & SafekeepingOperations & ScriptOperations & SystemOperations
    & TaskOperations
    & UpstreamKeyOperations
    & UpstreamOperations
