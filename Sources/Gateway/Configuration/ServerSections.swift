import Operations

/// Reads every section of the file but the upstreams.
enum ServerSections {
    /// `admin.socket` and `storage.path`.
    static func places(_ root: ConfigurationSection) -> (socket: String?, data: String?) {
        (
            root.section("admin", adminKeys)?.filePath("socket"),
            root.section("storage", storageKeys)?.filePath("path")
        )
    }

    private static let adminKeys = ["host", "port", "socket", "socket_group", "operators", "tokens"]
    private static let storageKeys = ["path", "master_key_file"]

    static func read(_ root: ConfigurationSection, into configuration: inout Configuration) {
        readServer(root, &configuration.server)
        readCORS(root, &configuration.cors)
        readAdmin(root, &configuration.admin)
        readLimits(root, &configuration.limits)
        readAudit(root, &configuration.audit)
        readScripts(root, &configuration.scripts)
        configuration.rateLimits = rateLimits(root, "rate_limits")
        if let storage = root.section("storage", storageKeys) {
            if let path = storage.filePath("path") { configuration.storage.path = path }
            configuration.storage.masterKeyFile = storage.filePath("master_key_file")
        }
        if let metrics = root.section("metrics", ["public"]) {
            metrics.read("public", into: &configuration.metrics.isPublic)
        }
        if let zone = root.string("time_zone") {
            if TextFile.exists("/usr/share/zoneinfo/\(zone)"), !zone.contains("..") || zone == "UTC" {
                configuration.timeZone = zone
            } else {
                root.report("is not a time zone that this machine knows", at: "time_zone")
            }
        }
    }

    private static func readServer(_ root: ConfigurationSection, _ server: inout Configuration.Server) {
        let keys = ["host", "port", "tls", "workers", "trusted_proxies"]
        guard let section = root.section("server", keys) else { return }
        section.read("host", into: &server.host)
        section.read("port", into: &server.port, in: 0...65_535)
        section.read("workers", into: &server.workers, in: 0...64)
        server.trustedProxies = cidrs(section, "trusted_proxies")
        guard let tls = section.section("tls", ["certificate", "private_key"]) else { return }
        guard let certificate = tls.filePath("certificate"), let key = tls.filePath("private_key") else {
            section.report("needs both certificate and private_key", at: "tls")
            return
        }
        let files = Configuration.TLS(certificate: certificate, privateKey: key)
        server.tls = files
        let missing = [("certificate", certificate), ("private_key", key)].filter { !TextFile.exists($0.1) }
        for (name, path) in missing {
            tls.report("there is no file \(path)", at: name)
        }
        guard missing.isEmpty else { return }
        do throws(ConfigurationError) {
            _ = try CertificateFiles.load(files)
        } catch {
            section.report(error.message, at: "tls")
        }
    }

    private static func cidrs(_ section: ConfigurationSection, _ key: String) -> [CIDR] {
        (section.strings(key) ?? []).compactMap { text in
            guard let range = CIDR(text) else {
                section.report("\(text) is not an address or a range such as 10.0.0.0/8", at: key)
                return nil
            }
            return range
        }
    }

    private static func readCORS(_ root: ConfigurationSection, _ cors: inout Configuration.CORS) {
        guard let section = root.section("cors", ["origins", "headers", "max_age"]) else { return }
        var value = Configuration.CORS()
        value.origins = section.strings("origins") ?? value.origins
        value.headers = section.strings("headers") ?? value.headers
        section.read("max_age", into: &value.maxAge)
        for text in value.origins + value.headers where !text.utf8.allSatisfy(ASCII.isTarget) {
            root.report("\(text) holds a character that no header may hold", at: "cors")
        }
        cors = value
    }

    private static func readAdmin(_ root: ConfigurationSection, _ admin: inout Configuration.Admin) {
        guard let section = root.section("admin", adminKeys) else { return }
        section.read("host", into: &admin.host)
        section.read("port", into: &admin.port, in: 0...65_535)
        admin.socket = section.filePath("socket")
        admin.socketGroup = section.string("socket_group")
        if let socket = admin.socket, socket.utf8.count > 100 {
            section.report("a Unix socket's path can have 100 bytes at most", at: "socket")
        }
        let isLoopback = admin.host == "localhost" || IPAddress(admin.host)?.isLoopback == true
        if !isLoopback {
            section.report("must be a loopback address; reach it from elsewhere through SSH", at: "host")
        }
        admin.operators = section.sections("operators", ["user", "group", "role"]).compactMap(operatorMapping)
        admin.tokens = section.sections("tokens", ["name", "token", "role"]).compactMap(operatorToken)
        for (index, token) in admin.tokens.enumerated()
        where admin.tokens[..<index].contains(where: { $0.name == token.name || $0.token == token.token }) {
            section.report("two tokens have the name or the value of \(token.name)", at: "tokens")
        }
    }

    /// Fewer bytes could be guessed.
    private static let shortestToken = 20

