import NIOCore

/// The methods that the gateway forwards, and the two it must recognise to refuse.
enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, patch, delete, options, trace, connect

    var text: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        }
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        for method in Method.allCases {
            let text = method.text
            if bytes.count == text.utf8CodeUnitCount, bytes.elementsEqual(text.withUTF8Buffer { $0 }) {
                self = method
                return
            }
        }
        return nil
    }
}

/// A parsed request line and the fields after it; nothing in it has been judged yet.
struct RequestHead {
    enum Fault: Error, Equatable {
        case malformed(StaticText)
        case unsupportedVersion
    }

    let method: Method
    /// The request target's place in `message.bytes`.
    let target: Range<Int>
    /// 0 or 1, of HTTP/1.x.
    let minorVersion: Int
    let message: MessageHead

    init(bytes: ByteBuffer, firstLine: Range<Int>, fields: [HeaderField]) throws(Fault) {
        let line = try bytes.withUnsafeReadableBytes { (all) throws(Fault) in try Line(all, firstLine) }
        method = line.method
        target = line.target
        minorVersion = line.minorVersion
        message = MessageHead(bytes: bytes, fields: fields)
    }

    private struct Line {
        let method: Method
        let target: Range<Int>
        let minorVersion: Int

        init(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(Fault) {
            guard let methodEnd = ASCII.firstIndex(of: ASCII.space, in: bytes, from: line.lowerBound),
                methodEnd < line.upperBound
            else { throw .malformed("the request line holds no target") }
            guard let method = Method(UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<methodEnd]))
            else {
                throw .malformed("the method is not one that is served")
            }
            var targetEnd = methodEnd + 1
            while targetEnd < line.upperBound, ASCII.isTarget(bytes[targetEnd]) {
                targetEnd += 1
            }
            guard targetEnd > methodEnd + 1, targetEnd < line.upperBound, bytes[targetEnd] == ASCII.space
            else {
                throw .malformed("the request target is empty or holds a character that is not allowed")
            }
            let version = UnsafeRawBufferPointer(rebasing: bytes[(targetEnd + 1)..<line.upperBound])
            guard version.count == 8, ASCII.begins(version, with: "HTTP/"), version[6] == UInt8(ascii: "."),
                ASCII.isDigit(version[5]), ASCII.isDigit(version[7])
            else { throw .malformed("the protocol is not HTTP") }
            guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else {
                throw .unsupportedVersion
            }
            self.method = method
            target = (methodEnd + 1)..<targetEnd
            minorVersion = Int(version[7] - UInt8(ascii: "0"))
        }
    }
}
