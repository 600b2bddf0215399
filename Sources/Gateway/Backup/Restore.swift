import GRDB
package import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Puts a backup into the data directory of a gateway that does not run.
package struct Restore {
    /// What is there now.
    package struct Outcome {
        package let files: Int
        package let createdAt: Timestamp
        package let version: String
        /// Whether the log was in the backup.
        package let hasLog: Bool
        /// Where what was there before stands now; nil when there was nothing.
        package let before: String?
        /// Where the master key has to be put before a start; nil when it is there.
        package let missingMasterKey: String?
    }

    private static let folder = "restore.tmp"

    private let directory: DataDirectory
    private let masterKeyFile: MasterKeyFile?
    private let environmentKey: String?

    /// - Throws: `StartFailure` when a gateway runs on the directory.
    package init(_ options: GatewayOptions) throws {
        directory = try DataDirectory(path: options.dataPath ?? options.configuration.storage.path)
        environmentKey = options.environment["FASTGATE_MASTER_KEY"]
        masterKeyFile = options.masterKeyFile(directory)
    }

    /// Looks at everything before it changes anything; `mayReplace` says whether what is there may be moved aside.
    ///
    /// What it throws is a `StartFailure` or a `SystemError`; the directory is as it was then.
    package func run(from backup: String, mayReplace: Bool) throws -> Outcome {
        let isUsed = TextFile.exists(directory.marker) || TextFile.exists(directory.configurationDatabase)
        guard !isUsed || mayReplace else {
            throw StartFailure(
                "\(directory.path) holds the data of a gateway; --replace moves it aside and restores the backup"
            )
        }
        try endRotation()
        let staging = directory.path + "/" + Self.folder
        Folder.remove(staging)
        defer { Folder.remove(staging) }
        try directory.makeFolder(staging)
        try directory.makeFolder(staging + "/" + BackupContents.auditFolder)
        let reader = try BackupReader(path: backup, into: staging)
        let files = try reader.unpack()
        guard let manifest = reader.manifest else {
            throw StartFailure("\(backup) is not a backup of fastgate")
        }
        let missingKey = try check(staging)
        var moves = Moves()
        let before: String?
        do {
            before = isUsed ? try moveAside(&moves) : nil
            try moveIn(files, from: staging, &moves)
        } catch {
            moves.takeBack()
            throw error
        }
        return Outcome(
            files: files.count,
            createdAt: manifest.createdAt,
            version: manifest.version,
            hasLog: manifest.log,
            before: before,
            missingMasterKey: missingKey
        )
    }

    /// A rotation that a crash has cut off belongs to what is there now: afterwards nobody could tell how it ended.
    private func endRotation() throws {
        guard let masterKeyFile, TextFile.exists(masterKeyFile.next),
            TextFile.exists(directory.configurationDatabase)
        else { return }
        let store = try Store.inspect(directory.configurationDatabase)
        defer { try? store.database.close() }  // Nothing was written to it.
        try masterKeyFile.recover { try store.isSealed(by: $0) }
    }

    /// - Returns: where the master key has to be put; nil when the one that opens the backup is there.
    private func check(_ staging: String) throws -> String? {
        let store = try Store.inspect(staging + "/" + BackupContents.configuration)
        defer { try? store.database.close() }  // It is opened anew, or removed.
        if let environmentKey {
            guard let key = MasterKey(base64: environmentKey), try store.isSealed(by: key) else {
                throw StartFailure(
                    "FASTGATE_MASTER_KEY is not the master key of this backup; nothing was changed"
                )
            }
            return nil
        }
        guard let file = masterKeyFile else { return nil }
        guard TextFile.exists(file.path) else { return file.path }
        if try store.isSealed(by: try MasterKeySource.read(file.path)) { return nil }
        // It may be from before the last rotation; one that cannot be read is not the one.
        if let previous = try? MasterKeySource.read(file.previous), try store.isSealed(by: previous) {
            throw StartFailure(
                "this backup is from before the master key was rotated: put \(file.previous) in the place of \(file.path) "
                    + "first; nothing was changed"
            )
        }
        throw StartFailure(
            "\(file.path) is not the master key of this backup: put that one in its place; nothing was changed"
        )
    }

    /// Everything that a backup may hold, and the journal, whose records belong to what goes.
    private func moveAside(_ moves: inout Moves) throws -> String {
        let aside = directory.path + "/before-restore-\(WallClock.now().seconds)"
        try directory.makeFolder(aside)
        moves.made.append(aside)
        let databases = BackupContents.databases.flatMap { [$0, $0 + "-wal", $0 + "-shm"] }
        for name in databases + [BackupContents.counts, BackupContents.auditFolder, "journal"] {
            try moves.move(name, from: directory.path, to: aside)
        }
        return aside
    }

    /// The configuration comes last: a start in between says that it is missing.
    private func moveIn(_ files: [String], from staging: String, _ moves: inout Moves) throws {
        if !TextFile.exists(directory.marker) { try TextFile.createPrivate(directory.marker, "1\n") }
        let others = files.filter { $0 != BackupContents.configuration && !$0.contains("/") }
        for name in [BackupContents.auditFolder] + others + [BackupContents.configuration] {
            try moves.move(name, from: staging, to: directory.path)
        }
        Folder.synchronize(holding: directory.configurationDatabase)
    }
}

/// What was moved, so that it can be moved back.
private struct Moves {
    /// Folders that were made for it.
    var made: [String] = []
    private var done: [(from: String, to: String)] = []

    /// What is not there is passed over.
    mutating func move(_ name: String, from: String, to: String) throws(SystemError) {
        let (source, target) = ("\(from)/\(name)", "\(to)/\(name)")
        guard rename(source, target) != 0 else {
            done.append((source, target))
            return
        }
        guard errno != ENOENT else { return }
        // A file system that is mounted there cannot be moved.
        throw SystemError("cannot move \(source) to \(target)")
    }

    func takeBack() {
        for move in done.reversed() { rename(move.to, move.from) }
        for folder in made { rmdir(folder) }
    }
}
