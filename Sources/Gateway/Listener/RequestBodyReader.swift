import NIOCore

/// Takes one request's body out of a connection's bytes.
struct RequestBodyReader {
    private enum Framing {
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    private var framing: Framing
    private(set) var bytesRead = 0

    static var none: RequestBodyReader { RequestBodyReader(.none) }

    init(_ framing: BodyFraming) {
        switch framing {
        case .length(let length): self.framing = .length(remaining: length)
        case .chunked: self.framing = .chunked(ChunkedDecoder())
        case .none, .untilClose: self.framing = .length(remaining: 0)
        }
    }

    var isAtEnd: Bool {
        switch framing {
        case .length(let remaining): remaining == 0
        case .chunked(let decoder): decoder.isAtEnd
        }
    }

    /// Whether the rest is known to be small enough to read and drop.
    func canBeDiscarded(within limit: Int) -> Bool {
        switch framing {
        case .length(let remaining): remaining + bytesRead <= limit
        case .chunked: bytesRead <= limit
        }
    }

    /// The data at hand; bytes after the body's end stay in `input`.
    mutating func read(_ input: inout ByteBuffer) throws(ChunkedDecoder.Fault) -> ByteBuffer? {
        switch framing {
        case .length(let remaining):
            let count = min(remaining, input.readableBytes)
            framing = .length(remaining: remaining - count)
            bytesRead += count
            return input.readSlice(length: count)
        case .chunked(var decoder):
            var output = ByteBufferAllocator().buffer(capacity: input.readableBytes)
            _ = try decoder.decode(&input, into: &output)
            framing = .chunked(decoder)
            bytesRead += output.readableBytes
            return output
        }
    }
}
