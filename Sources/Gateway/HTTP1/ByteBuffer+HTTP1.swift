import NIOCore

extension ByteBuffer {
    /// Itself, or a copy where it would keep more than 4 KB and four times its bytes; 64 KB and more are not copied.
    var withoutExcess: ByteBuffer {
        guard storageCapacity > 4096, readableBytes < min(storageCapacity / 4, 65_536) else { return self }
        var copy = ByteBufferAllocator().buffer(capacity: readableBytes)
        copy.writeImmutableBuffer(self)
        return copy
    }

    /// Room that `wrapChunk` fills with a chunk's size line, once the size is known.
    static let chunkPrefix = 18

    mutating func write(_ text: StaticString) {
        writeBytes(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Writes part of another buffer, given as positions from its first readable byte.
    mutating func write(_ range: Range<Int>, of head: MessageHead) {
        head.bytes.withUnsafeReadableBytes { bytes in
            _ = writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    mutating func writeDecimal(_ number: Int) {
        var value = number.magnitude
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { scratch in
            var start = scratch.count
            repeat {
                start -= 1
                scratch[start] = UInt8(truncatingIfNeeded: value % 10) + 0x30
                value /= 10
            } while value > 0
            if number < 0 {
                start -= 1
                scratch[start] = UInt8(ascii: "-")
            }
            _ = writeBytes(UnsafeRawBufferPointer(rebasing: scratch[start...]))
        }
    }

    /// Writes the bytes of another buffer as one chunk.
    mutating func writeChunk(_ piece: ByteBuffer) {
        let start = writerIndex
        writeRepeatingByte(0, count: Self.chunkPrefix)
        writeImmutableBuffer(piece)
        wrapChunk(from: start)
    }

    /// Makes one chunk of the bytes after `start`, where `chunkPrefix` bytes of room were left.
    ///
    /// The size line is written right before the data and the unused room is skipped when nothing stands
    /// before it, so a chunk costs no second copy.
    mutating func wrapChunk(from start: Int) {
        let dataStart = start + Self.chunkPrefix
        let count = writerIndex - dataStart
        var position = dataStart - 2
        setInteger(ASCII.cr, at: position)
        setInteger(ASCII.lf, at: position + 1)
        var rest = count
        repeat {
            position -= 1
            let digit = UInt8(rest & 15)
            setInteger(digit < 10 ? digit + 0x30 : digit + 0x57, at: position)
            rest >>= 4
        } while rest > 0
        if start == readerIndex {
            moveReaderIndex(to: position)
        } else {
            // A head stands before the room: leading zeros are valid in a size line and keep it in place.
            while position > start {
                position -= 1
                setInteger(UInt8(ascii: "0"), at: position)
            }
        }
        write("\r\n")
    }
}
