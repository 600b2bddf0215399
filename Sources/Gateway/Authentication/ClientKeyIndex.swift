#if canImport(Glibc)
import Glibc
#endif

/// A client key as the data plane needs it.
final class ClientKeyEntry: Sendable {
    /// What operators have made of it.
    enum Standing: Sendable {
        case enabled, disabled
        /// For good.
        case revoked
    }

    let id: Int
    let name: String
    let owner: String
    let lookupID: UInt64
    let digest: KeyDigest
    let standing: Standing
    /// Seconds since 1970, nil for never.
    let expiresAt: Int?
    let permissions: Permissions
    /// The key whose limits and quota count its requests: the first of those that rotation has put in each other's place.
    let countsAs: Int

    init(
        identity: (id: Int, name: String, owner: String),
        lookupID: UInt64,
        digest: KeyDigest,
        standing: Standing,
        expiresAt: Int?,
        permissions: Permissions,
        countsAs: Int? = nil
    ) {
        (id, name, owner) = identity
        self.countsAs = countsAs ?? identity.id
        self.lookupID = lookupID
        self.digest = digest
        self.standing = standing
        self.expiresAt = expiresAt
        self.permissions = permissions
    }

    /// Throws when the key is disabled, revoked or over.
    func checkUsable(at seconds: Int) throws(Refusal) {
        switch standing {
        case .enabled: break
        case .disabled: throw Refusal(.disabledAPIKey, "The API key is disabled.")
        case .revoked: throw Refusal(.disabledAPIKey, "The API key has been revoked.")
        }
        if let expiresAt, expiresAt <= seconds {
            throw Refusal(.expiredAPIKey, "The API key has expired.")
        }
    }
}

/// Checks client keys in memory.
///
/// A value: changing one key copies one shard, so that its cost hardly grows with their number.
struct ClientKeyIndex: Sendable {
    private static let shardCount = 256

    /// By lookup id; the shard is chosen by the id's hash, since ids are text of a small alphabet.
    private var shards: [[UInt64: ClientKeyEntry]]
    /// Where each key of the database stands, sharded by its id.
    private var places: [[Int: UInt64]]
    /// Compared against when no key has the id, so that known and unknown ids cost the same.
    private let nobody: KeyDigest

    init(_ entries: [ClientKeyEntry] = []) {
        shards = Array(repeating: [:], count: Self.shardCount)
        places = Array(repeating: [:], count: Self.shardCount)
        let room = entries.count / Self.shardCount + entries.count / (Self.shardCount * 4)
        for index in shards.indices where room > 0 {
            shards[index].reserveCapacity(room)
            places[index].reserveCapacity(room)
        }
        nobody = ClientKeyToken.generate().digest
        for entry in entries {
            set(entry)
        }
    }

    var count: Int { shards.reduce(0) { $0 + $1.count } }

    /// Puts the key of the database's row `id` as it is now in the place of what it was; nil when it is gone.
    mutating func replace(_ id: Int, with entry: ClientKeyEntry?) {
        if let old = places[Self.shard(id)].removeValue(forKey: id) {
            shards[Self.shard(old)][old] = nil
        }
        if let entry { set(entry) }
    }

    private mutating func set(_ entry: ClientKeyEntry) {
        shards[Self.shard(entry.lookupID)][entry.lookupID] = entry
        places[Self.shard(entry.id)][entry.id] = entry.lookupID
    }

    private static func shard(_ id: Int) -> Int {
        id & (shardCount - 1)
    }

    private static func shard(_ lookupID: UInt64) -> Int {
        Int(truncatingIfNeeded: (lookupID &* 0x9E37_79B9_7F4A_7C15) >> 56)
    }

    /// The key of the database's row `id`.
    func entry(_ id: Int) -> ClientKeyEntry? {
        places[Self.shard(id)][id].flatMap { shards[Self.shard($0)][$0] }
    }

    /// The key these bytes are, whether or not it may be used now.
    func identify(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> ClientKeyEntry {
        let entry = ClientKeyToken.lookupID(bytes).flatMap { shards[Self.shard($0)][$0] }
        let isSame = KeyDigest(hashing: bytes) == (entry?.digest ?? nobody)
        guard let entry, isSame else { throw Refusal(.invalidAPIKey, "The API key is not valid.") }
        return entry
    }
}
