/// What a person or program that operates the gateway may do; each role may do all that the ones before it may.
package enum Role: String, Codable, Sendable, CaseIterable, Comparable {
    case viewer
    case `operator`
    case admin

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        }
    }

    package static func < (left: Role, right: Role) -> Bool {
        left.rank < right.rank
    }
}

/// Where an upstream key goes in a request.
package enum KeyLocation: String, Codable, Sendable, CaseIterable {
    case header
    case query
    case body
}

/// Whether the upstream is asked for readable answers or for what the caller asked.
package enum AcceptEncoding: String, Codable, Sendable, CaseIterable {
    case identity
    case pass
}

/// Where an object was defined; what the file defines is read-only to operators.
package enum Source: String, Codable, Sendable, CaseIterable {
    case file
    case database
}

/// Whether a count of tokens came from the provider, from an estimate, or not at all.
package enum UsageSource: String, Codable, Sendable, CaseIterable {
    case reported
    case estimated
    case missing
}
