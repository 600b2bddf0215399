import CLinux
import GRDB
import GRDBSQLite

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Lets a query over rows look into the bodies, which stand in other files.
enum BodySearch {
    static func add(to db: Database, files: AuditFiles) {
        db.add(
            function: DatabaseFunction("body_contains", argumentCount: 2, pure: true) { values in
                guard let text = String.fromDatabaseValue(values[1]) else { return false }
                let needle = Array(text.utf8)
                return try any(values[0], files) { ByteSearch.firstIndex(of: needle, in: $0, from: 0) != nil }
            }
        )
        db.add(
            function: DatabaseFunction("body_matches", argumentCount: 2, pure: true) { values in
                guard let pattern = String.fromDatabaseValue(values[1]) else { return false }
                let regex = try LogPattern.compiled(pattern)
                return try any(values[0], files, regex.occurs)
            }
        )
    }

    private static func any(
        _ id: DatabaseValue,
        _ files: AuditFiles,
        _ test: (UnsafeRawBufferPointer) -> Bool
    ) throws -> Bool {
        guard let id = Int.fromDatabaseValue(id) else { return false }
        for file in files.candidates(.bodies, holding: id) {
            let row = try file.database.read { db in
                try Row.fetchOne(
                    db,
                    sql: "SELECT request_body, response_body FROM bodies WHERE id = ?",
                    arguments: [id]
                )
            }
            guard let row else { continue }
            let bodies = [row["request_body"] as Data?, row["response_body"] as Data?]
            return bodies.contains { $0?.withUnsafeBytes(test) == true }
        }
        return false
    }
}
