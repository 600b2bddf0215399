import NIOCore

/// Keeps the beginning of a body for the audit, and its end for the usage that stands there.
struct AnswerCapture {
    private static let tailSize = 2048

    let limit: Int
    private(set) var head: ByteBuffer?
    private(set) var total = 0
    private var tail = ByteBuffer()

    init(limit: Int) {
        self.limit = limit
    }

    var isComplete: Bool { total == (head?.readableBytes ?? 0) }

    /// `piece`: a slice that is held by reference when it is the whole body, else copied.
    mutating func append(_ piece: ByteBuffer, isLast: Bool) {
        let isWhole = total == 0 && isLast && piece.readableBytes <= limit
        total += piece.readableBytes
        if isWhole {
            head = piece
            return
        }
        let room = limit - (head?.readableBytes ?? 0)
        let kept = min(room, piece.readableBytes)
        if kept > 0 {
            if head == nil { head = ByteBufferAllocator().buffer(capacity: max(kept, 1024)) }
            head?.writeImmutableBuffer(
                kept == piece.readableBytes
                    ? piece : piece.getSlice(at: piece.readerIndex, length: kept) ?? piece
            )
        }
        if kept < piece.readableBytes { keepTail(piece) }
    }

    private mutating func keepTail(_ piece: ByteBuffer) {
        if piece.readableBytes >= Self.tailSize { tail.clear() }
        let part = min(piece.readableBytes, Self.tailSize)
        if let slice = piece.getSlice(at: piece.writerIndex - part, length: part) {
            tail.writeImmutableBuffer(slice)
        }
        if tail.readableBytes > 2 * Self.tailSize {
            tail.moveReaderIndex(forwardBy: tail.readableBytes - Self.tailSize)
            tail.discardReadBytes()
        }
    }

    /// The usage in an answer that was not a stream.
    var usage: TokenUsage? {
        let source = isComplete ? head : tail
        return source?.withUnsafeReadableBytes(TokenUsage.find)
    }
}
