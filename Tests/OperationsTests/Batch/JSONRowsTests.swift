import Testing

@testable import Operations

@Suite struct `Rows of a JSON text` {
    private func rows(
        _ text: String,
        inPiecesOf size: Int = 1 << 20
    ) throws(JSONRows.Fault) -> (
        rows: [String], members: [String: String]
    ) {
        var reader = JSONRows(list: "keys")
        var rows: [String] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            rows += try reader.read(bytes[start..<min(start + size, bytes.count)])
                .map { String(decoding: $0, as: UTF8.self) }
        }
        try reader.finish()
        return (rows, reader.members.mapValues { String(decoding: $0, as: UTF8.self) })
    }

    @Test(arguments: 1...12)
    func `a list and what stands beside it are found in any pieces`(size: Int) throws {
        let text =
            #" { "upstream_id" : 12, "x":{"keys":[{}]}, "keys": [ {"a":"]}\"{"} ,{"b":[{}]}], "last":null} "#
        let found = try rows(text, inPiecesOf: size)
        #expect(found.rows == [#"{"a":"]}\"{"}"#, #"{"b":[{}]}"#])
        #expect(found.members == ["upstream_id": "12", "x": #"{"keys":[{}]}"#, "last": "null"])
    }

    @Test(arguments: ["[]", "[{}]", "[{},{}]", "\u{FEFF}[{}]", #"{"keys":[]}"#])
    func `a list may stand alone or have nothing`(text: String) throws {
        #expect(try rows(text).rows.allSatisfy { $0 == "{}" })
    }

    @Test(arguments: [
        ("", "ends too early"), ("[", "ends too early"), ("[{}", "ends too early"),
        ("[{}]]", "does not hold"),
        ("[{},]", "no object"), ("[1]", "no object"), ("[{} {}]", "does not hold"), ("{}", "no list"),
        (#"{"keys":1}"#, "no list"), (#"{"keys":[],"keys":[]}"#, "a second"), ("hello", "does not hold"),
        ("[[]]", "no object"),
    ])
    func `what is no such text is said where it is not`(text: String, part: String) {
        let fault = #expect(throws: JSONRows.Fault.self) { _ = try rows(text) }
        #expect(fault?.message.contains(part) == true)
    }

    @Test(arguments: [-1, 0, 1])
    func `a row has an end`(more: Int) {
        let text = "[{" + String(repeating: " ", count: JSONRows.rowLimit - 2 + more) + "}]"
        #expect(((try? rows(text)) == nil) == (more > 0))
    }

    @Test(arguments: [63, 64, 65])
    func `values are nested so deep and no deeper`(depth: Int) {
        let inner = String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
        #expect(((try? rows("[{\"a\":\(inner)}]")) == nil) == (depth > 64))
    }
}
