import NIOCore

/// The bytes of a message's head and where its fields are in them.
struct MessageHead {
    /// From the head's first byte to its empty line.
    let bytes: ByteBuffer
    let fields: [HeaderField]

    /// The only value of a field, nil when it is absent or there is more than one.
    func single(_ name: HeaderName) -> HeaderField? {
        var found: HeaderField?
        for field in fields where field.name == name {
            if found != nil { return nil }
            found = field
        }
        return found
    }

    func first(_ name: HeaderName) -> HeaderField? {
        fields.first { $0.name == name }
    }

    func count(_ name: HeaderName) -> Int {
        fields.reduce(0) { $1.name == name ? $0 + 1 : $0 }
    }

    func withBytes<Result>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The value as text; bytes that are not UTF-8 are replaced, so never forward or compare this.
    func text(_ field: HeaderField) -> String {
        text(field.valueRange)
    }

    func text(_ range: Range<Int>) -> String {
        withBytes(range) { String(decoding: $0, as: UTF8.self) }
    }

    func value(of field: HeaderField, equals text: StaticString) -> Bool {
        withBytes(field.valueRange) { bytes in
            text.withUTF8Buffer { ASCII.equalIgnoringCase(bytes, $0) }
        }
    }

    /// Whether a comma-separated value holds this token, whatever its case.
    func hasToken(_ name: HeaderName, _ token: StaticString) -> Bool {
        fields.contains { field in
            guard field.name == name else { return false }
            return withBytes(field.valueRange) { value in
                value.split(separator: UInt8(ascii: ",")).contains { part in
                    let trimmed = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: part))
                    return token.withUTF8Buffer { ASCII.equalIgnoringCase(trimmed, $0) }
                }
            }
        }
    }
}
