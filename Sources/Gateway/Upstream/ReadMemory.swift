import NIOCore

/// What all of one loop's plain connections to backends read into: an event of a stream finds memory that has just been
/// used, and ten thousand open streams keep no buffers of their own.
///
/// A connection takes it for one read and its handler gives it back; what is to be kept of a read is copied out of it.
///
/// Unchecked: one event loop's alone.
final class ReadMemory: @unchecked Sendable {
    static let size = 65_536
    /// As much of a read is kept by reference, and the memory with it.
    static let worthKeeping = size / 4

    private var spare: ByteBuffer?

    func take() -> ByteBuffer {
        // Whoever kept a part of it all the same has it for itself.
        guard var buffer = spare.take(), buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil else {
            return ByteBufferAllocator().buffer(capacity: Self.size)
        }
        return buffer
    }

    /// Puts a read behind what waits to be understood: by reference when it is large or has other memory, else as a copy.
    func move(_ buffer: ByteBuffer, behind waiting: inout ByteBuffer) {
        let isWorthKeeping = buffer.storageCapacity != Self.size || buffer.readableBytes >= Self.worthKeeping
        if waiting.readableBytes == 0 {
            waiting = isWorthKeeping ? buffer : ByteBufferAllocator().buffer(capacity: buffer.readableBytes)
            if isWorthKeeping { return }
        }
        waiting.writeImmutableBuffer(buffer)
        giveBack(buffer)
    }

    func giveBack(_ buffer: ByteBuffer) {
        if buffer.storageCapacity == Self.size { spare = buffer }
    }

    /// How one connection reads; for a channel that reads once at a time.
    var allocator: any RecvByteBufferAllocator { Allocator(memory: self) }

    private struct Allocator: RecvByteBufferAllocator {
        let memory: ReadMemory
        private var hasRead = false

        init(memory: ReadMemory) {
            self.memory = memory
        }

        /// NIO keeps the first buffer of a channel for itself, so that one is small.
        func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
            hasRead ? memory.take() : allocator.buffer(capacity: 1024)
        }

        /// Says that the buffer of the last read does not do for the next: each asks for one.
        mutating func record(actualReadBytes: Int) -> Bool {
            hasRead = true
            return true
        }
    }
}
