import Testing

@testable import Operations

@Suite struct `Comma-separated values` {
    private static let file =
        "\u{FEFF}name,key_value\r\n\"Smith, \"\"J\"\"\",sk-1\n\n\"two\r\nlines\",钥匙-é😀\r,\r\n\"\",\"\"\nlast,end"

    private static let records: [CSVReader.Record] = [
        .init(number: 1, fields: ["name", "key_value"]),
        .init(number: 2, fields: ["Smith, \"J\"", "sk-1"]),
        .init(number: 4, fields: ["two\r\nlines", "钥匙-é😀"]),
        .init(number: 5, fields: ["", ""]),
        .init(number: 6, fields: ["", ""]),
        .init(number: 7, fields: ["last", "end"]),
    ]

    private func read(_ bytes: [UInt8], inPiecesOf size: Int? = nil) -> [CSVReader.Record] {
        var reader = CSVReader()
        var records: [CSVReader.Record] = []
        let size = size ?? max(1, bytes.count)
        for start in stride(from: 0, to: bytes.count, by: size) {
            records += reader.read(bytes[start..<min(start + size, bytes.count)])
        }
        return records + reader.finish()
    }

    @Test(arguments: 1...24)
    func `a file is read in any pieces`(size: Int) {
        #expect(read(Array(Self.file.utf8), inPiecesOf: size) == Self.records)
    }

    @Test(arguments: [
        ("a,\"b", ["a", "b"], "a quote is not closed"),
        ("a,\"b\"c\n", ["a", "bc"], "something stands behind a closing quote"),
        ("a,b\u{0}\n", ["a", "b\u{0}"], "holds a NUL character"),
    ])
    func `what cannot be told apart is a fault of its line`(text: String, fields: [String], fault: String) {
        #expect(read(Array(text.utf8)) == [.init(number: 1, fields: fields, fault: fault)])
    }

    @Test func `the line behind a fault is read as if there had been none`() {
        let records = read(Array("a,\"b\"c\nd,e\n".utf8))
        #expect(records.last == .init(number: 2, fields: ["d", "e"]))
    }

    @Test(arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xEF, 0xBB]] as [[UInt8]])
    func `what is not UTF-8 is nobody's key`(bytes: [UInt8]) {
        let records = read(bytes + Array(",x\n".utf8))
        #expect(records.map(\.fault) == ["is not UTF-8"])
    }

    @Test(arguments: [-1, 0, 1])
    func `a record has an end`(more: Int) {
        let text = [UInt8](repeating: 0x61, count: CSVReader.recordLimit + more)
        let record = read(text + Array("\nb\n".utf8))
        #expect((record[0].fault != nil) == (more > 0))
        #expect(record[1] == .init(number: 2, fields: ["b"]))
    }

    @Test(arguments: [-1, 0, 1])
    func `a record has no more fields than it may`(more: Int) {
        let text = String(repeating: "a,", count: CSVReader.fieldLimit + more - 1) + "a\n"
        let record = read(Array(text.utf8))
        #expect((record[0].fault != nil) == (more > 0))
        #expect(record[0].fields.count == CSVReader.fieldLimit + min(more, 0))
    }

    @Test(arguments: [
        "plain", "", "a,b", "say \"no\"", "two\nlines", "=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''=1",
        "'x", "＝1",
    ])
    func `what is written is read as it was`(value: String) {
        let line = CSVWriter.line([value, "x"])
        #expect(!line.hasPrefix("=") && !line.hasPrefix("+") && !line.hasPrefix("-") && !line.hasPrefix("@"))
        let fields = read(Array(line.utf8)).first?.fields
        #expect(fields.map { $0.map(CSVWriter.original) } == [value, "x"])
    }
}
