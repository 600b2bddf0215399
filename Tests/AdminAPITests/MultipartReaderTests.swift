import Testing

@testable import AdminAPI

@Suite struct `Files of forms` {
    private static let form =
        "a preamble\r\n--XY\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nfile\r\n"
        + "--XY\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a;b.csv\"\r\nContent-Type: text/csv\r\n\r\n"
        + "name,key\r\n--X\r\nk,--XY\r\n\r\n--XY\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nsecond\r\n--XY--\r\nafter"

    private func read(_ text: String, inPiecesOf size: Int = 1 << 20) throws(MultipartReader.Fault) -> String
    {
        var reader = MultipartReader(boundary: "XY", field: "file")
        var found: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            found += try reader.read(bytes[start..<min(start + size, bytes.count)])
        }
        try reader.finish()
        return String(decoding: found, as: UTF8.self)
    }

    @Test(arguments: 1...40)
    func `the first of the name is found in any pieces`(size: Int) throws {
        #expect(try read(Self.form, inPiecesOf: size) == "name,key\r\n--X\r\nk,--XY\r\n")
    }

    @Test(arguments: 1...9)
    func `a file may be empty`(size: Int) throws {
        let text = "--XY\r\nContent-Disposition: form-data; name=file\r\n\r\n--XY--"
        #expect(try read(text, inPiecesOf: size) == "")
    }

    @Test(arguments: [
        ("", "no file named"), ("--XY--", "no file named"),
        ("--XY\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--XY--", "no file named"),
        ("--XY\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf", "ends too early"),
        ("--XY\r\n" + String(repeating: "a", count: 20_000), "too long"),
    ])
    func `what is no such form is said`(text: String, part: String) {
        let fault = #expect(throws: MultipartReader.Fault.self) { _ = try read(text) }
        #expect(fault?.message.contains(part) == true)
    }

    @Test(
        arguments: [
            ("multipart/form-data; boundary=XY", "XY"),
            ("Multipart/Form-Data;charset=utf-8; boundary=\"XY\"", "XY"),
            ("multipart/form-data", nil), ("multipart/form-data; boundary=", nil),
            ("text/csv; boundary=XY", nil),
            ("multipart/form-data; boundary=" + String(repeating: "a", count: 71), nil),
        ] as [(String, String?)]
    )
    func `a boundary is named by the content type`(type: String, boundary: String?) {
        #expect(MultipartReader.boundary(type) == boundary)
    }
}
