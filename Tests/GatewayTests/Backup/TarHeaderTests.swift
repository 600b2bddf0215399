import Testing

@testable import Gateway

@Suite("Headers of a tar archive")
struct TarHeaderTests {
    @Test("what is written is read", arguments: [0, 1, 511, 512, 513, TarHeader.largestFile])
    func roundTrip(count: Int) throws {
        let header = TarHeader(name: "audit/rows-1795255401452000.db", count: count, time: 1_795_255_401)
        #expect(header.bytes.count == TarHeader.size)
        #expect(try TarHeader(header.bytes[...]) == header)
    }

    @Test("a file is brought to whole blocks", arguments: [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
    func padding(count: Int, padding: Int) {
        #expect(TarHeader.padding(after: count) == padding)
    }

    @Test("an empty block is the end")
    func end() throws {
        #expect(try TarHeader([UInt8](repeating: 0, count: TarHeader.size)[...]) == nil)
    }

    @Test("a changed byte anywhere is found")
    func damage() {
        let bytes = TarHeader(name: "config.db", count: 4096, time: 0).bytes
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            // The two bytes behind the sum's digits say nothing.
            if index == 154 || index == 155 { continue }
            #expect(throws: TarHeader.Fault.self, "byte \(index)") { try TarHeader(other[...]) }
        }
    }

    @Test("a block of another size is no header", arguments: [0, 511, 513])
    func sizes(count: Int) {
        #expect(throws: TarHeader.Fault.self) { try TarHeader([UInt8](repeating: 1, count: count)[...]) }
    }
}
