import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// The folder in which one gateway keeps everything, locked while it runs.
package final class DataDirectory: Sendable {
    package let path: String
    private let lock: Int32

    /// Makes the folder if it is missing and takes its lock.
    ///
    /// - Throws: `StartFailure` when another gateway holds it.
    package init(path: String) throws {
        self.path = path
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw SystemError("cannot create \(path)") }
        let file = path + "/fastgate.lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw SystemError("cannot open \(file)") }
        let code = clinux_lock_file(descriptor)
        guard code == 0 else {
            // A pid that cannot be read leaves the rest of the message true.
            let holder = (try? TextFile.read(file))?.trimmingLineEnd() ?? ""
            close(descriptor)
            guard code == EWOULDBLOCK else { throw SystemError("cannot lock \(file)", code: code) }
            let message = "a gateway already runs on \(path) (pid \(holder)); attach with: fastgate console"
            throw StartFailure(message)
        }
        lock = descriptor
        let pid = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, pid, pid.count, 0) == pid.count else {
            throw SystemError("cannot write \(file)")
        }
    }

    deinit {
        close(lock)
    }

    var configurationDatabase: String { path + "/config.db" }
    /// Says that this folder has been used: a database missing after that is a loss, not a first start.
    var marker: String { path + "/.initialized" }
    package var masterKeyFile: String { path + "/master.key" }
    package var adminTokenFile: String { path + "/admin.token" }
    package var socket: String { path + "/fastgate.sock" }
    var telemetryDatabase: String { path + "/telemetry.db" }
    var notificationsDatabase: String { path + "/notifications.db" }
    /// What rate limits have counted; no database, since it is mapped into memory.
    var limitsFile: String { path + "/limits.counts" }
    var journalFolder: String { path + "/journal" }
    var auditFolder: String { path + "/audit" }

    /// What SQLite writes for a moment stays where everything else is, and not where others may look.
    func holdTemporaryFiles() {
        setenv("SQLITE_TMPDIR", path, 0)
    }

    /// Makes a folder inside, readable by its owner and group only.
    func makeFolder(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw SystemError("cannot create \(path)") }
    }

    static func size(of file: String) -> Int? {
        var status = stat()
        return stat(file, &status) == 0 ? Int(status.st_size) : nil
    }
}

/// Why the gateway does not start, in one line that says what to do.
package struct StartFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ message: String) {
        description = message
    }
}
