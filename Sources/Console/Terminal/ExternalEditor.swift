import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// The operator's own editor on a text, while the terminal is given to it.
enum ExternalEditor {

    /// Runs `$VISUAL`, `$EDITOR` or Debian's `editor` on a file of its own.
    ///
    /// - Parameters:
    ///   - text: what the file holds at first; only the operator may read it.
    ///   - suffix: of the file, by which editors know the language.
    ///   - limit: bytes that can be taken back.
    ///   - isEnding: whether the editor has to be ended, asked ten times a second.
    /// - Returns: what the file holds then.
    static func edit(_ text: String, suffix: String, limit: Int, isEnding: () -> Bool) -> ExternalEdit {
        var template = Array("\(folder)/fastgate-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            return .failed("no file could be made in \(folder) (TMPDIR): \(reason())")
        }
        let path = String(cString: made)
        let file = "\(path)/script.\(suffix)"
        guard write(text.hasSuffix("\n") ? text : text + "\n", to: file) else {
            let reason = reason()
            remove(file, path)
            return .failed("no file could be written: \(reason)")
        }
        var process = pid_t()
        let failure = clinux_spawn_editor(file, &process)
        guard failure == 0 else {
            remove(file, path)
            return .failed("no editor could be started: \(String(cString: strerror(failure)))")
        }
        let status = wait(for: process, isEnding)
        clinux_take_terminal_back()
        guard status != 127 else {
            remove(file, path)
            return .failed("there is no editor: set EDITOR, or install one")
        }
        guard let bytes = read(file, limit: limit + 1) else {
            // What was written there may be dear.
            return .failed("what the editor has written cannot be read: \(file)")
        }
        let tooLong = "a script can have \(limit) bytes; what the editor has written is kept in \(file)"
        // With the end of line that editors add, at most.
        guard bytes.count <= limit + 1 else { return .failed(tooLong) }
        guard let edited = String(validating: bytes, as: UTF8.self) else {
            return .failed("what the editor has written is not UTF-8; it is kept in \(file)")
        }
        let isEndAdded = !text.hasSuffix("\n") && edited.hasSuffix("\n")
        let taken = isEndAdded ? String(edited.dropLast()) : edited
        guard taken.utf8.count <= limit else { return .failed(tooLong) }
        remove(file, path)
        return .text(taken)
    }

    private static var folder: String {
        getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    }

    private static func reason() -> String { String(cString: strerror(errno)) }

    /// Its exit status; one that is stopped goes on, since nobody could bring it back.
    private static func wait(for process: pid_t, _ isEnding: () -> Bool) -> Int32 {
        var status: Int32 = 0
        var hasHungUp = false
        while true {
            let done = waitpid(process, &status, WNOHANG | WUNTRACED)
            if done < 0, errno != EINTR { return -1 }
            if done == process {
                // The lower seven bits: 127 for a stop, else the signal that has ended it, or none.
                guard status & 0x7F == 0x7F else { return status & 0x7F == 0 ? status >> 8 & 0xFF : -1 }
                clinux_continue_on_terminal(process)
            }
            if isEnding() {
                // Asked first, since editors keep what is not saved.
                kill(-process, hasHungUp ? SIGKILL : SIGHUP)
                hasHungUp = true
            }
            usleep(100_000)
        }
    }

    // MARK: Files

    private static func write(_ text: String, to file: String) -> Bool {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// A little more than the limit, to be known as too long.
    private static func read(_ file: String, limit: Int) -> [UInt8]? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += buffer.prefix(count)
        }
        return bytes
    }

    /// With what editors leave beside it; a folder that holds more than that stays.
    private static func remove(_ file: String, _ folder: String) {
        unlink(file)
        unlink(file + "~")
        rmdir(folder)
    }
}
