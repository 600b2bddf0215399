import NIOCore

/// Keeps the beginning of a body for the audit, and its end for the usage that stands there.
///
/// What is kept is never moved: a body that grows gets a further piece, as large as all before it.
struct AnswerCapture {
    private static let tailSize = 2048
    private static let firstSize = 1024
    /// How far from its end usage is looked for in a body of several pieces, which is copied for it.
    static let searchedSize = 65_536

    // What each event of a stream needs stands first and together.
    let limit: Int
    private(set) var total = 0
    /// How many bytes from the beginning are kept, at most `limit`.
    private(set) var kept = 0
    /// The piece that is being filled; those before it are in `full`.
    private var last = ByteBuffer()
    private var full: [ByteBuffer] = []
    private var tail = ByteBuffer()

    init(limit: Int) {
        self.limit = limit
    }

    var isComplete: Bool { total == kept }

    /// `piece`: a slice that is held by reference when it is the whole body, else copied.
    mutating func append(_ piece: ByteBuffer, isLast: Bool) {
        let isWhole = total == 0 && isLast && piece.readableBytes <= limit
        total += piece.readableBytes
        if isWhole {
            last = piece
            kept = total
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
        if bytes.count <= min(last.writableBytes, limit - kept) {
            last.writeBytes(bytes)
            kept += bytes.count
        } else {
            copyInParts(bytes)
        }
    }

    private mutating func copyInParts(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[..<min(limit - kept, bytes.count)]
        if rest.count < bytes.count { keepTail(bytes) }
        while !rest.isEmpty {
            if last.writableBytes == 0 { beginPiece(for: rest.count) }
            let part = rest.prefix(last.writableBytes)
            last.writeBytes(UnsafeRawBufferPointer(rebasing: part))
            kept += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    private mutating func beginPiece(for count: Int) {
        if last.readableBytes > 0 { full.append(last) }
        let capacity = min(max(Self.firstSize, kept, count), limit - kept)
        last = ByteBufferAllocator().buffer(capacity: capacity)
    }

    private mutating func keepTail(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count >= Self.tailSize { tail.clear() }
        tail.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.tailSize)))
        if tail.readableBytes > 2 * Self.tailSize {
            tail.moveReaderIndex(forwardBy: tail.readableBytes - Self.tailSize)
            tail.discardReadBytes()
        }
    }

    // MARK: Reading

    /// Copies what is kept from `start` on, as far as there is room.
    func copy(from start: Int = 0, to room: UnsafeMutableRawBufferPointer) {
        var (skipped, place) = (start, 0)
        func copy(_ piece: ByteBuffer) {
            piece.withUnsafeReadableBytes { bytes in
                let rest = bytes.dropFirst(skipped).prefix(room.count - place)
                UnsafeMutableRawBufferPointer(rebasing: room[place...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: rest)
                )
                place += rest.count
                skipped = max(0, skipped - bytes.count)
            }
        }
        full.forEach(copy)
        copy(last)
    }

    /// What is kept from `start` on.
    func bytes(from start: Int = 0) -> [UInt8] {
        guard start < kept else { return [] }
        return [UInt8](unsafeUninitializedCapacity: kept - start) { room, count in
            copy(from: start, to: UnsafeMutableRawBufferPointer(room))
            count = kept - start
        }
    }

    /// The usage in an answer that was not a stream.
    var usage: TokenUsage? {
        if !isComplete { return tail.withUnsafeReadableBytes(TokenUsage.find) }
        if full.isEmpty { return last.withUnsafeReadableBytes(TokenUsage.find) }
        return bytes(from: max(0, kept - Self.searchedSize)).withUnsafeBytes(TokenUsage.find)
    }
}
