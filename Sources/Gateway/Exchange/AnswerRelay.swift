import NIOCore

/// Turns an upstream's answer into what the caller is sent, and keeps what the audit wants to know of it.
///
/// Data is decoded straight into `outbound`, between room for a chunk's size line and its end, so that one read
/// from the upstream becomes one write to the caller with one copy in between.
struct AnswerRelay {
    /// Larger pieces are written on their own instead of being copied behind the head.
    static let copyLimit = 16_384

    /// What goes to the caller next.
    var outbound = ByteBuffer()
    private(set) var framing = BodyFraming.none
    var body: AnswerCapture
    private(set) var stream = StreamStatistics()
    /// Only of event streams that can be read.
    private(set) var events: EventStreamScanner?
    private(set) var head: MessageHead?

    init(captureLimit: Int) {
        body = AnswerCapture(limit: captureLimit)
    }

    /// The usage that the provider reported, nil when it did not.
    var usage: TokenUsage? {
        events.map(\.usage) ?? body.usage
    }

    // MARK: Head

    /// Remembers an answer's head, whether or not it is passed on.
    mutating func accept(_ head: ResponseHead) {
        self.head = head.message
    }

    /// Decides how the caller will know the body's end; HTTP/1.0 knows no chunks.
    mutating func begin(_ head: ResponseHead, isEventStream: Bool, minorVersion: Int) {
        if isEventStream { events = EventStreamScanner() }
        switch head.framing {
        case .none, .length: framing = head.framing
        case .chunked, .untilClose: framing = minorVersion == 1 ? .chunked : .untilClose
        }
        outbound = ByteBufferAllocator().buffer(capacity: 4096)
    }

    /// What the head says of the length: an answer without a body may still tell the one it would have had.
    func announcedFraming(of head: ResponseHead) -> BodyFraming {
        guard framing == .none, head.status != 204, let length = head.message.first(.contentLength),
            let number = head.message.withBytes(length.valueRange, ASCII.parseDecimal)
        else { return framing }
        return .length(number)
    }

    // MARK: Body

    /// Makes room for data that is decoded in place, and returns where it begins.
    mutating func beginPiece(capacity: Int) -> Int {
        let room = capacity + ByteBuffer.chunkPrefix + 8
        if outbound.readableBytes == 0 {
            outbound = ByteBufferAllocator().buffer(capacity: room)
        } else {
            outbound.reserveCapacity(minimumWritableBytes: room)
        }
        let start = outbound.writerIndex
        if framing == .chunked { outbound.writeRepeatingByte(0, count: ByteBuffer.chunkPrefix) }
        return start
    }

    mutating func dropPiece(from start: Int) {
        outbound.moveWriterIndex(to: start)
    }

    /// The data after `beginPiece` is there: frames it and takes note of it.
    mutating func endPiece(from start: Int, isLast: Bool, at now: NIODeadline) {
        let dataStart = start + (framing == .chunked ? ByteBuffer.chunkPrefix : 0)
        let count = outbound.writerIndex - dataStart
        if count == 0 {
            dropPiece(from: start)
        } else if framing == .chunked {
            outbound.wrapChunk(from: start)
        }
        if isLast, framing == .chunked { outbound.write("0\r\n\r\n") }
        note(outbound.getSlice(at: dataStart, length: count) ?? ByteBuffer(), isLast: isLast, at: now)
    }

    /// Whether these are whole chunks, plain enough to be passed on as they came, and nothing goes before them.
    func mayPass(_ chunks: ByteBuffer) -> Bool {
        guard framing == .chunked, outbound.readableBytes == 0, chunks.readableBytes > 0 else { return false }
        return chunks.withUnsafeReadableBytes { bytes in
            var position = 0
            while position < bytes.count {
                guard ChunkedDecoder.plainChunk(in: bytes, at: &position) != nil else { return false }
            }
            return true
        }
    }

    /// Takes note of chunks that were passed on as they came.
    mutating func note(chunks: ByteBuffer, at now: NIODeadline) {
        chunks.withUnsafeReadableBytes { bytes in
            var (position, count) = (0, 0)
            let before = events?.events
            while let range = ChunkedDecoder.plainChunk(in: bytes, at: &position) {
                let data = UnsafeRawBufferPointer(rebasing: bytes[range])
                count += data.count
                events?.scan(data)
                body.append(data)
            }
            stream.record(count, behind: before, at: now)
        }
    }

    /// Takes note of data that is passed on by reference.
    mutating func note(_ piece: ByteBuffer, isLast: Bool, at now: NIODeadline) {
        if piece.readableBytes > 0 {
            stream.record(piece.readableBytes, behind: events?.events, at: now)
            piece.withUnsafeReadableBytes { events?.scan($0) }
        }
        body.append(piece, isLast: isLast)
    }

    /// Empties `outbound` and returns what was in it.
    mutating func takeOutbound() -> ByteBuffer {
        let buffer = outbound
        outbound = ByteBuffer()
        return buffer
    }

    /// The last thing a broken stream says: an event of its own, whatever was half sent before it.
    mutating func takeErrorEvent(_ refusal: Refusal, requestID: String) -> ByteBuffer {
        var text: [UInt8] = []
        if let events, !events.isAtBoundary { text += Array("\n\n".utf8) }
        if events?.usesEventLines == true { text += Array("event: error\n".utf8) }
        text += Array("data: ".utf8) + AnswerWriter.envelope(refusal, requestID: requestID)
        text += Array("\n\n".utf8)
        var buffer = takeOutbound()
        switch framing {
        case .chunked: buffer.writeChunk(ByteBuffer(bytes: text))
        case .untilClose: buffer.writeBytes(text)
        // A declared length leaves no room for an event; the missing bytes say that the answer was cut.
        case .none, .length: break
        }
        return buffer
    }
}
