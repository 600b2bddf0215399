#if canImport(Glibc)
import Glibc
#endif

/// The operator's terminal: bytes in, bytes out, without ever waiting for it.
///
/// Opened anew rather than taken from the shell, so that not waiting is a property of this opening alone. What the
/// terminal does not take yet is kept here, at most one frame and its wrapping.
final class TerminalDevice {
    private let descriptor: Int32
    private let saved: termios
    private var unsent: ArraySlice<UInt8> = []
    private(set) var isGone = false

    enum OpenFailure: Error, CustomStringConvertible {
        case notATerminal
        case system(String)

        var description: String {
            switch self {
            case .notATerminal: "standard input and output must be a terminal"
            case .system(let reason): "the terminal cannot be opened: \(reason)"
            }
        }
    }

    init(path: String? = nil) throws(OpenFailure) {
        var places: [String] = []
        if let path {
            places = [path]
        } else {
            guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { throw .notATerminal }
            if let name = ttyname(STDOUT_FILENO) { places.append(String(cString: name)) }
            // After `su` the device itself may not be ours to open; the name for "my terminal" always is.
            places.append("/dev/tty")
        }
        var opened: Int32 = -1
        for place in places where opened < 0 {
            opened = open(place, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        }
        guard opened >= 0 else { throw .system(String(cString: strerror(errno))) }
        var current = termios()
        guard tcgetattr(opened, &current) == 0 else {
            let reason = String(cString: strerror(errno))
            close(opened)
            throw .system(reason)
        }
        descriptor = opened
        saved = current
    }

    deinit {
        close(descriptor)
    }

    var input: Int32 { descriptor }

    /// No echo, no lines, no signals from keys, no flow control, eight bits, output as it is.
    func makeRaw() {
        var raw = saved
        cfmakeraw(&raw)
        tcsetattr(descriptor, TCSANOW, &raw)
    }

    /// Gives the terminal back as it was found; waits no longer than a moment for one that takes or answers nothing.
    func restore(after bytes: [UInt8], awaitingAnswer: Bool) {
        unsent = []
        tcflush(descriptor, TCOFLUSH)
        var rest = (bytes + RestoreSequence.bytes)[...]
        for _ in 0..<20 where !rest.isEmpty {
            write(&rest)
            if isGone { break }
            if !rest.isEmpty { poll(POLLOUT, milliseconds: 10) }
        }
        if awaitingAnswer { dropAnswer() }
        var settings = saved
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// Reads until nothing has come for a moment: what is asked of a terminal is answered at once, or far away.
    private func dropAnswer() {
        for _ in 0..<4 where !isGone {
            poll(POLLIN, milliseconds: 100)
            if !read().isEmpty { return }
        }
    }

    private func poll(_ what: Int32, milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(what), revents: 0)
        _ = Glibc.poll(&entry, 1, milliseconds)
    }

    /// As the terminal says now; nil when it does not.
    var size: Size? {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return nil
        }
        return Size(columns: Int(window.ws_col), lines: Int(window.ws_row))
    }

    // MARK: Input

    /// What has been typed; empty when nothing has.
    func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { return Array(buffer.prefix(count)) }
        // The end of a terminal is an end, not a wait: to ask again would spin.
        if count == 0 || (errno != EAGAIN && errno != EINTR) { isGone = true }
        return []
    }

    func hangUp() {
        isGone = true
    }

    // MARK: Output

    /// Whether the terminal still owes us the taking of earlier bytes.
    var isBusy: Bool { !unsent.isEmpty }

    func send(_ bytes: [UInt8]) {
        guard !isGone else { return }
        unsent += bytes
        sendMore()
    }

    func sendMore() {
        write(&unsent)
    }

    private func write(_ bytes: inout ArraySlice<UInt8>) {
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes.removeFirst(count)
            } else if errno == EINTR {
                continue
            } else {
                if errno != EAGAIN { isGone = true }
                return
            }
        }
        bytes = []
    }
}
