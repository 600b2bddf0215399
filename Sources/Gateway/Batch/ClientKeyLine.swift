import Operations

/// A client key in an export.
struct ClientKeyLine: Encodable {
    private let key: ClientKey
    private let first: String?
    private let digest: String?

    /// `first`: the prefix of the key whose limits and quota go on in this one.
    init(_ row: ClientKeyRow, first: String?, withDigest: Bool) {
        key = row.key
        self.first = first
        digest = withDigest ? Hexadecimal.text(row.digest.bytes) : nil
    }

    /// What an import takes, then what only people want to know.
    static func columns(withDigests: Bool) -> [String] {
        ClientKeyColumn.allCases.filter { withDigests || $0 != .digest }.map(\.rawValue) + told
    }

    private static let told = ["id", "quota_used", "created_at", "last_used_at"]

    var fields: [String] {
        ClientKeyColumn.allCases.compactMap(field) + [
            "\(key.id)", key.quota.map { "\($0.used)" } ?? "", key.createdAt.description,
            key.lastUsedAt?.description ?? "",
        ]
    }

    private func field(_ column: ClientKeyColumn) -> String? {
        func text(_ number: Int?) -> String { number.map(String.init) ?? "" }
        return switch column {
        case .name: key.name
        case .owner: key.owner
        case .expiresAt: key.expiresAt?.description ?? ""
        case .upstreams: Self.cell(key.permissions.upstreams)
        case .paths: Self.cell(key.permissions.paths)
        case .models: Self.cell(key.permissions.models)
        case .cidrs: Self.cell(key.permissions.cidrs)
        case .requestsPerMinute: text(key.limits.requestsPerMinute)
        case .requestsPerHour: text(key.limits.requestsPerHour)
        case .requestsPerDay: text(key.limits.requestsPerDay)
        case .concurrency: text(key.limits.concurrency)
        case .quotaTotal: text(key.quota?.total)
        case .quotaUnit: key.quota?.unit.rawValue ?? ""
        case .quotaPeriod: key.quota?.period.rawValue ?? ""
        case .enabled: "\(key.enabled)"
        case .notes: key.notes
        case .revokedAt: key.revokedAt?.description ?? ""
        case .countsAsPrefix: first ?? ""
        case .prefix: key.prefix
        case .last4: key.last4
        case .digest: digest
        }
    }

    /// One a line where one line could not tell them apart; what could not be read again is no list of nothing.
    private static func cell(_ values: [String]) -> String {
        let isPlain = values.allSatisfy { value in
            !value.isEmpty && !value.contains { " ,;".contains($0) || $0.isNewline }
        }
        return values.joined(separator: isPlain ? " " : "\n") + (isPlain ? "" : "\n")
    }

    private enum CodingKeys: String, CodingKey { case digest, countsAsPrefix }

    func encode(to encoder: any Encoder) throws {
        try key.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(digest, forKey: .digest)
        try container.encodeIfPresent(first, forKey: .countsAsPrefix)
    }
}
