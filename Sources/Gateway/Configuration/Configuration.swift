package import Operations

/// Everything the file says, checked and frozen; a reload makes a new one.
package struct Configuration: Sendable, Equatable {
    package var server = Server()
    package var cors = CORS()
    package var admin = Admin()
    package var storage = Storage()
    package var limits = Limits()
    /// Of all callers together.
    package var rateLimits = RateLimits()
    package var audit = Audit()
    package var scripts = Scripts()
    package var metrics = Metrics()
    package var notifications = Notifications()
    package var timeZone = "UTC"
    package var upstreams: [Upstream] = []

    package init() {}

    /// Where callers connect.
    package struct Server: Sendable, Equatable {
        package var host = "0.0.0.0"
        package var port = 8514
        package var tls: TLS?
        /// Event loops; 0 is one per core.
        package var workers = 0
        /// Peers whose `X-Forwarded-For` is believed.
        package var trustedProxies: [CIDR] = []
    }

    package struct TLS: Sendable, Equatable {
        package var certificate: String
        package var privateKey: String
    }

    package struct CORS: Sendable, Equatable {
        /// Empty for answers to no page.
        package var origins = ["*"]
        package var headers = ["*"]
        package var maxAge = Duration.seconds(600)
    }

    /// Where operators connect.
    package struct Admin: Sendable, Equatable {
        package var host = "127.0.0.1"
        package var port = 8515
        /// nil is `fastgate.sock` in the data directory.
        package var socket: String?
        package var socketGroup: String?
        package var operators: [OperatorMapping] = []
        package var tokens: [OperatorToken] = []
    }

    /// A user or group of the system and the role it has on the Unix socket.
    package struct OperatorMapping: Sendable, Equatable {
        package var user: String?
        package var group: String?
        package var role: Role
    }

    /// Who may come by TCP beside the holder of `admin.token`.
    package struct OperatorToken: Sendable, Equatable {
        package var name: String
        package var token: Secret
        package var role: Role
    }

    package struct Storage: Sendable, Equatable {
        package var path = "data"
        /// nil is `master.key` in the data directory.
        package var masterKeyFile: String?
    }

    /// Bounds of one caller and of all; names are those of the file.
    package struct Limits: Sendable, Equatable {
        package var maxRequestLineBytes = 8192
        package var maxHeaders = 100
        package var maxHeaderLineBytes = 16_384
        package var maxHeaderBytes = 65_536
        package var maxBodyBytes = 33_554_432
        package var bufferBodyBytes = 1_048_576
        package var maxConnections = 10_000
        package var headerTimeout = Duration.seconds(10)
        package var bodyIdleTimeout = Duration.seconds(30)
        package var keepaliveTimeout = Duration.seconds(75)
        /// 0 is unlimited.
        package var keepaliveRequests = 0
        package var writeTimeout = Duration.seconds(60)
        package var drainTimeout = Duration.seconds(30)
    }

    package struct Audit: Sendable, Equatable {
        package var mode = AuditMode.normal
        package var bodies = true
        package var maxBodyBytes = 65_536
        package var retainRows = Duration.seconds(90 * 86_400)
        package var retainBodies = Duration.seconds(7 * 86_400)
        package var maxDisk = ByteCount(10 << 30)
    }

    /// What scripts may take; see docs/scripts.md.
    package struct Scripts: Sendable, Equatable {
        /// Of one run, waiting for a worker included.
        package var timeout = Duration.seconds(1)
        /// Of one worker.
        package var maxMemory = ByteCount(128 << 20)
        /// Of each language, on each event loop.
        package var workers = 2
        /// Runs them without a jail where none can be had.
        package var insecure = false
        /// nil is the one that `scripts/setup` makes.
        package var python: String?
    }

    package struct Metrics: Sendable, Equatable {
        package var isPublic = false
    }

    /// How people are told of what happens.
    package struct Notifications: Sendable, Equatable {
        /// Of the texts that ship.
        var language = NotificationLanguage.en
        /// Internal addresses that webhooks and robots may be at.
        var allowAddresses: [CIDR] = []
        /// Authorities in the place of the system's.
        var caFile: String?
        var channels: [NotificationChannelSettings] = []
    }

    package struct Upstream: Sendable, Equatable {
        package var slug: String
        package var definition: UpstreamDefinition
        package var keys: [UpstreamKey]
    }

    package struct UpstreamKey: Sendable, Equatable {
        package var definition: UpstreamKeyDefinition
        package var value: Secret
    }
}

extension Configuration {
    /// What a reload cannot apply to a running gateway: its sockets, its folders and its audit.
    func sectionsThatNeedRestart(comparedTo other: Configuration) -> [String] {
        var (mine, theirs) = (server, other.server)
        (mine.trustedProxies, theirs.trustedProxies) = ([], [])
        // Files of certificates are read anew; whether callers come by TLS at all is settled at the start.
        if mine.tls != nil, theirs.tls != nil { (mine.tls, theirs.tls) = (nil, nil) }
        // Who may come is asked anew for each request.
        var (myPort, theirPort) = (admin, other.admin)
        (myPort.operators, theirPort.operators) = ([], [])
        (myPort.tokens, theirPort.tokens) = ([], [])
        let changes = [
            ("server", mine != theirs), ("admin", myPort != theirPort),
            ("storage", storage != other.storage),
            ("audit", audit != other.audit), ("metrics", metrics != other.metrics),
            ("scripts", scripts != other.scripts),
        ]
        return changes.filter(\.1).map(\.0)
    }
}

package enum AuditMode: String, Sendable, CaseIterable {
    case normal
    /// Refuse a request rather than lose its record.
    case strict
    case off
}

/// Text that must never be printed; its description says only that it is there.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    package let value: String

    package init(_ value: String) {
        self.value = value
    }

    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
}
