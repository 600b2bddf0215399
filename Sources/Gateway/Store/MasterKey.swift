import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#endif

/// Seals upstream key values with AES-256-GCM under the operator's master key.
struct MasterKey: Sendable {
    private let key: SymmetricKey
    private let digestKey: SymmetricKey

    /// `base64` is 32 bytes.
    init?(base64: String) {
        guard let bytes = Data(base64Encoded: base64), bytes.count == 32 else { return nil }
        key = SymmetricKey(data: bytes)
        digestKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key,
            info: Data("fastgate digests of upstream keys".utf8),
            outputByteCount: 32
        )
    }

    static func generateText() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    /// Nonce, ciphertext and tag; `place` binds them to one row, so that values cannot be moved between rows.
    func seal(_ secret: Secret, place: String) throws -> Data {
        let box = try AES.GCM.seal(Data(secret.value.utf8), using: key, authenticating: Data(place.utf8))
        guard let combined = box.combined else { throw SealFailure() }
        return combined
    }

    func open(_ sealed: Data, place: String) throws -> Secret {
        let box = try AES.GCM.SealedBox(combined: sealed)
        let bytes = try AES.GCM.open(box, using: key, authenticating: Data(place.utf8))
        return Secret(String(decoding: bytes, as: UTF8.self))
    }

    /// Tells equal secrets by: worthless without the key, and another one for another key.
    func digest(of secret: Secret) -> Data {
        let code = HMAC<SHA256>.authenticationCode(for: Data(secret.value.utf8), using: digestKey)
        return Data(code.prefix(16))
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

/// Finds the master key, or makes one on the very first start.
enum MasterKeySource {
    /// `mayCreate`: true only while nothing has ever been sealed.
    static func load(environment: String?, file: String, mayCreate: Bool) throws -> MasterKey {
        if let environment {
            guard let key = MasterKey(base64: environment) else {
                throw StartFailure("FASTGATE_MASTER_KEY is not 32 bytes in base64")
            }
            return key
        }
        if !TextFile.exists(file) {
            guard mayCreate else {
                throw StartFailure(
                    "the master key is missing: restore \(file) or set FASTGATE_MASTER_KEY; nothing was changed"
                )
            }
            try TextFile.createPrivate(file, MasterKey.generateText() + "\n")
        }
        try checkMode(of: file)
        guard let key = MasterKey(base64: try TextFile.read(file).trimmingLineEnd()) else {
            throw StartFailure("\(file) does not hold 32 bytes in base64; restore it from a backup")
        }
        return key
    }

    private static func checkMode(of file: String) throws {
        var status = stat()
        guard stat(file, &status) == 0 else { throw SystemError("cannot read \(file)") }
        guard status.st_mode & 0o077 == 0 else {
            throw StartFailure("\(file) can be read by others; run: chmod 600 \(file)")
        }
    }
}
