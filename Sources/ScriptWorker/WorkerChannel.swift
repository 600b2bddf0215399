import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// The worker's only way to anyone: frames of a length and that many bytes, one at a time, to and from the gateway.
struct WorkerChannel {
    /// What a frame may hold; the gateway keeps to the same.
    static let frameLimit = 512 * 1024

    let descriptor: Int32

    /// The next frame, or nil when the gateway is gone.
    func receive() -> FrameReader? {
        guard let head = read(4) else { return nil }
        let length = head.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        guard length <= Self.frameLimit, let body = read(length) else { return nil }
        return FrameReader(bytes: body)
    }

    /// False when the gateway is gone.
    func send(_ frame: FrameWriter) -> Bool {
        let bytes = frame.framed
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent)
            }
            if count > 0 {
                sent += count
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Whether a frame comes within some milliseconds, or the gateway is gone.
    func hasInput(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) != 0
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            let step = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + received }, count - received)
            }
            if step > 0 {
                received += step
            } else if step == 0 || errno != EINTR {
                return nil
            }
        }
        return bytes
    }
}

/// Takes a frame apart; whatever does not hold together reads as empty, and the gateway never sends it.
struct FrameReader {
    let kind: FrameKind?
    private let bytes: [UInt8]
    private var position = 1

    init(bytes: [UInt8]) {
        self.bytes = bytes
        kind = bytes.first.flatMap(FrameKind.init)
    }

    mutating func number(bytes count: Int) -> UInt64 {
        guard position <= bytes.count - count else {
            position = max(position, bytes.count)
            return 0
        }
        defer { position += count }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
    }

    mutating func text() -> String {
        let count = max(0, min(Int(number(bytes: 4)), bytes.count - position))
        defer { position += count }
        guard count > 0 else { return "" }
        return String(decoding: bytes[position..<position + count], as: UTF8.self)
    }
}

/// Puts a frame together.
struct FrameWriter {
    private var bytes: [UInt8]

    init(kind: FrameKind) {
        bytes = [0, 0, 0, 0, kind.rawValue]
    }

    mutating func append(_ number: UInt64, bytes count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))) }
    }

    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count), bytes: 4)
        bytes += text.utf8
    }

    /// With its length in front.
    var framed: [UInt8] {
        var framed = bytes
        let length = framed.count - 4
        for index in 0..<4 { framed[index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
        return framed
    }
}

/// What a frame's first byte says; the gateway has the same.
enum FrameKind: UInt8 {
    case start = 0
    case run = 1
    case ready = 2
    case refused = 3
    case done = 4
    /// As `run`, and only whether the script holds.
    case check = 5
}
