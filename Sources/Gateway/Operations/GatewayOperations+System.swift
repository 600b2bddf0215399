import GRDB
package import Operations
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

extension GatewayOperations {
    package func status(by user: Operator) async throws -> Status {
        let configuration = gateway.configuration
        let audit = try await auditStatus(configuration)
        var status = Status(
            version: version,
            pid: Int(getpid()),
            state: audit.trouble == nil ? "ok" : "degraded",
            startedAt: gateway.startedAt,
            address: "\(configuration.server.host):\(gateway.port)",
            dataPath: gateway.directory.path,
            audit: audit
        )
        status.configFile = gateway.options.configurationFile
        status.uptimeSeconds = WallClock.now().seconds - gateway.startedAt.seconds
        status.eventLoops = gateway.plane.workers.count
        status.connections = gateway.plane.counters.connections.load(ordering: .relaxed)
        status.inFlight = gateway.plane.counters.inFlight.load(ordering: .relaxed)
        status.residentBytes = ProcessFacts.residentBytes()
        status.openFiles = Folder.names(in: "/proc/self/fd").count
        // Rows of upstreams that have left the file stay, but serve nobody.
        status.upstreams = gateway.snapshots.enabledUpstreams
        status.clientKeys = try await gateway.store.database.read { db in
            try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM client_keys WHERE enabled AND revoked_at IS NULL"
            ) ?? 0
        }
        return status
    }

    private func auditStatus(_ configuration: Configuration) async throws -> AuditStatus {
        let counters = gateway.audit.counters
        var status = AuditStatus(
            mode: configuration.audit.mode.rawValue,
            pending: counters.pending.load(ordering: .relaxed),
            written: counters.recordsWritten.load(ordering: .relaxed),
            dropped: counters.dropped.load(ordering: .relaxed)
        )
        status.bodiesTruncated = counters.bodiesTruncated.load(ordering: .relaxed)
        status.bodiesDropped = counters.bodiesDropped.load(ordering: .relaxed)
        status.diskBytes = gateway.audit.diskSize
        status.trouble = await gateway.audit.writer.trouble
        return status
    }

    package func reload(by user: Operator) async throws {
        try user.require(.operator)
        do {
            try await gateway.reload()
        } catch let faults as ConfigurationFaults {
            throw OperationsError(.invalid, "nothing was changed: \(faults)", parameter: "config")
        }
        try recordChange(by: user, action: "reload", object: "configuration", id: nil)
    }

    func recordChange(by user: Operator, action: String, object: String, id: Int?) throws {
        try gateway.store.database.write { db in
            try Store.record(ChangeRecord(user: user, action: action, object: object, objectID: id), db)
        }
    }

    package func operatorChanges(
        limit: Int,
        cursor: String?,
        by user: Operator
    ) async throws -> Page<OperatorChange> {
        let before = try cursor.map(Cursor.number) ?? Int.max
        let limit = min(max(limit, 1), 1000)
        let items = try await gateway.store.database.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM changes WHERE id < ? ORDER BY id DESC LIMIT ?",
                arguments: [before, limit + 1]
            ).map(OperatorChange.init(row:))
        }
        let next = items.count > limit ? Cursor.text(items[limit - 1].id) : nil
        return Page(items: Array(items.prefix(limit)), nextCursor: next)
    }

    // MARK: Operators

    package func operators(by user: Operator) async throws -> Page<OperatorPresence> {
        Page(items: gateway.presence.all)
    }

    package func me(by user: Operator) async throws -> Operator { user }

    /// The longest text of settings, in bytes.
    private static let settingsLimit = 65_536

    package func settings(by user: Operator) async throws -> String {
        try await gateway.store.database.read { db in
            try String.fetchOne(
                db,
                sql: "SELECT settings FROM operator_settings WHERE operator = ?",
                arguments: [user.name]
            )
        } ?? "{}"
    }

    package func saveSettings(_ json: String, by user: Operator) async throws {
        guard json.utf8.count <= Self.settingsLimit else {
            throw OperationsError(
                .invalid,
                "must have at most \(Self.settingsLimit) bytes",
                parameter: "settings"
            )
        }
        try await gateway.store.database.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO operator_settings (operator, settings) VALUES (?, ?)",
                arguments: [user.name, json]
            )
        }
    }

    // MARK: Idempotency

    /// How long a repeated create gets the first one's answer, in seconds.
    private static let idempotencyTime = 86_400

    package func rememberedAnswer(_ key: String, request: String, by user: Operator) async throws -> String? {
        let oldest = WallClock.now().seconds - Self.idempotencyTime
        let found = try await gateway.store.database.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT request, answer FROM idempotency WHERE operator = ? AND key = ? AND at > ?",
                arguments: [user.name, key, oldest]
            ).map { (request: $0["request"] as String, answer: $0["answer"] as String) }
        }
        guard let found else { return nil }
        guard found.request == request else {
            throw OperationsError(.conflict, "this Idempotency-Key was used with another request")
        }
        let sealed = try Secret(sealedText: found.answer, gateway.masterKey, place: "idempotency/\(key)")
        return sealed.value
    }

    /// Sealed, since an answer may hold a client key.
    package func remember(_ answer: String, for key: String, request: String, by user: Operator) async throws
    {
        let sealed = try Secret(answer).sealedText(gateway.masterKey, place: "idempotency/\(key)")
        let now = WallClock.now().seconds
        try await gateway.store.database.write { db in
            try db.execute(
                sql: "DELETE FROM idempotency WHERE at < ?",
                arguments: [now - Self.idempotencyTime]
            )
            try db.execute(
                sql:
                    "INSERT OR REPLACE INTO idempotency (key, operator, request, answer, at) VALUES (?, ?, ?, ?, ?)",
                arguments: [key, user.name, request, sealed, now]
            )
        }
    }

    package func metricsPage(by user: Operator) async throws -> String {
        PrometheusPage(
            totals: gateway.telemetry.telemetry.totals,
            status: try await status(by: user),
            upstreams: try await upstreams(by: user).items,
            keys: try await upstreamKeys(upstream: nil, by: user).items
        ).text
    }
}

extension OperatorChange {
    fileprivate init(row: Row) {
        self.init(
            id: row["id"],
            time: Timestamp(microseconds: row["at"]),
            operator: row["operator"],
            role: row["role"],
            via: row["via"],
            action: row["action"],
            object: row["object"]
        )
        objectId = row["object_id"]
        before = row["before"]
        after = row["after"]
    }
}

/// What the kernel says of this process.
enum ProcessFacts {
    /// 0 when the kernel does not say.
    static func residentBytes() -> Int {
        // `/proc/self/statm` is missing only where /proc is not mounted.
        guard let text = try? TextFile.read("/proc/self/statm") else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
