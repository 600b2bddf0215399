#if canImport(Glibc)
import Glibc
#endif

/// A failed system call, in the system's words.
package struct SystemError: Error, CustomStringConvertible, Equatable {
    package let code: Int32
    package let action: String

    package init(_ action: String, code: Int32 = errno) {
        self.action = action
        self.code = code
    }

    package var reason: String { String(cString: strerror(code)) }
    package var description: String { "\(action): \(reason)" }
}

/// Small whole files: configuration, keys, tokens.
package enum TextFile {
    /// Larger files are refused; nothing that is read this way is ever this large.
    static let sizeLimit = 16 << 20

    package static func read(_ path: String) throws(SystemError) -> String {
        String(decoding: try readBytes(path), as: UTF8.self)
    }

    static func readBytes(_ path: String) throws(SystemError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("cannot open \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("cannot read \(path)") }
            if count == 0 { return bytes }
            bytes += chunk[0..<count]
            guard bytes.count <= sizeLimit else { throw SystemError("cannot read \(path)", code: EFBIG) }
        }
    }

    /// Makes a new file that only its owner can read; an existing one is left alone and reported.
    static func createPrivate(_ path: String, _ text: String) throws(SystemError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("cannot create \(path)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw SystemError("cannot write \(path)")
        }
    }

    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }
}

extension String {
    func trimmingLineEnd() -> String {
        var text = self[...]
        while let last = text.last, last.isNewline {
            text = text.dropLast()
        }
        return String(text)
    }
}
