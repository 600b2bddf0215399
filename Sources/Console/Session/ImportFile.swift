import Operations

#if canImport(Glibc)
import Glibc
#endif

/// A file of keys on the console's machine, read piece by piece.
enum ImportFile {
    private static let pieceSize = 256 << 10

    /// - Throws: `OperationsError` for a file that cannot be read.
    static func stream(_ path: String, progress: @escaping @Sendable (Int, Int) -> Void) throws -> ByteStream
    {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw refusal(path) }
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        guard isFile else {
            close(descriptor)
            throw OperationsError(.invalid, "\(path) is no file", parameter: "path")
        }
        let size = Int(status.st_size)
        let place = Place(descriptor, size: size)
        return ByteStream {
            guard let piece = try place.next(path) else { return nil }
            progress(place.count, size)
            return piece
        }
    }

    private static func refusal(_ path: String) -> OperationsError {
        OperationsError(.invalid, "\(path): \(String(cString: strerror(errno)))", parameter: "path")
    }

    /// Where the reading has got to.
    ///
    /// `@unchecked`: a stream asks for the next piece only once it has the one before.
    private final class Place: @unchecked Sendable {
        private let descriptor: Int32
        private let size: Int
        private(set) var count = 0

        init(_ descriptor: Int32, size: Int) {
            self.descriptor = descriptor
            self.size = size
        }

        deinit { close(descriptor) }

        func next(_ path: String) throws -> [UInt8]? {
            var found = 0
            let piece = [UInt8](unsafeUninitializedCapacity: ImportFile.pieceSize) { buffer, count in
                repeat {
                    found = read(descriptor, buffer.baseAddress, buffer.count)
                } while found < 0 && errno == EINTR
                count = max(0, found)
            }
            guard found >= 0 else { throw ImportFile.refusal(path) }
            count += found
            if found == 0, count < size {
                throw OperationsError(.invalid, "\(path) has become shorter", parameter: "path")
            }
            return found == 0 ? nil : piece
        }
    }
}

extension PortFeed {
    /// Sends a file, and tells how far it has got.
    func importKeys(_ path: String, _ options: ImportOptions) async {
        let mailbox = mailbox
        do {
            let file = try ImportFile.stream(path) {
                mailbox.post(.importing(count: $0, total: $1, unit: "bytes read"))
            }
            var sent = options
            sent.isAsync = true
            var job = try await port.importUpstreamKeys(file, sent, by: user)
            while !job.isOver {
                mailbox.post(.importing(count: job.written, total: job.rows, unit: "rows written"))
                try await Task.sleep(for: .milliseconds(200))
                job = try await port.batchJob(job.id, by: user)
            }
            guard let result = job.result else {
                throw OperationsError(.internalError, job.error ?? "the import has failed")
            }
            mailbox.post(.imported(path: path, options, .success(result)))
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            mailbox.post(.imported(path: path, options, .failure(refusal)))
        }
    }
}
