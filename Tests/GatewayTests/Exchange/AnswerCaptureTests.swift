import NIOCore
import Testing

@testable import Gateway

@Suite struct `Answer capture` {
    /// Bytes that differ from their neighbours, so that any that are lost, moved or told twice are seen.
    private func body(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: [1, 7, 250, 1023, 1024, 1025, 5000, 70_000])
    func `what is kept is the beginning, whatever the pieces`(pieceSize: Int) {
        for limit in [0, 1, 1000, 1024, 40_000, 65_536] {
            let sent = body(69_000)
            var capture = AnswerCapture(limit: limit)
            var rest = sent[...]
            while !rest.isEmpty {
                rest.prefix(pieceSize).withUnsafeBytes { capture.append($0) }
                rest = rest.dropFirst(pieceSize)
                #expect(capture.kept == min(limit, capture.total))
            }
            #expect(capture.total == sent.count)
            #expect(capture.bytes() == Array(sent.prefix(limit)))
            #expect(!capture.isComplete)
        }
    }

    /// Looks after every so many pieces, and puts together what it is shown.
    private func watch(
        limit: Int,
        from begin: Int,
        pieces: Int,
        every: Int,
        _ sent: [UInt8]
    ) -> (shown: [UInt8], missed: Int) {
        var capture = AnswerCapture(limit: limit)
        if begin == 0 { capture.watch() }
        var (shown, seen, missed) = ([UInt8](), 0, 0)
        var count = 0
        for start in stride(from: 0, to: sent.count, by: pieces) {
            sent[start..<min(start + pieces, sent.count)].withUnsafeBytes { capture.append($0) }
            count += 1
            guard capture.total >= begin, count % every == 0 || start + pieces >= sent.count else { continue }
            capture.watch()
            // Where something is gone in between, what stands before it and what stands behind it.
            for _ in 0..<2 where seen != capture.readableEnd {
                let look = capture.unseen(after: seen, context: 100)
                #expect(look.start <= look.next && look.next >= seen)
                missed += look.next - seen
                shown += look.bytes.dropFirst(look.next - look.start)
                seen = look.start + look.bytes.count
            }
            #expect(seen == capture.readableEnd)
        }
        #expect(capture.bytes() == Array(sent.prefix(limit)), "what is kept for the log is the same")
        return (shown, missed)
    }

    @Test(arguments: [1000, 40_000, 500_000], [7, 1024, 3000])
    func `whoever watches from the beginning sees all of it`(limit: Int, pieces: Int) {
        let sent = body(300_000)
        for every in [1, 5, 30] {
            let (shown, missed) = watch(limit: limit, from: 0, pieces: pieces, every: every, sent)
            #expect(shown == sent && missed == 0, "\(every)")
        }
    }

    @Test func `whoever comes later sees what is kept, and what passes from then on by whole lines`() {
        let lines = (0..<9000).flatMap { Array("data: \($0)\n".utf8) }
        let (shown, missed) = watch(limit: 1000, from: 30_000, pieces: 250, every: 3, lines)
        #expect(Array(shown.prefix(1000)) == Array(lines.prefix(1000)) && missed > 0)
        let rest = Array(shown.dropFirst(1000))
        #expect(lines.suffix(rest.count).elementsEqual(rest) && lines[lines.count - rest.count - 1] == 10)
        #expect(shown.count + missed == lines.count)
        // Nobody may see what is not kept at all.
        let hidden = watch(limit: 0, from: 0, pieces: 250, every: 1, lines)
        #expect(hidden.shown.isEmpty && hidden.missed == 0)
    }

    @Test func `of a line whose beginning is gone nothing is shown`() {
        for size in [500, 4096, 9000] {
            let sent = [UInt8](repeating: 65, count: 2000) + [UInt8](repeating: 66, count: size)
            var capture = AnswerCapture(limit: 1000)
            sent[..<2000].withUnsafeBytes { capture.append($0) }
            capture.watch()
            var seen = 1000
            for start in stride(from: 2000, to: sent.count, by: 250) {
                sent[start..<min(start + 250, sent.count)].withUnsafeBytes { capture.append($0) }
                let look = capture.unseen(after: seen, context: 100)
                let shown = look.bytes.dropFirst(look.next - look.start)
                #expect(look.next >= min(2000 + 4096, capture.total) && Set(shown).isSubset(of: [66]))
                seen = look.start + look.bytes.count
            }
            #expect(seen == sent.count)
        }
    }

