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
    /// What has lately passed beyond the limit; nil while nobody watches.
    private var passing: Passing?

    /// By reference: it must not move what each event needs.
    private final class Passing {
        /// Where its first byte stands in the body.
        var start: Int
        var bytes: [UInt8] = []

        init(start: Int) {
            self.start = start
        }
    }

    /// Longer than any secret in any form.
    private static let cutSize = 4096

    /// So much of it is kept at least, and at most twice as much.
    static let passingSize = 131_072

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
        if rest.count < bytes.count {
            keepTail(bytes)
            keepPassing(bytes.dropFirst(rest.count))
        }
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

    // MARK: Watching

    /// From now on what passes beyond the limit is kept for a while, too; of what nobody may see, nothing is.
    mutating func watch() {
        guard passing == nil, limit > 0 else { return }
        passing = Passing(start: max(total, limit))
    }

    private func keepPassing(_ bytes: Slice<UnsafeRawBufferPointer>) {
        guard let passing else { return }
        passing.bytes.append(contentsOf: bytes)
        let surplus = passing.bytes.count - Self.passingSize
        guard surplus > Self.passingSize else { return }
        passing.bytes.removeFirst(surplus)
        passing.start += surplus
    }

    /// Where what can be read ends.
    var readableEnd: Int {
        passing.map { $0.bytes.isEmpty ? kept : $0.start + $0.bytes.count } ?? kept
    }

    /// What comes after the first `seen` bytes, as far as it is here, and up to `context` bytes that stand before it.
    ///
    /// - Returns: `start`: where the bytes stand in the body; `next`: where those begin that were not seen, which is behind
    ///   `seen` where some are gone.
    func unseen(after seen: Int, context: Int) -> (start: Int, bytes: [UInt8], next: Int) {
        guard let passing, !passing.bytes.isEmpty, seen >= kept || passing.start == kept else {
            let start = max(0, min(seen, kept) - context)
            return (start, bytes(from: start), min(seen, kept))
        }
        guard passing.start != kept else {
            let start = max(0, seen - context)
            return (start, bytes(from: start) + passing.bytes.dropFirst(max(0, start - kept)), seen)
        }
        // Of a line whose beginning is gone nothing is shown, and of one that does not end its first part: it may be a
        // secret's.
        let line = passing.bytes.firstIndex(of: ASCII.lf).map { passing.start + $0 + 1 }
        let whole = min(line ?? .max, passing.start + Self.cutSize)
        let next = max(seen, min(whole, passing.start + passing.bytes.count))
        let start = max(passing.start, next - context)
        return (start, Array(passing.bytes.dropFirst(start - passing.start)), next)
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
