import Crypto
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Seals upstream key values with AES-256-GCM under the operator's master key.
///
/// One object for the whole gateway: when the key is rotated, all who seal go on with the new one.
final class MasterKey: Sendable {
    fileprivate struct Material {
        let key: SymmetricKey
        let digestKey: SymmetricKey

        init?(base64: String) {
            guard let bytes = Data(base64Encoded: base64), bytes.count == 32 else { return nil }
            key = SymmetricKey(data: bytes)
            digestKey = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key,
                info: Data("fastgate digests of upstream keys".utf8),
                outputByteCount: 32
            )
        }
    }

    /// What seals and opens at a time.
    struct Standing {
        fileprivate var current: Material
        /// For those who have read a row just before it was sealed anew.
        fileprivate var previous: Material?
    }

    private let state: Mutex<Standing>

    /// `base64` is 32 bytes.
    init?(base64: String) {
        guard let material = Material(base64: base64) else { return nil }
        state = Mutex(Standing(current: material))
    }

    static func generateText() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    /// From here on `next` seals; what the old key has sealed still opens.
    ///
    /// - Returns: how it was before, for `goBack`.
    func become(_ next: MasterKey) -> Standing {
        let material = next.state.withLock(\.current)
        return state.withLock { state in
            let before = state
            state = Standing(current: material, previous: state.current)
            return before
        }
    }

    func goBack(to standing: Standing) {
        state.withLock { $0 = standing }
    }

    /// Nonce, ciphertext and tag; `place` binds them to one row, so that values cannot be moved between rows.
    func seal(_ secret: Secret, place: String) throws -> Data {
        let key = state.withLock(\.current.key)
        let box = try AES.GCM.seal(Data(secret.value.utf8), using: key, authenticating: Data(place.utf8))
        guard let combined = box.combined else { throw SealFailure() }
        return combined
    }

    func open(_ sealed: Data, place: String) throws -> Secret {
        let (current, previous) = state.withLock { ($0.current.key, $0.previous?.key) }
        do {
            return try Self.open(sealed, current, place)
        } catch {
            guard let previous else { throw error }
            return try Self.open(sealed, previous, place)
        }
    }

    private static func open(_ sealed: Data, _ key: SymmetricKey, _ place: String) throws -> Secret {
        let box = try AES.GCM.SealedBox(combined: sealed)
        let bytes = try AES.GCM.open(box, using: key, authenticating: Data(place.utf8))
        return Secret(String(decoding: bytes, as: UTF8.self))
    }

    /// Tells equal secrets by: worthless without the key, and another one for another key.
    func digest(of secret: Secret) -> Data {
        let key = state.withLock(\.current.digestKey)
        return Data(HMAC<SHA256>.authenticationCode(for: Data(secret.value.utf8), using: key).prefix(16))
    }

    /// The cipher gave no combined form, which it always does for 96-bit nonces.
    struct SealFailure: Error {}
}

extension Secret {
    /// The sealed form as base64 text.
    func sealedText(_ key: MasterKey, place: String) throws -> String {
        try key.seal(self, place: place).base64EncodedString()
    }

    init(sealedText: String, _ key: MasterKey, place: String) throws {
        guard let sealed = Data(base64Encoded: sealedText) else { throw MasterKey.SealFailure() }
        self = try key.open(sealed, place: place)
    }
}
