import NIOCore
import NIOSSL
import Operations
import Synchronization

/// An upstream as the data plane needs it: everything that can be worked out before a request is.
final class UpstreamEntry: Sendable {
    let id: Int
    let slug: String
    let isEnabled: Bool
    let definition: UpstreamDefinition
    /// Every key that exists; the pool decides which is used.
    let keys: [UpstreamKeyEntry]
    let pool: KeyPool
    /// What its answers mean.
    let rules: CompiledRules
    /// What is added to every attempt.
    let headers: HeaderRuleSet
    /// nil for http.
    let tls: NIOSSLContext?
    /// `host: name:port` with its line end.
    let hostLine: [UInt8]
    let pathPrefix: [UInt8]
    /// What stands behind it where a request has no path.
    let rootPath: [UInt8]
    let idleTimeout: TimeAmount
    let strippedHeaders: HeaderNameSet
    /// Lower-case names that are not in `HeaderName`.
    let strippedOtherHeaders: [[UInt8]]
    /// In lower case, like the next.
    let strippedQuery: [[UInt8]]
    let strippedBodyFields: [[UInt8]]

    init(
        id: Int,
        slug: String,
        isEnabled: Bool,
        definition: UpstreamDefinition,
        keys: [UpstreamKeyEntry],
        pool: KeyPool,
        rules: CompiledRules,
        headers: HeaderRuleSet,
        tls: NIOSSLContext?
    ) {
        self.id = id
        self.slug = slug
        self.isEnabled = isEnabled
        self.definition = definition
        self.keys = keys
        self.pool = pool
        self.rules = rules
        self.headers = headers
        self.tls = tls
        let base = definition.baseURL
        hostLine = Array("host: \(base.authority)\r\n".utf8)
        // Without a tunnel a proxy is told the whole address.
        let identity = Self.identity(definition)
        let isTold = identity.proxy != nil && !identity.isTunnelled
        pathPrefix = Array(((isTold ? "http://\(base.authority)" : "") + base.path).utf8)
        rootPath = base.path.isEmpty ? [UInt8(ascii: "/")] : []
        idleTimeout = TimeAmount(definition.timeouts.idle)
        var known = HeaderNameSet.hopByHop.union(.credentials).union([
            .host, .contentLength, .expect, .xRequestID,
        ])
        if definition.acceptEncoding == .identity { known.insert(.acceptEncoding) }
        var others: [[UInt8]] = []
        for name in definition.stripHeaders + headers.names {
            let bytes = Array(name.lowercased().utf8)
            let recognised = bytes.withUnsafeBytes(HeaderName.recognise)
            if recognised == .other { others.append(bytes) } else { known.insert(recognised) }
        }
        strippedHeaders = known
        strippedOtherHeaders = others
        strippedQuery = definition.stripQuery.map { $0.utf8.map(ASCII.lowercased) }
        strippedBodyFields = definition.stripBodyFields.map { $0.utf8.map(ASCII.lowercased) }
    }

    /// Whether answering needs the whole body in memory because members of it change.
    var editsBody: Bool {
        !strippedBodyFields.isEmpty || keys.contains { $0.definition.location == .body }
    }

    /// What a connection must agree on to serve this upstream.
    var connectionIdentity: ConnectionIdentity { Self.identity(definition) }

    private static func identity(_ definition: UpstreamDefinition) -> ConnectionIdentity {
        ConnectionIdentity(
            host: definition.baseURL.host,
            port: definition.baseURL.port,
            isSecure: definition.baseURL.isSecure,
            caFile: definition.caFile,
            proxy: definition.proxyURL
        )
    }
}

/// Two upstreams with the same identity may share connections of one loop.
struct ConnectionIdentity: Hashable, Sendable {
    let host: String
    let port: Int
    let isSecure: Bool
    let caFile: String?
    var proxy: ProxyURL?

    /// What is secret goes through a tunnel, and so does what a proxy wants a password for: it must stand in no request,
    /// which may be repeated in an answer.
    var isTunnelled: Bool { proxy.map { isSecure || $0.authorization != nil } ?? false }

    /// With the port, as a tunnel's end is named.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

/// An upstream key, ready to be put into a request.
final class UpstreamKeyEntry: Sendable {
    let id: Int
    let definition: UpstreamKeyDefinition
    /// What is added: a whole header line, `name=value` of a query, or a member `"name":"value"`.
    let injection: [UInt8]
    /// The bare value, to cover it where a provider repeats it.
    let secret: SecretForms
    /// Tells secrets apart that have followed each other under one id.
    let generation: Int
    /// In lower case, as `ASCII.equalIgnoringCase` wants it.
    let paramName: [UInt8]
    let headerName: HeaderName
    let counters: KeyCounters

    var limits: RateLimits { definition.limits }
    var quota: Quota? { definition.quota.counted }

    init(id: Int, definition: UpstreamKeyDefinition, value: Secret, counters: KeyCounters) {
        self.id = id
        self.definition = definition
        secret = SecretForms(value.value)
        generation = value.value.hashValue
        self.counters = counters
        let name = definition.paramName
        let text = definition.valuePrefix + value.value
        switch definition.location {
        case .header:
            injection = Array("\(name): \(text)\r\n".utf8)
            paramName = Array(name.lowercased().utf8)
        case .query:
            injection = PercentEncoding.encode(name) + [UInt8(ascii: "=")] + PercentEncoding.encode(text)
            paramName = name.utf8.map(ASCII.lowercased)
        case .body:
            injection = JSONText.quote(name) + [UInt8(ascii: ":")] + JSONText.quote(text)
            paramName = JSONText.quote(name).dropFirst().dropLast().map(ASCII.lowercased)
        }
        headerName = paramName.withUnsafeBytes(HeaderName.recognise)
    }
}

/// Counts of one upstream key that outlive a change of configuration.
final class KeyCounters: Sendable {
    /// Milliseconds since 1970, 0 for never.
    let lastUsedAt = Atomic<Int>(0)
    private let lastErrorText = Mutex<String?>(nil)

    var lastError: String? { lastErrorText.withLock { $0 } }

    func record(error: String?) {
        lastErrorText.withLock { $0 = error }
    }
}
