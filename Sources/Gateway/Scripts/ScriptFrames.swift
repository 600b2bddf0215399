import NIOCore

/// What goes over a worker's channel: a length, a kind, and its fields; all numbers little-endian.
enum ScriptFrames {
    /// What a frame may hold; workers keep to the same.
    static let limit = 512 * 1024

    private enum Kind: UInt8 {
        case start, run, ready, refused, done, check
    }

    enum Answer: Equatable {
        case ready(String)
        /// The worker has no jail, and ends.
        case refused(String)
        case done(nonce: UInt64, ScriptOutcome)
    }

    struct Malformed: Error {}

    /// How a run shares the processor with others.
    struct Pace {
        /// Microseconds after which it works in turns.
        var after: Int
        /// Microseconds of rest after each of them.
        var rest: Int
        /// When it is to end by itself, if it can: nanoseconds of the monotonic clock, nil when it need not look at it.
        var endsAt: Int?
    }

    // MARK: To a worker

    /// What a worker gets ready by.
    ///
    /// `filter`: what it may call of the system, for those that do not know themselves.
    static func start(isJailed: Bool, dataLimit: Int, secrets: [String], filter: [UInt8]) -> ByteBuffer {
        frame(.start) { buffer in
            buffer.writeInteger(UInt8(isJailed ? 1 : 0))
            buffer.writeInteger(UInt64(dataLimit), endianness: .little)
            buffer.writeInteger(UInt32(secrets.count), endianness: .little)
            for secret in secrets { write(secret, to: &buffer) }
            buffer.writeInteger(UInt32(filter.count), endianness: .little)
            buffer.writeBytes(filter)
        }
    }

    /// What a worker runs.
    ///
    /// `isCheck`: only whether it holds.
    static func run(
        nonce: UInt64,
        source: String,
        context: String,
        isCheck: Bool = false,
        pace: Pace
    ) -> ByteBuffer {
        frame(isCheck ? .check : .run) { buffer in
            buffer.writeInteger(nonce, endianness: .little)
            buffer.writeInteger(UInt32(pace.after), endianness: .little)
            buffer.writeInteger(UInt32(pace.rest), endianness: .little)
            buffer.writeInteger(UInt64(pace.endsAt ?? 0), endianness: .little)
            write(source, to: &buffer)
            write(context, to: &buffer)
        }
    }

    private static func frame(_ kind: Kind, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 512)
        buffer.writeInteger(UInt32(0), endianness: .little)
        buffer.writeInteger(kind.rawValue)
        body(&buffer)
        buffer.setInteger(UInt32(buffer.readableBytes - 4), at: 0, endianness: .little)
        return buffer
    }

    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(text.utf8.count), endianness: .little)
        buffer.writeString(text)
    }

    // MARK: From a worker

    /// The next answer, nil until it is there whole.
    static func read(_ buffer: inout ByteBuffer) throws(Malformed) -> Answer? {
        guard
            let length = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self)
        else { return nil }
        guard length <= limit else { throw Malformed() }
        guard buffer.readableBytes >= 4 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        guard var body = buffer.readSlice(length: Int(length)), let answer = answer(&body) else {
            throw Malformed()
        }
        return answer
    }

    private static func answer(_ body: inout ByteBuffer) -> Answer? {
        guard let kind = body.readInteger(as: UInt8.self).flatMap(Kind.init) else { return nil }
        switch kind {
        case .ready: return text(&body).map(Answer.ready)
        case .refused: return text(&body).map(Answer.refused)
        case .done: return outcome(&body)
        case .start, .run, .check: return nil
        }
    }

    private static func outcome(_ body: inout ByteBuffer) -> Answer? {
        guard let nonce = body.readInteger(endianness: .little, as: UInt64.self),
            let kind = body.readInteger(as: UInt8.self), let text = text(&body),
            let line = body.readInteger(endianness: .little, as: UInt32.self),
            let column = body.readInteger(endianness: .little, as: UInt32.self),
            let output = self.text(&body),
            let microseconds = body.readInteger(endianness: .little, as: UInt32.self),
            body.readableBytes == 0
        else { return nil }
        let end: ScriptOutcome.End =
            switch kind {
            case 1: .value(text)
            case 2: .timedOut(milliseconds: Int(microseconds) / 1000)
            default: .failed(text, line: Int(line), column: Int(column))
            }
        return .done(
            nonce: nonce,
            ScriptOutcome(end: end, output: output, microseconds: Int(microseconds))
        )
    }

    private static func text(_ body: inout ByteBuffer) -> String? {
        guard let length = body.readInteger(endianness: .little, as: UInt32.self) else { return nil }
        return body.readString(length: Int(length))
    }
}
