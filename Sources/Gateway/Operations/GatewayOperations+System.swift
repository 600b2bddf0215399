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
            state: condition(audit),
            startedAt: gateway.startedAt,
            address: "\(configuration.server.host):\(gateway.port)",
            dataPath: gateway.directory.path,
            audit: audit
        )
        status.configFile = gateway.options.configurationFile
        status.uptimeSeconds = WallClock.now().seconds - gateway.startedAt.seconds
        status.eventLoops = gateway.plane.workers.count
        status.connections = gateway.plane.counters.connections.load(ordering: .relaxed)
        status.upstreamConnections = gateway.plane.counters.upstreamConnections.load(ordering: .relaxed)
        status.inFlight = gateway.plane.counters.inFlight.load(ordering: .relaxed)
        status.residentBytes = ProcessFacts.residentBytes()
        status.openFiles = Folder.names(in: "/proc/self/fd").count
        // Rows of upstreams that have left the file stay, but serve nobody.
        status.upstreams = gateway.snapshots.enabledUpstreams
        status.clientKeys = try clientKeyStore.usableCount()
        status.scripts = gateway.scripts.settings.counters.now.map { language, cell in
            var status = ScriptStatus(
                language: language,
                workers: cell.workers,
                busy: cell.busy,
                runs: cell.runs
            )
            (status.started, status.killed, status.trouble) = (cell.started, cell.killed, cell.trouble)
            return status
        }
        return status
    }

    private func condition(_ audit: AuditStatus) -> String {
        if gateway.plane.counters.isDraining.load(ordering: .relaxed) { return "draining" }
        let serves = gateway.snapshots.upstreams.allSatisfy { upstream in
            !upstream.isEnabled || upstream.pool.hasUsableKey && upstream.pool.upstreamHealth.mayBeUsed
        }
        return serves && audit.trouble == nil ? "ok" : "degraded"
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

    var notes: OperatorNotes { OperatorNotes(database: gateway.store.database) }

    func recordChange(by user: Operator, action: String, object: String, id: Int?) throws {
        try notes.record(ChangeRecord(user: user, action: action, object: object, objectID: id))
    }

    package func operatorChanges(
        limit: Int,
        cursor: String?,
        by user: Operator
    ) async throws -> Page<OperatorChange> {
        let before = try cursor.map(Cursor.number) ?? Int.max
        let limit = min(max(limit, 1), 1000)
        let items = try notes.changes(before: before, limit: limit + 1)
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
        try notes.settings(of: user.name) ?? "{}"
    }

    package func saveSettings(_ json: String, by user: Operator) async throws {
        guard json.utf8.count <= Self.settingsLimit else {
            throw OperationsError(
                .invalid,
                "must have at most \(Self.settingsLimit) bytes",
                parameter: "settings"
            )
        }
        try notes.saveSettings(json, of: user.name)
    }

    // MARK: Idempotency

    /// How long a repeated create gets the first one's answer, in seconds.
    static let idempotencyTime = 86_400

    package func rememberedAnswer(_ key: String, request: String, by user: Operator) async throws -> String? {
        let oldest = WallClock.now().seconds - Self.idempotencyTime
        guard let found = try notes.answer(to: key, of: user.name, after: oldest) else { return nil }
        guard found.request == request else {
            throw OperationsError(.conflict, "this Idempotency-Key was used with another request")
        }
        let sealed = try Secret(sealedText: found.answer, gateway.masterKey, place: "idempotency/\(key)")
        return sealed.value
    }

    /// Sealed, since an answer may hold a client key.
    package func remember(_ answer: String, for key: String, request: String, by user: Operator) async throws
    {
        try notes.remember(for: key, of: user.name, at: WallClock.now().seconds) {
            let sealed = try Secret(answer).sealedText(gateway.masterKey, place: "idempotency/\(key)")
            return OperatorNotes.Answer(request: request, answer: sealed)
        }
    }

    package func metricsPage(by user: Operator) async throws -> String {
        PrometheusPage(
            totals: gateway.telemetry.telemetry.totals,
            status: try await status(by: user),
            upstreams: try await upstreams(by: user).items,
            keys: try await upstreamKeys(upstream: nil, by: user).items,
            limited: gateway.limiter.refusalCounts
        ).text
    }
}

/// What the kernel says of this process.
enum ProcessFacts {
    /// The machine's name, for messages that come from several.
    static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "fastgate" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// 0 when the kernel does not say.
    static func residentBytes() -> Int {
        // `/proc/self/statm` is missing only where /proc is not mounted.
        guard let text = try? TextFile.read("/proc/self/statm") else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
