#if canImport(Glibc)
import Glibc
#endif

/// A client key as the data plane needs it.
final class ClientKeyEntry: Sendable {
    let id: Int
    let name: String
    let owner: String
    let lookupID: UInt64
    let digest: KeyDigest
    let isEnabled: Bool
    /// Seconds since 1970, nil for never.
    let expiresAt: Int?
    let permissions: Permissions

    init(
        identity: (id: Int, name: String, owner: String),
        lookupID: UInt64,
        digest: KeyDigest,
        isEnabled: Bool,
        expiresAt: Int?,
        permissions: Permissions
    ) {
        (id, name, owner) = identity
        self.lookupID = lookupID
        self.digest = digest
        self.isEnabled = isEnabled
        self.expiresAt = expiresAt
        self.permissions = permissions
    }
}

/// Checks client keys in memory; replaced whole when a key changes.
struct ClientKeyIndex: Sendable {
    private let entries: [UInt64: ClientKeyEntry]
    /// Compared against when no key has the id, so that known and unknown ids cost the same.
    private let nobody: KeyDigest

    init(_ entries: [ClientKeyEntry] = []) {
        self.entries = Dictionary(entries.map { ($0.lookupID, $0) }) { first, _ in first }
        nobody = ClientKeyToken.generate().digest
    }

    var count: Int { entries.count }

    /// The key these bytes are, or why they are none.
    func check(_ bytes: UnsafeRawBufferPointer, at seconds: Int) throws(Refusal) -> ClientKeyEntry {
        let entry = ClientKeyToken.lookupID(bytes).flatMap { entries[$0] }
        let isSame = KeyDigest(hashing: bytes) == (entry?.digest ?? nobody)
        guard let entry, isSame else { throw Refusal(.invalidAPIKey, "The API key is not valid.") }
        guard entry.isEnabled else { throw Refusal(.disabledAPIKey, "The API key is disabled.") }
        if let expiresAt = entry.expiresAt, expiresAt <= seconds {
            throw Refusal(.expiredAPIKey, "The API key has expired.")
        }
        return entry
    }
}
