import NIOCore
import Testing

@testable import Gateway

@Suite struct `Chunked decoder` {
    private func decode(
        _ text: String,
        pieceSize: Int = .max
    ) throws(ChunkedDecoder.Fault) -> (body: String, rest: String, isAtEnd: Bool) {
        var decoder = ChunkedDecoder()
        var output = ByteBuffer()
        var bytes = Array(text.utf8)[...]
        var input = ByteBuffer()
        while !bytes.isEmpty, !decoder.isAtEnd {
            input.writeBytes(bytes.prefix(pieceSize))
            bytes = bytes.dropFirst(pieceSize)
            _ = try decoder.decode(&input, into: &output)
        }
        return (String(buffer: output), String(buffer: input), decoder.isAtEnd)
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func `data comes out whole whatever the pieces`(pieceSize: Int) throws {
        let text =
            "4\r\nWiki\r\n6;name=\"a;b\\\"\"\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nX-T: 1\r\n\r\n"
        let result = try decode(text, pieceSize: pieceSize)
        #expect(result.body == "Wikipedia in \r\n\r\nchunks.")
        #expect(result.isAtEnd)
    }

    @Test func `bytes after the end stay`() throws {
        let result = try decode("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1")
        #expect(result.rest == "GET / HTTP/1.1")
    }

    @Test(
        arguments: [
            "0x1\r\na\r\n", "+1\r\na\r\n", "-1\r\na\r\n", "1_0\r\n", " 1\r\na\r\n", "1 \r\na\r\n",
            "\r\na\r\n",
            "fffffffffffffffff\r\n", "1;\u{1}\r\na\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n0\r\n\r\n",
            "1;\nx\r\na\r\n", "0\r\n bad: x\r\n\r\n", "1;a=\"\r\nx\"\r\na\r\n",
        ]
    )
    func `what could be read in two ways is refused`(text: String) {
        #expect(throws: ChunkedDecoder.Fault.self) { try decode(text) }
    }

    @Test(arguments: [(ChunkedDecoder.overheadLimit, true), (ChunkedDecoder.overheadLimit + 1, false)])
    func `extensions are limited`(length: Int, isAccepted: Bool) {
        let text = "1;" + String(repeating: "x", count: length - 1) + "\r\na\r\n0\r\n\r\n"
        #expect(((try? decode(text)) != nil) == isAccepted)
    }

    @Test func `a chunk written in place is read back`() throws {
        for count in [1, 15, 16, 255, 4096, 70_000] {
            for prefix in ["", "head"] {
                var buffer = ByteBuffer(string: prefix)
                let start = buffer.writerIndex
                buffer.writeRepeatingByte(0, count: ByteBuffer.chunkPrefix)
                buffer.writeRepeatingByte(UInt8(ascii: "z"), count: count)
                buffer.wrapChunk(from: start)
                let text = String(buffer: buffer)
                #expect(text.hasPrefix(prefix))
                let result = try decode(String(text.dropFirst(prefix.count)) + "0\r\n\r\n")
                #expect(result.body.count == count)
            }
        }
    }

    /// The data of whole chunks that may be passed on as they came, nil when they may not.
    private func plain(_ text: String) -> String? {
        Array(text.utf8).withUnsafeBytes { bytes in
            var (position, data) = (0, "")
            while position < bytes.count {
                guard let range = ChunkedDecoder.plainChunk(in: bytes, at: &position) else { return nil }
                data += String(decoding: bytes[range], as: UTF8.self)
            }
            return data
        }
    }

    @Test func `whole chunks are what the decoder makes of them`() throws {
        for text in ["3\r\nabc\r\n", "A\r\n0123456789\r\n1\r\n\r\r\n", "0003\r\nabc\r\n", "2\r\n\r\n\r\n"] {
            #expect(try plain(text) == decode(text + "0\r\n\r\n").body)
        }
    }

    @Test(
        arguments: [
            "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r", "3\r\nab", "3", "3\r\nabcd\r\n", "3\r\nabc\n",
            "3;x=y\r\nabc\r\n", "\r\n", " 3\r\nabc\r\n", "-1\r\na\r\n", "000000003\r\nabc\r\n", "3\nabc\r\n",
            "ffffffff\r\na\r\n", "3\r\nabc\r\nx",
        ]
    )
    func `what is cut, has an extension or an end is left to the decoder`(text: String) {
        #expect(plain(text) == nil)
    }
}
