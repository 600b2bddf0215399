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
        piece.withUnsafeReadableBytes { copy($0) }
    }

    /// The same for bytes that are gone after the call.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        total += bytes.count
        copy(bytes)
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        let kept = min(limit - (head?.readableBytes ?? 0), bytes.count)
        if kept > 0 {
            if head == nil { head = ByteBufferAllocator().buffer(capacity: max(kept, 1024)) }
            head?.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<kept]))
        }
        if kept < bytes.count { keepTail(bytes) }
    }

    private mutating func keepTail(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count >= Self.tailSize { tail.clear() }
        tail.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.tailSize)))
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
