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
        package let data: String
        /// The file whose master key is the gateway's now; nil where the one that was there is.
        package let takenMasterKey: String?
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
    package func run(from backup: String, mayReplace: Bool, keyFile: String?) throws -> Outcome {
        guard TextFile.exists(backup) else { throw SystemError("cannot open \(backup)", code: ENOENT) }
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
        let keys = try plan(staging, keyFile: keyFile)
        var moves = Moves()
        let before: String?
        do {
            before = isUsed ? try moveAside(&moves) : nil
            if case .take(let source) = keys { try takeKey(source, aside: before, &moves) }
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
            data: directory.path,
            takenMasterKey: keys.taken,
            missingMasterKey: keys.missing
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

    /// What is to become of the master key's file.
    private enum KeyPlan {
        /// The one that is there opens the backup, or the environment's does.
        case stay
        /// One of another file takes its place.
        case take(String)
        /// There is none; it has to be put there.
        case isMissing(String)

        var taken: String? { if case .take(let file) = self { file } else { nil } }
        var missing: String? { if case .isMissing(let file) = self { file } else { nil } }
    }

    private func plan(_ staging: String, keyFile: String?) throws -> KeyPlan {
        let store = try Store.inspect(staging + "/" + BackupContents.configuration)
        defer { try? store.database.close() }  // It is opened anew, or removed.
        if let environmentKey {
            guard let key = MasterKey(base64: environmentKey) else {
                throw StartFailure("FASTGATE_MASTER_KEY is not 32 bytes in base64; nothing was changed")
            }
            guard try store.isSealed(by: key) else {
                throw StartFailure(
                    "FASTGATE_MASTER_KEY is not the master key of this backup; nothing was changed"
                )
            }
            return .stay
        }
        guard let file = masterKeyFile else { return .stay }
        if let keyFile {
            guard try store.isSealed(by: try MasterKeySource.read(keyFile)) else {
                throw StartFailure("\(keyFile) is not the master key of this backup; nothing was changed")
            }
            return .take(keyFile)
        }
        let isThere = TextFile.exists(file.path)
        if isThere, try store.isSealed(by: try MasterKeySource.read(file.path)) { return .stay }
        for previous in file.previous {
            // One that cannot be read is not the one.
            if let key = try? MasterKeySource.read(previous), try store.isSealed(by: key) {
                return .take(previous)
            }
        }
        guard isThere else { return .isMissing(file.path) }
        throw StartFailure(
            "\(file.path) is not the master key of this backup: name the one of its time with --key-file; nothing was changed"
        )
    }

    /// Puts the master key of the backup's time into its place; the one that was there goes aside with its data.
    private func takeKey(_ source: String, aside: String?, _ moves: inout Moves) throws {
        guard let file = masterKeyFile else { return }
        let text = try TextFile.read(source)
        if TextFile.exists(file.path) {
            guard let aside else { throw StartFailure("\(file.path) is in the way; nothing was changed") }
            try moves.move(file.path, to: aside + "/master.key")
        }
        try TextFile.createPrivate(file.path, text)
        moves.written.append(file.path)
    }

    /// Everything that a backup may hold, and the journal, whose records belong to what goes.
    private func moveAside(_ moves: inout Moves) throws -> String {
        let aside = directory.path + "/before-restore-" + BackupContents.stamp()
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
        if !TextFile.exists(directory.marker) {
            try TextFile.createPrivate(directory.marker, "1\n")
            moves.written.append(directory.marker)
        }
        let others = files.filter { $0 != BackupContents.configuration && !$0.contains("/") }
        for name in [BackupContents.auditFolder] + others + [BackupContents.configuration] {
            try moves.move(name, from: staging, to: directory.path)
        }
        Folder.synchronize(holding: directory.configurationDatabase)
    }
}

/// What was moved, so that it can be moved back.
private struct Moves {
    /// Folders and files that were made for it.
    var made: [String] = []
    var written: [String] = []
    private var done: [(from: String, to: String)] = []

    /// What is not there is passed over.
    mutating func move(_ name: String, from: String, to: String) throws(SystemError) {
        try move("\(from)/\(name)", to: "\(to)/\(name)")
    }

    mutating func move(_ source: String, to target: String) throws(SystemError) {
        guard rename(source, target) != 0 else {
            done.append((source, target))
            return
        }
        guard errno != ENOENT else { return }
        // A file system that is mounted there cannot be moved.
        throw SystemError("cannot move \(source) to \(target)")
    }

    func takeBack() {
        for file in written { unlink(file) }
        for move in done.reversed() { rename(move.to, move.from) }
        for folder in made { rmdir(folder) }
    }
}
