import Logging
import NIOSSL
import Operations
import Synchronization

/// Makes the data plane's snapshot of what the file and the database say together.
struct SnapshotBuilder: Sendable {
    let store: Store
    let masterKey: MasterKey
    let counters: CounterRegistry
    let pools: PoolRegistry
    let limiter: Limiter
    let headerRules: HeaderRuleRegistry
    let logger: Logger

    /// Reads everything; throws without any effect when a part of it does not hold.
    func build(_ configuration: Configuration, after previous: Snapshot? = nil) throws -> Snapshot {
        let rows = try ClientKeyStore(database: store.database).all()
        let snapshot = Snapshot(
            generation: (previous?.generation ?? 0) + 1,
            configuration: configuration,
            upstreams: try upstreams(configuration, knownTLS: [:]),
            clientKeys: ClientKeyIndex(try rows.map(entry))
        )
        setLimits(of: snapshot, rows)
        return snapshot
    }

    private func setLimits(of snapshot: Snapshot, _ rows: [ClientKeyRow]) {
        var limits: [LimitKey: RateLimits] = [:]
        limits[.global] = snapshot.configuration.rateLimits
        for upstream in snapshot.upstreams.values {
            limits[LimitKey(scope: .upstream, id: upstream.id)] = upstream.definition.limits
        }
        // Of several that count together the youngest says how much.
        var quotas: [Int: Quota] = [:]
        for row in rows where !row.key.limits.isUnlimited || row.key.quota != nil || row.key.countsAs != nil {
            limits[row.limitKey] = row.key.limits
            quotas[row.limitKey.id] = row.key.quota?.quota
        }
        pools.keepOnly(Set(snapshot.upstreams.values.map(\.id)))
        limiter.setAll(limits.filter { !$0.value.isUnlimited }, quotas: quotas)
        limiter.keepOnly(upstreamKeys: Set(snapshot.upstreams.values.flatMap { $0.keys.map(\.id) }))
    }

    /// The same with upstreams and their keys read anew.
    func buildUpstreams(after previous: Snapshot) throws -> Snapshot {
        let known = previous.upstreams.values.compactMap { upstream in
            upstream.tls.map { (upstream.definition.caFile, $0) }
        }
        let upstreams = try upstreams(
            previous.configuration,
            knownTLS: Dictionary(known) { first, _ in first }
        )
        for gone in Set(previous.upstreams.values.map(\.id)).subtracting(upstreams.map(\.id)) {
            limiter.set(LimitKey(scope: .upstream, id: gone), RateLimits())
        }
        for upstream in upstreams {
            limiter.set(LimitKey(scope: .upstream, id: upstream.id), upstream.definition.limits)
        }
        pools.keepOnly(Set(upstreams.map(\.id)))
        limiter.keepOnly(upstreamKeys: Set(upstreams.flatMap { $0.keys.map(\.id) }))
        return Snapshot(
            generation: previous.generation + 1,
            configuration: previous.configuration,
            upstreams: upstreams,
            clientKeys: previous.clientKeys
        )
    }

    /// The same with some client keys read anew, of which any may be gone.
    func buildClientKeys(_ ids: [Int], after previous: Snapshot) throws -> Snapshot {
        let rows = try ClientKeyStore(database: store.database).find(ids)
        var clientKeys = previous.clientKeys
        for id in ids {
            clientKeys.replace(id, with: try rows[id].map(entry))
        }
        let groups = ids.compactMap { id in
            rows[id].map { $0.key.countsAs ?? id } ?? previous.clientKeys.entry(id)?.countsAs
        }
        // Of those that count together the youngest says how much.
        for (group, row) in try ClientKeyStore(database: store.database).youngest(ofGroups: Set(groups)) {
            let key = LimitKey(scope: .clientKey, id: group)
            limiter.set(key, row?.key.limits ?? RateLimits())
            limiter.setQuota(ofClientKey: group, row?.key.quota?.quota)
        }
        return Snapshot(
            generation: previous.generation + 1,
            configuration: previous.configuration,
            upstreams: Array(previous.upstreams.values),
            clientKeys: clientKeys
        )
    }

    private func entry(_ row: ClientKeyRow) throws -> ClientKeyEntry {
        let key = row.key
        let id = Array(key.prefix.utf8.dropFirst(3)).withUnsafeBytes { bytes in
            bytes.count == 8 ? bytes.loadUnaligned(as: UInt64.self) : 0
        }
        return ClientKeyEntry(
            identity: (key.id, key.name, key.owner),
            lookupID: id,
            digest: row.digest,
            standing: key.revokedAt != nil ? .revoked : key.enabled ? .enabled : .disabled,
            expiresAt: key.expiresAt?.seconds,
            permissions: try Permissions(key.permissions),
            countsAs: key.countsAs
        )
    }