    @Test func `whoever looks too seldom is told what went by`() {
        let lines = (0..<90_000).flatMap { Array("data: \($0)\n".utf8) }
        let (shown, missed) = watch(limit: 1000, from: 0, pieces: 5000, every: 100, lines)
        #expect(missed > 0 && shown.count + missed == lines.count && lines.suffix(9) == shown.suffix(9))
    }

    @Test func `it can be read from anywhere and as far as there is room`() {
        let sent = body(9000)
        var capture = AnswerCapture(limit: 8192)
        for start in stride(from: 0, to: sent.count, by: 300) {
            sent[start..<min(start + 300, sent.count)].withUnsafeBytes { capture.append($0) }
        }
        for start in [0, 1, 1023, 1024, 1025, 2048, 4095, 8191, 8192, 9000] {
            #expect(capture.bytes(from: start) == Array(sent[..<8192].dropFirst(start)))
        }
        for size in [0, 1, 1024, 3000, 8192] {
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 8, alignment: 1)
            defer { room.deallocate() }
            room.initializeMemory(as: UInt8.self, repeating: 0xEE)
            capture.copy(to: UnsafeMutableRawBufferPointer(rebasing: room[..<size]))
            #expect(Array(room[..<size]) == Array(sent[..<size]))
            #expect(room[size...].allSatisfy { $0 == 0xEE })
        }
    }

    @Test func `a record takes what its limit allows, also between pieces`() throws {
        let sent = body(5000)
        var capture = AnswerCapture(limit: 65_536)
        for start in stride(from: 0, to: sent.count, by: 250) {
            sent[start..<(start + 250)].withUnsafeBytes { capture.append($0) }
        }
        for limit in [0, 1, 1023, 1024, 1025, 3000, 4096, 4999, 5000, 65_536] {
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 6000, alignment: 8)
            defer { room.deallocate() }
            var encoder = RecordEncoder(room)
            encoder.number(7)
            #expect(encoder.blob(capture, limit: limit).count == min(limit, sent.count))
            encoder.number(8)
            var decoder = RecordDecoder(UnsafeRawBufferPointer(rebasing: room[..<encoder.count]))
            let (before, kept, after) = try (decoder.number(), decoder.blob(), decoder.number())
            #expect(before == 7 && after == 8)
            #expect(kept.map { Array($0) } == Array(sent.prefix(limit)))
            #expect(!decoder.hasMore)
        }
    }

    @Test func `a whole body is held by reference`() {
        var capture = AnswerCapture(limit: 100)
        let piece = ByteBuffer(bytes: body(100))
        capture.append(piece, isLast: true)
        #expect(capture.isComplete)
        #expect(capture.bytes() == body(100))
    }

    @Test(arguments: [-1, 0, 1])
    func `usage of a body in pieces is looked for so far from the end and no farther`(beyond: Int) {
        let usage = Array(#""usage":{"prompt_tokens":3,"completion_tokens":4}"#.utf8)
        let after = [UInt8](repeating: 32, count: AnswerCapture.searchedSize - usage.count + beyond)
        let sent = [UInt8](repeating: 32, count: 9000) + usage + after
        var capture = AnswerCapture(limit: 200_000)
        for start in stride(from: 0, to: sent.count, by: 1000) {
            sent[start..<min(start + 1000, sent.count)].withUnsafeBytes { capture.append($0) }
        }
        #expect(capture.isComplete)
        #expect((capture.usage != nil) == (beyond <= 0))
    }

    @Test(arguments: [10, 1500, 100_000])
    func `usage is found at the end, also behind what is kept`(limit: Int) {
        let usage = #""usage":{"prompt_tokens":3,"completion_tokens":4}}"#
        let sent = Array((#"{"text":""# + String(repeating: "x", count: 5000) + #"","# + usage).utf8)
        for pieceSize in [100, 4096, sent.count] {
            var capture = AnswerCapture(limit: limit)
            var rest = sent[...]
            while !rest.isEmpty {
                let piece = ByteBuffer(bytes: rest.prefix(pieceSize))
                rest = rest.dropFirst(pieceSize)
                capture.append(piece, isLast: rest.isEmpty)
            }
            #expect(capture.usage?.promptTokens == 3)
            #expect(capture.usage?.completionTokens == 4)
        }
    }
}
