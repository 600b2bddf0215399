import Operations

#if canImport(Glibc)
import Glibc
#endif

/// A new file on the console's machine, which has its name only once it is whole.
struct BackupFile: ~Copyable {
    private let path: String
    private let descriptor: Int32
    private(set) var count = 0
    private let part: String

    /// - Throws: `OperationsError` for a file that is there already, or cannot be made.
    init(_ path: String) throws(OperationsError) {
        guard access(path, F_OK) != 0 else {
            throw OperationsError(.conflict, "\(path) exists", parameter: "path")
        }
        // A name of its own: two may be made at once.
        let part = "\(path).\(getpid())-\(UInt32.random(in: .min ... .max)).part"
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.refusal(part) }
        (self.path, self.part, self.descriptor) = (path, part, descriptor)
    }

    deinit {
        close(descriptor)
        // A whole one has another name by now.
        unlink(part)
    }

    mutating func write(_ piece: [UInt8]) throws(OperationsError) {
        var rest = piece[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 || written < 0 && errno == EINTR else { throw Self.refusal(part) }
            rest = rest.dropFirst(max(0, written))
        }
        count += piece.count
    }

    /// - Returns: how many bytes it has.
    func finish() throws(OperationsError) -> Int {
        guard access(path, F_OK) != 0 else {
            throw OperationsError(.conflict, "\(path) exists", parameter: "path")
        }
        guard fsync(descriptor) == 0, rename(part, path) == 0 else { throw Self.refusal(path) }
        return count
    }

    private static func refusal(_ path: String) -> OperationsError {
        OperationsError(.invalid, "\(path): \(String(cString: strerror(errno)))", parameter: "path")
    }
}

extension PortFeed {
    /// Fetches a backup into a file, and tells how far it has got.
    func backUp(_ path: String, log: Bool) async {
        do {
            var file = try BackupFile(path)
            var told = 0
            for try await piece in try await port.backup(log: log, by: user) {
                try file.write(piece)
                guard file.count - told >= 16 << 20 else { continue }
                told = file.count
                mailbox.post(.backingUp(told))
            }
            mailbox.post(.backedUp(path: path, log: log, .success(try file.finish())))
        } catch {
            // What is not ours comes of the connection: an answer without its end.
            let brokenOff = OperationsError(.unavailable, "the backup broke off; the gateway's log says why")
            mailbox.post(.backedUp(path: path, log: log, .failure(error as? OperationsError ?? brokenOff)))
        }
    }
}
