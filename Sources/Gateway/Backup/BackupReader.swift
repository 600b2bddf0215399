import Crypto
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#endif

/// Unpacks a backup into a folder, and believes nothing that its sums do not say.
final class BackupReader {
    private static let pieceSize = 256 << 10
    /// Of files that are kept in memory.
    private static let smallFile = 4 << 20

    private let descriptor: Int32
    private let path: String
    private let folder: String
    private var found: [String: String] = [:]
    private(set) var manifest: BackupManifest?

    init(path: String, into folder: String) throws(SystemError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("cannot open \(path)") }
        (self.path, self.folder) = (path, folder)
    }

    deinit { close(descriptor) }

    /// - Returns: the names of the files that stand in the folder now.
    func unpack() throws -> [String] {
        do {
            while let header = try TarHeader(try read(TarHeader.size)[...]) {
                if header.name == BackupContents.sums {
                    try check(String(decoding: try readWhole(header), as: UTF8.self))
                    return found.keys.filter { $0 != BackupManifest.name }.sorted()
                }
                try take(header)
            }
        } catch let fault as TarHeader.Fault {
            switch fault {
            case .damaged: throw StartFailure("\(path) is not a backup of fastgate, or is damaged")
            case .notAFile(let name): throw Self.foreign(name, path)
            }
        }
        throw StartFailure("\(path) is not whole: its end is missing")
    }

    private static func foreign(_ name: String, _ path: String) -> StartFailure {
        StartFailure(
            "\(path) holds “\(name.prefix(80))”, which no backup of fastgate does; nothing was changed"
        )
    }

    private func take(_ header: TarHeader) throws {
        guard found[header.name] == nil else { throw Self.foreign(header.name, path) }
        if header.name == BackupManifest.name {
            let bytes = try readWhole(header)
            // What cannot be read is not ours, or not of this version.
            let read = try? JSONForm.value(BackupManifest.self, from: Data(bytes))
            guard let read, read.form == BackupManifest.form else {
                throw StartFailure(
                    "\(path) was made by another version of fastgate; restore it with that one"
                )
            }
            manifest = read
            found[header.name] = Hexadecimal.text(SHA256.hash(data: bytes))
            return
        }
        guard manifest != nil, BackupContents.holds(header.name) else {
            throw Self.foreign(header.name, path)
        }
        found[header.name] = try write(header)
    }

    /// - Returns: the sum of what was written.
    private func write(_ header: TarHeader) throws -> String {
        let file = folder + "/" + header.name
        let target = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard target >= 0 else { throw SystemError("cannot create \(file)") }
        defer { close(target) }
        var (digest, left) = (SHA256(), header.count)
        while left > 0 {
            let piece = try read(min(left, Self.pieceSize))
            digest.update(data: piece)
            var rest = piece[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(target, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw SystemError("cannot write \(file)") }
                rest = rest.dropFirst(count)
            }
            left -= piece.count
        }
        guard fsync(target) == 0 else { throw SystemError("cannot write \(file)") }
        _ = try read(TarHeader.padding(after: header.count))
        return Hexadecimal.text(digest.finalize())
    }

    private func readWhole(_ header: TarHeader) throws -> [UInt8] {
        guard header.count <= Self.smallFile else { throw Self.foreign(header.name, path) }
        let bytes = try read(header.count)
        _ = try read(TarHeader.padding(after: header.count))
        return bytes
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let more = bytes.withUnsafeMutableBytes { bytes in
                Glibc.read(descriptor, bytes.baseAddress?.advanced(by: filled), count - filled)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw SystemError("cannot read \(path)") }
            guard more > 0 else { throw StartFailure("\(path) is not whole: its end is missing") }
            filled += more
        }
        return bytes
    }

    private func check(_ sums: String) throws {
        let lines = sums.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            return parts.count == 2 ? (parts[1].drop { $0 == " " }.description, String(parts[0])) : nil
        }
        let wanted = Dictionary(lines) { first, _ in first }
        for (name, sum) in found.sorted(by: { $0.key < $1.key }) where wanted[name] != sum {
            throw StartFailure("\(path) is damaged: \(name) is not what was backed up")
        }
        guard wanted.count == found.count, found[BackupContents.configuration] != nil else {
            throw StartFailure("\(path) is not whole: files are missing in it")
        }
    }
}