    private static func operatorToken(_ section: ConfigurationSection) -> Configuration.OperatorToken? {
        var role = Role.viewer
        section.read("role", into: &role)
        for key in ["name", "token", "role"] where !section.has(key) {
            section.report("is required", at: key)
        }
        guard let name = section.string("name"), let token = section.secret("token") else { return nil }
        if name.isEmpty || name.utf8.count > 100 || name == "admin" {
            section.report(
                "must be 1 to 100 bytes, and not admin, who holds the token of the data directory",
                at: "name"
            )
        }
        if token.value.utf8.count < shortestToken {
            section.report("must have at least \(shortestToken) bytes", at: "token")
        }
        return Configuration.OperatorToken(name: name, token: token, role: role)
    }

    private static func operatorMapping(_ section: ConfigurationSection) -> Configuration.OperatorMapping? {
        let user = section.string("user")
        let group = section.string("group")
        var role = Role.viewer
        section.read("role", into: &role)
        guard (user == nil) != (group == nil) else {
            section.report("needs either a user or a group", at: "user")
            return nil
        }
        if !section.has("role") { section.report("needs a role", at: "role") }
        return Configuration.OperatorMapping(user: user, group: group, role: role)
    }

    private static func readLimits(_ root: ConfigurationSection, _ limits: inout Configuration.Limits) {
        let keys = [
            "max_request_line_bytes", "max_headers", "max_header_line_bytes", "max_header_bytes",
            "max_body_bytes", "buffer_body_bytes", "max_connections", "header_timeout", "body_idle_timeout",
            "keepalive_timeout", "keepalive_requests", "write_timeout", "drain_timeout",
        ]
        guard let section = root.section("limits", keys) else { return }
        section.read("max_request_line_bytes", into: &limits.maxRequestLineBytes, in: 64...1_048_576)
        section.read("max_headers", into: &limits.maxHeaders, in: 1...1000)
        section.read("max_header_line_bytes", into: &limits.maxHeaderLineBytes, in: 64...1_048_576)
        section.read("max_header_bytes", into: &limits.maxHeaderBytes, in: 64...1_048_576)
        section.read("max_body_bytes", into: &limits.maxBodyBytes, in: 0...1 << 40)
        section.read("buffer_body_bytes", into: &limits.bufferBodyBytes, in: 0...1 << 30)
        section.read("max_connections", into: &limits.maxConnections, in: 1...1_000_000)
        section.read("header_timeout", into: &limits.headerTimeout)
        section.read("body_idle_timeout", into: &limits.bodyIdleTimeout)
        section.read("keepalive_timeout", into: &limits.keepaliveTimeout)
        section.read("keepalive_requests", into: &limits.keepaliveRequests, in: 0...1_000_000_000)
        section.read("write_timeout", into: &limits.writeTimeout)
        section.read("drain_timeout", into: &limits.drainTimeout)
    }

    /// Limits of callers, of an upstream or of one of its keys; an absent one is unlimited.
    static func rateLimits(_ parent: ConfigurationSection, _ key: String) -> RateLimits {
        guard let section = parent.section(key, RateLimits.fields) else { return RateLimits() }
        func limit(_ name: String) -> Int? {
            guard section.has(name) else { return nil }
            var number = 0
            section.read(name, into: &number, in: RateLimits.range)
            return number > 0 ? number : nil
        }
        return RateLimits(
            minute: limit("requests_per_minute"),
            hour: limit("requests_per_hour"),
            day: limit("requests_per_day"),
            concurrency: limit("concurrency")
        )
    }

    private static func readScripts(_ root: ConfigurationSection, _ scripts: inout Configuration.Scripts) {
        let keys = ["timeout", "max_memory", "workers", "insecure", "python"]
        guard let section = root.section("scripts", keys) else { return }
        section.read("timeout", into: &scripts.timeout)
        section.read("max_memory", into: &scripts.maxMemory)
        section.read("workers", into: &scripts.workers, in: 1...64)
        section.read("insecure", into: &scripts.insecure)
        scripts.python = section.filePath("python")
        if !(.milliseconds(10)...(.seconds(30))).contains(scripts.timeout) {
            section.report("must be from 10ms to 30s", at: "timeout")
        }
        if !(64 << 20...4 << 30).contains(scripts.maxMemory.bytes) {
            section.report("must be from 64mb to 4gb", at: "max_memory")
        }
    }

    private static func readAudit(_ root: ConfigurationSection, _ audit: inout Configuration.Audit) {
        let keys = ["mode", "bodies", "max_body_bytes", "retain_rows", "retain_bodies", "max_disk"]
        guard let section = root.section("audit", keys) else { return }
        section.read("mode", into: &audit.mode)
        section.read("bodies", into: &audit.bodies)
        section.read("max_body_bytes", into: &audit.maxBodyBytes, in: 0...4 << 20)
        section.read("retain_rows", into: &audit.retainRows)
        section.read("retain_bodies", into: &audit.retainBodies)
        if !section.has("retain_bodies") { audit.retainBodies = min(audit.retainBodies, audit.retainRows) }
        // A body without its row is in nobody's list, and nobody could erase it.
        if audit.retainBodies > audit.retainRows {
            section.report(
                "must not be longer than retain_rows (\(audit.retainRows.text))",
                at: "retain_bodies"
            )
        }
        section.read("max_disk", into: &audit.maxDisk)
        // Less is a forgotten unit: nothing could be kept.
        if audit.maxDisk.bytes < 8 << 20 { section.report("must be at least 8mb", at: "max_disk") }
    }
}
