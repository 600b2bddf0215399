import NIOCore
import Testing

@testable import Gateway

/// The table of what NIO's parser lets through and RFC 9112 forbids, and what must pass.
@Suite struct `Admission table` {
    private func judge(_ text: String) throws(Refusal) -> AdmittedRequest {
        var parser = HeadParser(limits: HeadLimits())
        let bytes = ByteBuffer(string: text)
        switch bytes.withUnsafeReadableBytes({ parser.parse($0) }) {
        case .complete: break
        case .refused(let fault): throw Admission.refuse(fault)
        case .incomplete:
            Issue.record("the head is not complete: \(text.debugDescription)")
            throw Refusal(.badRequest, "incomplete")
        }
        let head: RequestHead
        do throws(RequestHead.Fault) {
            head = try RequestHead(bytes: bytes, firstLine: parser.firstLine, fields: parser.fields)
        } catch {
            throw Admission.refuse(error)
        }
        return try Admission.judge(head)
    }

    private func status(_ text: String) -> Int {
        do throws(Refusal) {
            _ = try judge(text)
            return 200
        } catch {
            #expect(error.closesConnection, "\(text.debugDescription) was refused without a close")
            return error.code.status
        }
    }

    @Test(
        arguments: [
            "", "Host: a\r\nHost: b\r\n", "Host:\r\n", "Host: a, b\r\n", "Host: u@a\r\n", "Host: a/b\r\n",
            "Host: a b\r\n", "Host: a?b\r\n", "Host: a:b\r\n", "Host: a:123456\r\n", "Host: [::1\r\n",
        ]
    )
    func `a missing, doubled, empty or malformed Host is 400`(lines: String) {
        #expect(status("GET /x HTTP/1.1\r\n\(lines)\r\n") == 400)
    }

    @Test(arguments: ["a", "a:1", "A.example.com:65535", "127.0.0.1:80", "[::1]:8514", "[2001:db8::1]"])
    func `a well-formed Host passes`(host: String) {
        #expect(status("GET /x HTTP/1.1\r\nHost: \(host)\r\n\r\n") == 200)
    }

    @Test(
        arguments: [
            (",chunked", 400), ("cow, chunked", 400), ("gzip, chunked", 501), ("gzip", 501), ("", 400),
            ("identity", 400),
            ("chunked, chunked", 400), ("xchunked", 400), ("chunked;q=1", 400), ("\"chunked\"", 400),
            ("chunked", 200),
            ("Chunked", 200),
        ]
    )
    func `only exactly chunked is a transfer coding`(value: String, expected: Int) {
        #expect(status("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \(value)\r\n\r\n") == expected)
    }

    @Test(
        arguments: [
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: -1\r\n", "Content-Length: 0x1\r\n", "Content-Length: 1_0\r\n",
            "Content-Length: 1 0\r\n",
            "Content-Length:\r\n", "Content-Length: 99999999999999999999\r\n", "Content-Length: \"1\"\r\n",
            "Transfer_Encoding: chunked\r\n", "X_Y: 1\r\n",
        ]
    )
    func `framing that can be read in two ways is 400`(lines: String) {
        #expect(status("POST /x HTTP/1.1\r\nHost: a\r\n\(lines)\r\n") == 400)
    }

    @Test func `HTTP 1.0 has no transfer coding`() {
        #expect(status("POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") == 400)
        #expect(status("GET /x HTTP/1.0\r\n\r\n") == 200)
    }

    @Test(arguments: [
        "Host", "Content-Length", "Transfer-Encoding", "Authorization", "X-API-Key", "X-Request-Id",
    ])
    func `Connection may not name what must not be dropped`(name: String) {
        #expect(status("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close, \(name)\r\n\r\n") == 400)
    }

