#if canImport(Glibc)
import Glibc
#endif

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
        return try read(file)
    }

    static func read(_ file: String) throws -> MasterKey {
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

/// The file of the master key while one key takes the place of another.
///
/// The next key stands beside the present one, on disk, before anything is sealed by it. Whichever of the two opens the
/// database at a start is the master key: a rotation that was cut off has either happened or not.
struct MasterKeyFile {
    let path: String

    var next: String { path + ".next" }
    /// Keys of before, for backups from their times, newest first; each has the time at which another took its place.
    var previous: [String] {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return Folder.names(in: folder).filter { $0.hasPrefix(name + ".before-") }.sorted(by: >).map {
            folder + "/" + $0
        }
    }
    /// The present key while it is about to become a previous one.
    private var old: String { path + ".old" }

    /// Puts the next key on disk, and a copy of the present one.
    func prepare(_ text: String) throws {
        abandon()
        try TextFile.createPrivate(old, try TextFile.read(path))
        try TextFile.createPrivate(next, text + "\n")
        Folder.synchronize(holding: path)
    }

    /// Makes the next key the present one.
    ///
    /// The copy has its name already where a commit was cut off.
    func commit() throws(SystemError) {
        let previous = "\(path).before-\(BackupContents.stamp())"
        guard rename(old, previous) == 0 || errno == ENOENT else {
            throw SystemError("cannot keep \(previous)")
        }
        guard rename(next, path) == 0 else { throw SystemError("cannot replace \(path)") }
        Folder.synchronize(holding: path)
    }

    /// To be called only where the next key has sealed nothing.
    func abandon() {
        unlink(next)
        unlink(old)
    }

    /// Ends a rotation that was cut off; `opens` says whether a key is the one that the database is sealed with.
    func recover(opens: (MasterKey) throws -> Bool) throws {
        guard TextFile.exists(next) else { return }
        // One that cannot be read opens nothing, and the start says what is wrong with it.
        if let present = try? MasterKeySource.read(path), try opens(present) { return abandon() }
        if try opens(try MasterKeySource.read(next)) { try commit() }
    }
}
