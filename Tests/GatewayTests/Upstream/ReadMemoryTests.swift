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

    @Test("a small read is copied, a large one kept, and either comes behind what waits")
    func readsComeBehindWhatWaits() {
        let memory = ReadMemory()
        var (waiting, expected) = (ByteBuffer(), [UInt8]())
        for (index, count) in [10, 50_000, 3, 1, ReadMemory.size, 700].enumerated() {
            var buffer = memory.take()
            buffer.writeRepeatingByte(UInt8(index), count: count)
            expected += [UInt8](repeating: UInt8(index), count: count)
            memory.move(buffer, behind: &waiting)
            #expect(Array(waiting.readableBytesView) == expected)
            #expect(waiting.storageCapacity < 2 * max(expected.count, 1024) || count == ReadMemory.size)
            if index % 2 == 1 {
                waiting.moveReaderIndex(to: waiting.writerIndex)
                expected = []
            }
        }
        let buffer = ByteBuffer(repeating: 7, count: ReadMemory.worthKeeping)
        memory.move(buffer, behind: &waiting)
        #expect(address(waiting) == address(buffer))
    }

    @Test("buffers of other sizes are not taken in") func othersAreNotTakenIn() {
        let memory = ReadMemory()
        memory.giveBack(ByteBuffer(string: "a TLS handler's"))
        #expect(memory.take().writableBytes == ReadMemory.size)
    }

    @Test("a channel's first buffer, which NIO keeps, is a small one") func theFirstBufferIsSmall() {
        let memory = ReadMemory()
        var pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: memory.allocator)
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
        #expect(sizes == [1024, ReadMemory.size, ReadMemory.size, ReadMemory.size])
    }
}
