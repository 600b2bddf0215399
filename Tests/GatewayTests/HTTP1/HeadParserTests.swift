import Testing

@testable import Gateway

@Suite struct `Head parser` {
    private func parse(_ text: String, limits: HeadLimits = HeadLimits()) -> (HeadParser.Outcome, HeadParser)
    {
        var parser = HeadParser(limits: limits)
        let outcome = Array(text.utf8).withUnsafeBytes { parser.parse($0) }
        return (outcome, parser)
    }

    @Test func `a whole head is read with the places of its fields`() {
        let text = "GET /a HTTP/1.1\r\nHost: x\r\nX-Other:  two words \r\n\r\nrest"
        let (outcome, parser) = parse(text)
        #expect(outcome == .complete(text.utf8.count - 4))
        #expect(parser.fields.map(\.name) == [.host, .other])
        let bytes = Array(text.utf8)
        #expect(String(decoding: bytes[parser.fields[1].valueRange], as: UTF8.self) == "two words")
    }

    @Test func `every split gives the same result`() {
        let text = "POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A:\r\n\r\n"
        let bytes = Array(text.utf8)
        for cut in 1..<bytes.count {
            var parser = HeadParser(limits: HeadLimits())
            #expect(bytes[..<cut].withUnsafeBytes { parser.parse($0) } == .incomplete)
            #expect(bytes.withUnsafeBytes { parser.parse($0) } == .complete(bytes.count))
            #expect(parser.fields.map(\.name) == [.host, .contentLength, .other])
        }
    }

    @Test(
        arguments: [
            "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nH\u{e9}: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\u{7f}b\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ]
    )
    func `what breaks the grammar is refused`(text: String) {
        let (outcome, _) = parse(text)
        guard case .refused(.malformed) = outcome else {
            Issue.record("\(text.debugDescription) gave \(outcome)")
            return
        }
    }

    @Test func `a bare line feed is refused before the head is complete`() {
        #expect(parse("GET / HTTP/1.1\n").0 == .refused(.malformed("a line does not end in CR LF")))
    }

    @Test(arguments: [(-1, true), (0, true), (1, false)])
    func `the first line may be exactly at its limit`(difference: Int, isAccepted: Bool) {
        let line = "GET /" + String(repeating: "a", count: 50 + difference) + " HTTP/1.1"
        let (outcome, _) = parse(line + "\r\n\r\n", limits: HeadLimits(firstLine: 64))
        #expect((outcome == .refused(.firstLineTooLong)) == !isAccepted)
    }

    @Test(arguments: [(-1, true), (0, true), (1, false)])
    func `a field line may be exactly at its limit`(difference: Int, isAccepted: Bool) {
        let line = "X: " + String(repeating: "a", count: 61 + difference)
        let (outcome, _) = parse("GET / HTTP/1.1\r\n" + line + "\r\n\r\n", limits: HeadLimits(fieldLine: 64))
        #expect((outcome == .refused(.fieldsTooLarge)) == !isAccepted)
    }

    @Test(arguments: [(-1, true), (0, true), (1, false)])
    func `fields may be exactly at their limit together`(difference: Int, isAccepted: Bool) {
        let lines = "Host: x\r\nX: " + String(repeating: "a", count: 90 + difference) + "\r\n"
        let (outcome, _) = parse("GET / HTTP/1.1\r\n" + lines + "\r\n", limits: HeadLimits(fields: 100))
        #expect((outcome == .refused(.fieldsTooLarge)) == !isAccepted)
    }

    @Test(arguments: [(99, true), (100, true), (101, false)])
    func `there may be exactly as many fields as the limit says`(count: Int, isAccepted: Bool) {
        let lines = (0..<count).map { "X-\($0): y\r\n" }.joined()
        let (outcome, _) = parse("GET / HTTP/1.1\r\n" + lines + "\r\n")
        #expect((outcome == .refused(.fieldsTooLarge)) == !isAccepted)
    }

    @Test func `a line without an end is refused once it is too long`() {
        let (outcome, _) = parse("GET /" + String(repeating: "a", count: 9000))
        #expect(outcome == .refused(.firstLineTooLong))
    }

    @Test(
        arguments: [
            ("Host", HeaderName.host), ("TRANSFER-ENCODING", .transferEncoding), ("x-api-key", .xAPIKey),
            ("x-goog-api-key", .xGoogAPIKey), ("api-key", .apiKey), ("alt-svc", .altSvc),
            ("x-apj-key", .other),
            ("hosts", .other), ("access-control-request-headers", .accessControlRequestHeaders), ("te", .te),
        ]
    )
    func `known names are recognised whatever their case`(text: String, name: HeaderName) {
        #expect(Array(text.utf8).withUnsafeBytes { HeaderName.recognise($0) } == name)
    }
}
