import CLinux
import Crypto
import GRDB
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#endif

/// A backup as it is read: a tar archive, one file after the other, each as it is when its turn comes.
///
/// A database is copied page by page into a file without a name first, so that the copy is whole and nobody who writes
/// waits for a slow reader. One thread at a time.
final class BackupStream {
    /// Where a file of the backup comes from.
    enum Source {
        case bytes([UInt8])
        case file(String)
        case database(DatabasePool)
    }

    private static let pieceSize = 256 << 10

    private let folder: String
    private let time: Int
    private var rest: ArraySlice<(name: String, source: Source)>
    private var current: OpenFile?
    private var sums = ""
    private var isOver = false

    /// A file that is being read.
    private final class OpenFile {
        let name: String
        let count: Int
        let descriptor: Int32
        var left: Int
        var digest = SHA256()

        init(name: String, descriptor: Int32) throws(SystemError) {
            let size = clinux_size_of_file(descriptor)
            guard size >= 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
                throw SystemError("cannot read \(name)")
            }
            (self.name, self.descriptor, count, left) = (name, descriptor, Int(size), Int(size))
        }

        deinit { close(descriptor) }
    }

    /// `folder`: where copies may be made; `files`: in the order in which they are to stand.
    init(folder: String, files: [(name: String, source: Source)], time: Int) {
        (self.folder, self.time, rest) = (folder, time, files[...])
    }

    /// Some more bytes; nil at the end.
    func next() throws -> [UInt8]? {
        if let file = current { return try read(file) }
        guard let (name, source) = rest.popFirst() else { return end() }
        if case .bytes(let bytes) = source {
            sums += Self.line(Hexadecimal.text(SHA256.hash(data: bytes)), name)
            return whole(name, bytes)
        }
        guard let descriptor = try open(source, name) else { return [] }
        let file = try OpenFile(name: name, descriptor: descriptor)
        guard file.count <= TarHeader.largestFile else {
            throw SystemError("cannot back \(name) up", code: EFBIG)
        }
        current = file
        return TarHeader(name: name, count: file.count, time: time).bytes
    }

    private func end() -> [UInt8]? {
        guard !isOver else { return nil }
        isOver = true
        return whole(BackupContents.sums, Array(sums.utf8)) + [UInt8](repeating: 0, count: 2 * TarHeader.size)
    }

    private func whole(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
        TarHeader(name: name, count: bytes.count, time: time).bytes + bytes
            + [UInt8](repeating: 0, count: TarHeader.padding(after: bytes.count))
    }

    private func read(_ file: OpenFile) throws(SystemError) -> [UInt8] {
        var piece = [UInt8](repeating: 0, count: min(Self.pieceSize, file.left))
        var filled = 0
        while filled < piece.count {
            let count = piece.withUnsafeMutableBytes { bytes in
                Glibc.read(file.descriptor, bytes.baseAddress?.advanced(by: filled), bytes.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("cannot read \(file.name)") }
            // A file that has become shorter ends in zeros: its size has been said already.
            if count == 0 { break }
            filled += count
        }
        file.digest.update(data: piece)
        file.left -= piece.count
        guard file.left == 0 else { return piece }
        sums += Self.line(Hexadecimal.text(file.digest.finalize()), file.name)
        current = nil
        return piece + [UInt8](repeating: 0, count: TarHeader.padding(after: file.count))
    }

    /// nil for a file that is not there.
    private func open(_ source: Source, _ name: String) throws -> Int32? {
        switch source {
        case .bytes: return nil
        case .file(let path):
            let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 || errno == ENOENT else { throw SystemError("cannot open \(path)") }
            return descriptor >= 0 ? descriptor : nil
        case .database(let database): return try copy(database)
        }
    }

    private func copy(_ database: DatabasePool) throws -> Int32 {
        let path = folder + "/backup.tmp"
        let leftovers = ["", "-journal", "-wal", "-shm"].map { path + $0 }
        for leftover in leftovers { unlink(leftover) }
        defer { for leftover in leftovers { unlink(leftover) } }
        try TextFile.createPrivate(path, "")
        let copy = try DatabaseQueue(path: path)
        try database.backup(to: copy)
        try copy.close()
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("cannot open \(path)") }
        return descriptor
    }

    private static func line(_ sum: String, _ name: String) -> String { "\(sum)  \(name)\n" }
}
