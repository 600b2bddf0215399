import Crypto
package import Logging

/// The token of the operators' TCP port: made on the first start, in a file that only its owner can read.
package enum AdminToken {
    /// The file's token; `FASTGATE_ADMIN_TOKEN` is looked at by whoever calls this.
    package static func load(_ file: String, _ logger: Logger) throws -> String {
        if !TextFile.exists(file) {
            let token = "fga_" + SymmetricKey(size: .bits256).withUnsafeBytes { Base64URL.encode($0) }
            try TextFile.createPrivate(file, token + "\n")
            logger.notice("made a token for the operators' port", metadata: ["file": "\(file)"])
        }
        let token = try TextFile.read(file).trimmingLineEnd()
        guard token.utf8.count >= 20 else {
            throw StartFailure("\(file) holds no token; remove it, and the next start makes a new one")
        }
        return token
    }
}
