import GRDB
import Logging
import Operations
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The audit's files: which one is written, which ones are read, and which ones are dropped.
final class AuditFiles: Sendable {
    /// A new file is begun when the current one is this large or this old, whichever comes first.
    private static let rowsFileSize = 256 << 20
    private static let bodiesFileSize = 512 << 20
    /// Only whole files can be dropped, so none may take more than this share of `audit.max_disk`.
    private static let shareOfDisk = 8
    private static let smallestFile = 1 << 20
    static let rowsFileAge = 86_400 * 1_000_000
    static let bodiesFileAge = 6 * 3600 * 1_000_000

    private let folder: String
    private let settings: Configuration.Audit
    private let logger: Logger
    private let all: Mutex<[AuditFileKind: [AuditFile]]>
    /// Kinds of which another file is to be begun, however small the current one is.
    private let turning = Mutex<Set<AuditFileKind>>([])
    /// Off once nobody can wait for an answer any more: a search ends then, wherever it is.
    let searches = QueryBound.Switch()
    /// While files are written anew, which makes them look twice as large: no reason to drop any.
    private let isHeld = Atomic(false)

    /// Opens what is there; a damaged file is set aside, so that it costs its own records only.
    init(folder: String, settings: Configuration.Audit, logger: Logger) throws {
        self.folder = folder
        self.settings = settings
        self.logger = logger
        var found: [AuditFileKind: [AuditFile]] = [:]
        for name in Folder.names(in: folder) {
            guard let (kind, id) = AuditFile.parse(name) else { continue }
            do {
                found[kind, default: []].append(try AuditFile(kind: kind, firstID: id, folder: folder))
            } catch {
                Self.setAside("\(folder)/\(name)", error, logger)
            }
        }
        for kind in AuditFileKind.allCases {
            found[kind]?.sort { $0.firstID < $1.firstID }
        }
        all = Mutex(found)
    }

    private static func setAside(_ path: String, _ error: any Error, _ logger: Logger) {
        let aside = "\(path).damaged-\(WallClock.now().seconds)"
        rename(path, aside)
        logger.error(
            "a damaged audit file was set aside; its records are missing from the log",
            metadata: ["file": "\(aside)", "error": "\(error)"]
        )
    }

    /// Reads through the files of earlier runs and sets the damaged ones aside; a new one is begun in their place.
    func verify() async {
        for file in AuditFileKind.allCases.flatMap(files) {
            do {
                if try await file.isSound() { continue }
                throw DatabaseError(resultCode: .SQLITE_CORRUPT)
            } catch is CancellationError {
                return
            } catch {
                let isDamaged = (error as? DatabaseError).map {
                    [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains($0.resultCode)
                }
                // Retention may have dropped it meanwhile, and a system short of memory says nothing of the file.
                let wasThere = all.withLock { all in
                    let index = all[file.kind]?.firstIndex { $0 === file }
                    if let index, isDamaged == true { all[file.kind]?.remove(at: index) }
                    return index != nil
                }
                guard wasThere else { continue }
                if isDamaged == true {
                    Self.setAside(file.path, error, logger)
                } else {
                    let metadata: Logger.Metadata = ["file": "\(file.path)", "error": "\(error)"]
                    logger.warning("an audit file could not be read through", metadata: metadata)
                }
            }
        }
    }

    /// Oldest first.
    func files(_ kind: AuditFileKind) -> [AuditFile] {
        all.withLock { $0[kind] ?? [] }
    }

    /// The file to write into; a new one is begun when the current one is full, old or missing.
    func current(_ kind: AuditFileKind, nextID: Int) throws -> AuditFile {
        let share = max(Self.smallestFile, settings.maxDisk.bytes / Self.shareOfDisk)
        let sizeLimit = min(share, kind == .rows ? Self.rowsFileSize : Self.bodiesFileSize)
        let ageLimit = kind == .rows ? Self.rowsFileAge : Self.bodiesFileAge
        let isTurning = turning.withLock { $0.contains(kind) }
        if !isTurning, let last = files(kind).last, last.size < sizeLimit, nextID - last.firstID < ageLimit {
            return last
        }
        let file = try AuditFile(kind: kind, firstID: nextID, folder: folder)
        all.withLock { $0[kind, default: []].append(file) }
        turning.withLock { _ = $0.remove(kind) }
        return file
    }

    /// Does something during which retention drops nothing.
    func holdingRetention<Value>(_ work: () throws -> Value) rethrows -> Value {
        isHeld.store(true, ordering: .releasing)
        defer { isHeld.store(false, ordering: .releasing) }
        return try work()
    }

    /// Whether the writer has begun the files that it was to begin; it does not while the audit is off.
    var hasTurned: Bool { turning.withLock(\.isEmpty) }

    /// Has the writer begin another file of each kind with its next batch.
    func turnOver() {
        turning.withLock { $0 = Set(AuditFileKind.allCases) }
    }

    /// The file of an id's time, and the ones after it, where a long exchange has ended.
    func candidates(_ kind: AuditFileKind, holding id: Int) -> [AuditFile] {
        let all = files(kind)
        let first = all.lastIndex { $0.firstID <= id } ?? 0
        return Array(all.dropFirst(first))
    }

    func close() throws {
        for file in AuditFileKind.allCases.flatMap(files) {
            try file.database.close()
        }
    }

    var size: Int {
        AuditFileKind.allCases.reduce(0) { sum, kind in files(kind).reduce(sum) { $0 + $1.size } }
    }

    /// The highest id that is stored.
    func lastID() throws -> Int {
        guard let file = files(.rows).last else { return 0 }
        return try file.database.read { try Int.fetchOne($0, sql: "SELECT max(id) FROM exchanges") } ?? 0
    }

    // MARK: Retention

    /// Unlinks whole files: in SQLite, deleting rows of a full disk fails like everything else.
    ///
    /// - Returns: the names of what was dropped.
    func drop(now: Int) -> [String] {
        guard !isHeld.load(ordering: .acquiring) else { return [] }
        var dropped: [String] = []
        let ages = [(AuditFileKind.rows, settings.retainRows), (.bodies, settings.retainBodies)]
        for (kind, age) in ages {
            let oldest = now - age.milliseconds * 1000
            // A file ends where the next one begins, so the current one is never too old.
            while let next = files(kind).dropFirst().first, next.firstID < oldest {
                dropped += removeOldest(kind)
            }
        }
        for kind in [AuditFileKind.bodies, .rows] {
            while size > settings.maxDisk.bytes, files(kind).count > 1 {
                dropped += removeOldest(kind)
            }
        }
        return dropped
    }

    /// Frees space when there is none left: the oldest bodies, then the oldest rows.
    func dropOldest() -> [String] {
        for kind in [AuditFileKind.bodies, .rows] where files(kind).count > 1 {
            return removeOldest(kind)
        }
        return []
    }

    private func removeOldest(_ kind: AuditFileKind) -> [String] {
        let file = all.withLock { state -> AuditFile? in
            guard let list = state[kind], list.count > 1 else { return nil }
            return state[kind]?.removeFirst()
        }
        guard let file else { return [] }
        for suffix in ["", "-wal", "-shm"] {
            unlink(file.path + suffix)
        }
        return [file.path]
    }
}
