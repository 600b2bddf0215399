import NIOCore

/// What all of one loop's plain connections to backends read into: an event of a stream finds memory that has just been
/// used, and ten thousand open streams keep no buffers of their own.
///
/// A connection takes it for one read and its handler gives it back; what is to be kept of a read is copied out of it,
/// or, where that is much, takes the memory along.
///
/// Unchecked: one event loop's alone.
final class ReadMemory: @unchecked Sendable {
    static let size = 65_536
    /// Of the buffer that NIO keeps for each channel: enough for the first answer's head.
    static let firstSize = 2048

    private var spare: ByteBuffer?

    func take() -> ByteBuffer {
        // Whoever kept a part of it has it for itself.
        guard var buffer = spare.take(), buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil else {
            return ByteBufferAllocator().buffer(capacity: Self.size)
        }
        return buffer
    }

    func giveBack(_ buffer: ByteBuffer) {
        if buffer.storageCapacity == Self.size { spare = buffer }
    }

    /// How one connection reads; for a channel that reads once at a time.
    func allocator(for reader: some Reader) -> any RecvByteBufferAllocator {
        Allocator(memory: self, reader: reader)
    }

    /// Whose connection reads into it.
    protocol Reader: AnyObject {
        /// The kernel is about to be asked for what has come.
        func willRead()
    }

    private struct Allocator<Owner: Reader>: RecvByteBufferAllocator {
        let memory: ReadMemory
        /// On the loop of the memory, like all that is done with it.
        nonisolated(unsafe) let reader: Owner
        private var hasRead = false

        init(memory: ReadMemory, reader: Owner) {
            self.memory = memory
            self.reader = reader
        }

        /// NIO keeps the first buffer of a channel for itself, so that one is small.
        func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
            reader.willRead()
            return hasRead ? memory.take() : allocator.buffer(capacity: ReadMemory.firstSize)
        }

        /// Says that the buffer of the last read does not do for the next: each asks for one.
        mutating func record(actualReadBytes: Int) -> Bool {
            hasRead = true
            return true
        }
    }
}
