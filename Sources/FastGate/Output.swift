#if canImport(Glibc)
import Glibc
#endif

/// Plain lines on the standard streams, written at once.
enum Output {
    static func line(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
    }

    static func errorLine(_ text: String) {
        write(text + "\n", to: STDERR_FILENO)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // A reader that has gone away (`| head`) is no fault of ours, and there is nobody left to tell.
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
