import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a backup's first file says of it.
struct BackupManifest: Codable {
    static let name = "backup.json"
    static let form = 1

    var form: Int
    var version: String
    var createdAt: Timestamp
    var host: String
    /// Whether the log is in it.
    var log: Bool
}

/// Which files a backup holds, and where they stand in a data directory.
enum BackupContents {
    static let configuration = "config.db"
    static let telemetry = "telemetry.db"
    static let notifications = "notifications.db"
    static let counts = "limits.counts"
    static let auditFolder = "audit"
    /// The last file: the sums of all others, as `sha256sum --check` reads them.
    static let sums = "SHA256SUMS"

    /// The time as a name can hold it.
    static func stamp() -> String {
        Timestamp(microseconds: WallClock.now().seconds * 1_000_000).description.replacing(":", with: "-")
    }

    static let databases = [configuration, telemetry, notifications]

    /// Whether a file may be in a backup; anything else is not ours, and none may lead out of the folder.
    static func holds(_ name: String) -> Bool {
        if (databases + [counts]).contains(name) { return true }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == auditFolder, let file = AuditFile.parse(String(parts[1])) else {
            return false
        }
        return parts[1] == "\(file.kind.rawValue)-\(file.firstID).db"
    }
}
