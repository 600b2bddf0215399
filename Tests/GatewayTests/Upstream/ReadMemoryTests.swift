import NIOCore
import Testing

@testable import Gateway

@Suite("Read memory") struct ReadMemoryTests {
    private func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withVeryUnsafeBytes { $0.baseAddress }
    }

    @Test("one piece of memory serves read after read") func oneMemoryServesReadAfterRead() {
        let memory = ReadMemory()
        var seen: Set<UnsafeRawPointer?> = []
        for round in 0..<5 {
            var buffer = memory.take()
            #expect(buffer.readableBytes == 0)
            #expect(buffer.writableBytes == ReadMemory.size)
            buffer.writeRepeatingByte(UInt8(round), count: 100)
            seen.insert(address(buffer))
            memory.giveBack(buffer)
        }
        #expect(seen.count == 1)
    }

    @Test("two that read at once have memory of their own") func twoAtOnceHaveTheirOwn() {
        let memory = ReadMemory()
        let (first, second) = (memory.take(), memory.take())
        #expect(address(first) != address(second))
    }

    @Test("what somebody keeps of a read stays as it was") func whatIsKeptStays() throws {
        let memory = ReadMemory()
        var buffer = memory.take()
        buffer.writeString("kept by mistake")
        let kept = try #require(buffer.getSlice(at: 0, length: 4))
        memory.giveBack(buffer)
        buffer = ByteBuffer()
        var next = memory.take()
        next.writeString("overwritten")
        #expect(String(buffer: kept) == "kept")
        #expect(address(next) != address(kept))
    }

    @Test("a copy is made of what would keep much more memory than it has bytes")
    func aCopyIsMadeOfLittleInMuch() {
        for (count, room, isCopied) in [
            (10, 65_536, true), (16_383, 65_536, true), (16_384, 65_536, false), (65_536, 65_536, false),
            (10, 4096, false), (10, 8192, true), (0, 65_536, true), (65_535, 16 << 20, true),
            (65_536, 16 << 20, false),
        ] {
            var buffer = ByteBufferAllocator().buffer(capacity: room)
            buffer.writeRepeatingByte(7, count: count)
            let kept = buffer.withoutExcess
            #expect(kept == buffer)
            #expect((address(kept) != address(buffer)) == isCopied, "\(count) of \(room)")
            #expect(kept.storageCapacity <= max(4 * count, 64) || !isCopied)
        }
    }

    @Test("buffers of other sizes are not taken in") func othersAreNotTakenIn() {
        let memory = ReadMemory()
        memory.giveBack(ByteBuffer(string: "a TLS handler's"))
        #expect(memory.take().writableBytes == ReadMemory.size)
    }

    private final class CountingReader: ReadMemory.Reader {
        private(set) var reads = 0

        func willRead() { reads += 1 }
    }

    @Test("a channel's first buffer, which NIO keeps, is a small one") func theFirstBufferIsSmall() {
        let memory = ReadMemory()
        let reader = CountingReader()
        var pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: memory.allocator(for: reader))
        var sizes: [Int] = []
        for round in 0..<4 {
            let (buffer, count) = pool.buffer(allocator: ByteBufferAllocator()) { buffer in
                let room = buffer.writableBytes
                buffer.writeRepeatingByte(UInt8(round), count: 300)
                return room
            }
            pool.record(actualReadBytes: 300)
            #expect(buffer.readableBytesView.allSatisfy { $0 == round })
            sizes.append(count)
            memory.giveBack(buffer)
        }
        #expect(sizes == [ReadMemory.firstSize, ReadMemory.size, ReadMemory.size, ReadMemory.size])
        #expect(reader.reads == 4)
    }
}
