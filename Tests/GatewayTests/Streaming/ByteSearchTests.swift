import Testing

@testable import Gateway

@Suite struct `Byte search` {
    private func naive(_ text: [UInt8], _ bytes: [UInt8], from start: Int) -> Int? {
        guard !text.isEmpty, start + text.count <= bytes.count else { return nil }
        return (start...(bytes.count - text.count)).first { Array(bytes[$0..<($0 + text.count)]) == text }
    }

    private func found(_ text: [UInt8], _ bytes: [UInt8], from start: Int = 0) -> Int? {
        bytes.withUnsafeBytes { ByteSearch.firstIndex(of: text, in: $0, from: start) }
    }

    @Test func `every place of a text is found, at every length of what surrounds it`() {
        let text = Array("\"usage\"".utf8)
        for count in 0..<110 {
            let empty = [UInt8](repeating: UInt8(ascii: "\""), count: count)
            #expect(found(text, empty) == nil)
            for place in 0..<max(0, count - text.count + 1) {
                var bytes = empty
                bytes.replaceSubrange(place..<(place + text.count), with: text)
                #expect(found(text, bytes) == place, "\(count) bytes, at \(place)")
                #expect(found(text, bytes, from: place + 1) == nil)
            }
        }
    }

    @Test func `it agrees with a naive search on texts of few letters`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let bytes = (0..<random.below(200)).map { _ in UInt8(97 + random.below(2)) }
            let text = (0..<(1 + random.below(9))).map { _ in UInt8(97 + random.below(2)) }
            let start = random.below(bytes.count + 2)
            #expect(found(text, bytes, from: start) == naive(text, bytes, from: start))
        }
    }

    /// The first and the last letter fit everywhere: what looks for both must give up soon.
    @Test func `a text that nearly fits everywhere is still found`() {
        let text = [UInt8](repeating: 97, count: 100) + [98] + [UInt8](repeating: 97, count: 100)
        var bytes = [UInt8](repeating: 97, count: 100_000)
        #expect(found(text, bytes) == nil)
        bytes[90_000] = 98
        #expect(found(text, bytes) == 89_900)
    }
}