    @Test(
        arguments: [
            ("TRACE /x HTTP/1.1", 405), ("CONNECT a:1 HTTP/1.1", 501), ("BREW /x HTTP/1.1", 400),
            ("get /x HTTP/1.1", 400),
            ("GET /x HTTP/2.0", 505), ("GET /x HTTP/1.2", 505), ("GET /x HTTP/11.1", 400),
            ("GET /x http/1.1", 400),
            ("GET /x RTSP/1.0", 400), ("GET /x ICE/1.0", 400), ("GET  /x HTTP/1.1", 400),
            ("GET /a b HTTP/1.1", 400),
            ("GET * HTTP/1.1", 400), ("GET file:///etc HTTP/1.1", 400), ("GET //evil/x HTTP/1.1", 400),
            ("GET /v1/../admin HTTP/1.1", 400), ("GET /%2e%2e/x HTTP/1.1", 400),
            ("GET /.%2E/x HTTP/1.1", 400),
            ("GET /a%0d%0ab HTTP/1.1", 400), ("GET /a#b HTTP/1.1", 400), ("GET /a\\b HTTP/1.1", 400),
            ("GET http://other/x HTTP/1.1", 400), ("GET http://a/x HTTP/1.1", 200),
            ("GET /a.b/..c HTTP/1.1", 200),
            ("GET /x?y=../z HTTP/1.1", 200), ("GET /a%2Fb HTTP/1.1", 200),
            ("GET /v1/..%2f..%2fadmin HTTP/1.1", 400),
            ("GET /v1/%2e%2e%2Fx HTTP/1.1", 400), ("GET /a%2f%2fb HTTP/1.1", 400), ("GET /a%2 HTTP/1.1", 400),
            ("GET /a/..;/b HTTP/1.1", 400), ("GET /a/..%3Bx HTTP/1.1", 400), ("GET /a/.;x=1/b HTTP/1.1", 400),
            ("GET /a/%252e%252E/b HTTP/1.1", 400), ("GET /%25252e%2e/b HTTP/1.1", 400),
            ("GET /%255c HTTP/1.1", 400),
            ("GET /a/..%c0%afb HTTP/1.1", 400), ("GET /%C0%ae/b HTTP/1.1", 400),
            ("GET /%c1%9c HTTP/1.1", 400),
            ("GET /;x/b HTTP/1.1", 200), ("GET /a;b/..c;d HTTP/1.1", 200), ("GET /100%25 HTTP/1.1", 200),
            ("GET /%25zz HTTP/1.1", 200), ("GET /a%252Fb HTTP/1.1", 200),
            ("GET /%C3%A4%E4%BD%99 HTTP/1.1", 200),
            ("GET /a/%25%32%65%25%32%65/b HTTP/1.1", 400), ("GET /a/%252%65./b HTTP/1.1", 400),
            ("GET /a/%E0%80%AE./b HTTP/1.1", 400), ("GET /%2525252525252525252541 HTTP/1.1", 400),
            ("GET /%25252525252541 HTTP/1.1", 200), ("GET /%2525252525252541 HTTP/1.1", 400),
            ("GET /%250d HTTP/1.1", 400), ("GET /a;%00 HTTP/1.1", 400), ("GET /%25 HTTP/1.1", 200),
            ("GET / HTTP/1.1", 200),
            ("GET /a/ HTTP/1.1", 200), ("GET /a//b HTTP/1.1", 400), ("GET /. HTTP/1.1", 400),
            ("GET /... HTTP/1.1", 200), ("PRI * HTTP/2.0", 400),
        ]
    )
    func `the request line is judged`(line: String, expected: Int) {
        #expect(status("\(line)\r\nHost: a\r\n\r\n") == expected)
    }

    @Test(arguments: [("100-continue", 200), ("y 100-continue", 417), ("foo", 417), ("100-continue, x", 417)])
    func `the only expectation is 100-continue`(value: String, expected: Int) {
        #expect(
            status("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: \(value)\r\n\r\n") == expected
        )
    }

    @Test func `a request that asks for another protocol is answered and closed`() throws {
        let request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        #expect(try judge(request).keepsConnection == false)
    }
}
