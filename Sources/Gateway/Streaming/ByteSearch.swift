import CLinux

/// Finds short texts in bytes, by the C library's search.
enum ByteSearch {
    static func firstIndex(
        of text: StaticString,
        in bytes: UnsafeRawBufferPointer,
        from start: Int
    ) -> Int? {
        find(text.utf8Start, text.utf8CodeUnitCount, in: bytes, from: start)
    }

    static func firstIndex(of text: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        text.withUnsafeBytes { firstIndex(of: $0, in: bytes, from: start) }
    }

    static func firstIndex(
        of text: UnsafeRawBufferPointer,
        in bytes: UnsafeRawBufferPointer,
        from start: Int
    ) -> Int? {
        text.baseAddress.flatMap { find($0, text.count, in: bytes, from: start) }
    }

    private static func find(
        _ needle: UnsafeRawPointer,
        _ count: Int,
        in bytes: UnsafeRawBufferPointer,
        from start: Int
    ) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count else { return nil }
        guard let hit = clinux_find(base + start, bytes.count - start, needle, count) else { return nil }
        return hit - base
    }
}