    /// `knownTLS`: contexts by file of authorities; reading the system's takes many milliseconds.
    private func upstreams(
        _ configuration: Configuration,
        knownTLS: [String?: NIOSSLContext]
    ) throws -> [UpstreamEntry] {
        var contexts = knownTLS
        let rows = try UpstreamStore(database: store.database).all()
        let files = Dictionary(uniqueKeysWithValues: configuration.upstreams.map { ($0.slug, $0) })
        let keys = Dictionary(grouping: rows.keys, by: \.upstreamID)
        let rules = try RuleSets(try RuleStore(database: store.database).all())
        let headers = Dictionary(
            grouping: try HeaderRuleStore(database: store.database).all(),
            by: \.upstreamId
        )
        headerRules.keepOnly(Set(headers.values.joined().map(\.id)))
        return try rows.upstreams.compactMap { row in
            let file = row.source == .file ? files[row.slug] : nil
            // A row whose definition has left the file is kept for its id and state, but serves nobody.
            guard let definition = file?.definition ?? row.definition else { return nil }
            if definition.baseURL.isSecure, contexts[definition.caFile] == nil {
                // Without a context the pool refuses to connect: the file may have gone since it was checked, and
                // that must cost this upstream only.
                do throws(ConfigurationError) {
                    contexts[definition.caFile] = try UpstreamTrust.context(definition.caFile)
                } catch {
                    logger.error(
                        "an upstream cannot be reached until its ca_file is mended",
                        metadata: ["upstream": "\(row.slug)", "reason": "\(error.message)"]
                    )
                }
            }
            let ownRows = keys[row.id] ?? []
            let own = try ownRows.compactMap { try entry($0, file) }
            let pool = pools.pool(ofUpstream: row.id)
            let kept = Dictionary(uniqueKeysWithValues: ownRows.map { ($0.id, $0.health) })
            pool.configure(
                own,
                definition.strategy,
                longestRest: definition.maxCooldown,
                upstream: row.health
            ) {
                kept[$0] ?? HealthStateMachine()
            }
            return UpstreamEntry(
                id: row.id,
                slug: row.slug,
                isEnabled: row.isEnabled,
                definition: definition,
                keys: own,
                pool: pool,
                rules: rules.set(ofUpstream: row.id),
                headers: HeaderRuleSet(headers[row.id] ?? [], keyHeaders: own.headerNames, headerRules),
                tls: definition.baseURL.isSecure ? contexts[definition.caFile] : nil
            )
        }
    }

    private func entry(_ row: UpstreamKeyRow, _ file: Configuration.Upstream?) throws -> UpstreamKeyEntry? {
        let definition: UpstreamKeyDefinition
        let value: Secret
        switch row.source {
        case .file:
            guard let key = file?.keys.first(where: { $0.definition.name == row.definition.name }) else {
                return nil
            }
            (definition, value) = (key.definition, key.value)
        case .database:
            guard let sealed = row.sealed else { return nil }
            definition = row.definition
            value = try masterKey.open(sealed, place: UpstreamKeyRow.place(row.id))
        }
        return UpstreamKeyEntry(
            id: row.id,
            definition: definition,
            value: value,
            counters: counters.counters(ofKey: row.id)
        )
    }
}

extension ClientKeyRow {
    fileprivate var limitKey: LimitKey { LimitKey(scope: .clientKey, id: key.countsAs ?? key.id) }
}

extension [UpstreamKeyEntry] {
    /// What they are put into, in lower case.
    fileprivate var headerNames: Set<String> {
        Set(filter { $0.definition.location == .header }.map { $0.definition.paramName.lowercased() })
    }
}

/// The counters of upstream keys by id; they outlive snapshots.
final class CounterRegistry: Sendable {
    private let byKey = Mutex<[Int: KeyCounters]>([:])

    func counters(ofKey id: Int) -> KeyCounters {
        byKey.withLock { all in
            if let found = all[id] { return found }
            let made = KeyCounters()
            all[id] = made
            return made
        }
    }
}

extension Permissions {
    /// - Throws: `OperationsError` naming the entry that does not hold.
    init(_ permissions: ClientKeyPermissions) throws(OperationsError) {
        self.init()
        upstreams = permissions.upstreams
        paths = permissions.paths.map { Glob($0) }
        models = permissions.models.map { Glob($0) }
        for text in permissions.cidrs {
            guard let range = CIDR(text) else {
                let message = "\(text) is not an address or a range such as 10.0.0.0/8"
                throw OperationsError(.invalid, message, parameter: "permissions.cidrs")
            }
            cidrs.append(range)
        }
    }
}
