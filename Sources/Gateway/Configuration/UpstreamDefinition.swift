package import Operations

/// How requests reach one backend, whether the file or an operator says so.
package struct UpstreamDefinition: Sendable, Equatable {
    package var name: String
    package var baseURL: BaseURL
    package var stripHeaders = ["x-forwarded-for", "cookie"]
    package var stripQuery: [String] = []
    package var stripBodyFields: [String] = []
    package var acceptEncoding = AcceptEncoding.identity
    package var timeouts = UpstreamTimeouts()
    package var strategy = KeyStrategy.roundRobin
    package var retry = RetryPolicy()
    package var limits = RateLimits()
    /// Slugs of upstreams that stand in, in this order, when no key of this one can serve a request.
    package var fallbacks: [String] = []
    /// No key rests for longer, whatever its provider says.
    package var maxCooldown = Duration.seconds(86_400)
    package var caFile: String?
    package var proxyURL: ProxyURL?
    /// nil: nobody asks how it is.
    package var probe: UpstreamProbe?

    package init(name: String, baseURL: BaseURL) {
        self.name = name
        self.baseURL = baseURL
    }
}

/// How long an attempt may wait; LLMs that reason are slow to begin.
package struct UpstreamTimeouts: Sendable, Equatable {
    package var connect = Duration.seconds(5)
    package var firstByte = Duration.seconds(600)
    package var idle = Duration.seconds(120)

    package init() {}
}

/// A free question that tells whether the backend is there and knows a key.
package struct UpstreamProbe: Sendable, Equatable {
    /// After the base URL, with a query if one is wanted.
    package var path: String
    package var interval = Duration.seconds(60)

    package init(path: String) {
        self.path = path
    }
}

/// How often a request is tried before its caller is told that it failed.
package struct RetryPolicy: Sendable, Equatable {
    /// Tries that fail by a key's own trouble do not count.
    package var maxAttempts = 3
    /// From the first try on; a try that has begun is not cut short.
    package var maxTime = Duration.seconds(60)

    package init() {}
}

/// A provider credential and where it goes in a request.
package struct UpstreamKeyDefinition: Sendable, Equatable {
    package var name: String
    package var location = KeyLocation.header
    package var paramName = "Authorization"
    package var valuePrefix = "Bearer "
    /// Of the strategy `weighted`: how often it is used, beside the others.
    package var weight = 1
    /// Of the strategy `priority`: lower ones are used first.
    package var priority = 0
    package var limits = RateLimits()
    package var quota = KeyQuota()

    package init(name: String) {
        self.name = name
    }
}

/// How many requests an upstream key may have in a period; a total that is not enabled is only remembered.
package struct KeyQuota: Codable, Sendable, Equatable {
    package var isEnabled = false
    package var total: Int?
    package var period = QuotaPeriod.none

    package init() {}

    /// What is counted, nil for nothing.
    var counted: Quota? {
        total.flatMap { isEnabled ? Quota(unit: .requests, total: $0, period: period) : nil }
    }
}

/// `http(s)://host[:port][/path]`, without user, query or fragment; the path has no slash at its end.
package struct BaseURL: Sendable, Equatable {
    package let isSecure: Bool
    package let host: String
    package let port: Int
    package let path: String
    package let text: String

    package init(_ text: String) throws(ConfigurationError) {
        let rest: Substring
        if text.hasPrefix("http://") {
            isSecure = false
            rest = text.dropFirst(7)
        } else if text.hasPrefix("https://") {
            isSecure = true
            rest = text.dropFirst(8)
        } else {
            throw ConfigurationError("must begin with http:// or https://")
        }
        guard rest.utf8.allSatisfy(ASCII.isTarget) else {
            throw ConfigurationError("holds a space or a character that is not ASCII")
        }
        guard !rest.contains(where: { "?#@\\".contains($0) }) else {
            throw ConfigurationError("may not hold a user, a query or a fragment")
        }
        let authority = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") {
            path = path.dropLast()
        }
        (host, port) = try Self.parse(authority: authority, isSecure: isSecure)
        self.path = String(path)
        self.text = (isSecure ? "https://" : "http://") + authority + path
        if let address = IPAddress(host), address.isForbiddenUpstream {
            throw ConfigurationError("may not be a link-local or metadata address")
        }
    }

    private static func parse(
        authority: Substring,
        isSecure: Bool
    ) throws(ConfigurationError) -> (host: String, port: Int) {
        var host = authority
        var port = isSecure ? 443 : 80
        let portStart = authority.lastIndex(of: ":")
        let bracket = authority.lastIndex(of: "]")
        if let portStart, bracket.map({ portStart > $0 }) ?? true {
            guard let number = Int(authority[authority.index(after: portStart)...]),
                (1...65_535).contains(number)
            else { throw ConfigurationError("has a port that is not between 1 and 65535") }
            port = number
            host = authority[..<portStart]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        }
        guard !host.isEmpty else { throw ConfigurationError("has no host") }
        return (String(host), port)
    }

    /// What the `Host` header says: the port only when it is not the scheme's own.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }
}

/// One fault of one value, in words that continue the value's name.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
