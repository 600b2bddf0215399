/// Finds members of a JSON object's top level without building anything.
///
/// It checks only as much grammar as it needs to step over values: quotes, escapes and brackets. Text that is
/// no object, or is cut off, ends the walk; what was found before stands.
struct JSONWalker {
    /// One member of the object, as positions in its bytes.
    struct Member {
        /// Between the key's quotes.
        let key: Range<Int>
        let value: Range<Int>
        /// From the key's opening quote to the value's end.
        var whole: Range<Int> { (key.lowerBound - 1)..<value.upperBound }
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var isOpen = false

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        skipSpace()
        if position < bytes.count, bytes[position] == UInt8(ascii: "{") {
            position += 1
            isOpen = true
        }
    }

    /// Where the first member would stand; nil when the text is no object.
    var bodyStart: Int? { isOpen ? position : nil }

    /// The next member, nil at the object's end or where the text stops being an object.
    mutating func next() -> Member? {
        guard isOpen else { return nil }
        skipSpace()
        if peek == UInt8(ascii: ",") {
            position += 1
            skipSpace()
        }
        guard peek == UInt8(ascii: "\""), let key = skipString() else { return nil }
        skipSpace()
        guard peek == UInt8(ascii: ":") else { return nil }
        position += 1
        skipSpace()
        let start = position
        guard skipValue() else { return nil }
        return Member(key: key, value: start..<position)
    }

    /// Whether nothing but space follows the object's end; true only once `next` has returned nil.
    var isAtEnd: Bool {
        guard peek == UInt8(ascii: "}") else { return false }
        return bytes[(position + 1)...].allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    /// Steps over a string and returns what is between its quotes.
    private mutating func skipString() -> Range<Int>? {
        let start = position + 1
        var search = start
        while let quote = ASCII.firstIndex(of: UInt8(ascii: "\""), in: bytes, from: search) {
            var backslashes = 0
            while quote - backslashes > start, bytes[quote - backslashes - 1] == UInt8(ascii: "\\") {
                backslashes += 1
            }
            if backslashes % 2 == 0 {
                position = quote + 1
                return start..<quote
            }
            search = quote + 1
        }
        return nil
    }

    private mutating func skipValue() -> Bool {
        guard let first = peek else { return false }
        switch first {
        case UInt8(ascii: "\""): return skipString() != nil
        case UInt8(ascii: "{"), UInt8(ascii: "["): return skipNested()
        default:
            let start = position
            while let byte = peek, byte != 0x2C, byte != 0x7D, byte != 0x5D, byte > 0x20 {
                position += 1
            }
            return position > start
        }
    }

    private mutating func skipNested() -> Bool {
        var depth = 0
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                if skipString() == nil { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            position += 1
            if depth == 0 { return true }
        }
        return false
    }
}

/// Reads single values of a JSON object in place.
enum JSONFields {
    /// A longer name of a model is none.
    private static let modelLimit = 256

    /// The model that a request asks for, without the escapes of its text.
    static func model(in bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let text = quoted("model", in: bytes), text.count <= 6 * modelLimit,
            let plain = text.contains(UInt8(ascii: "\\")) ? JSONText.plain(text) : Array(text)
        else { return nil }
        return plain.count <= modelLimit ? plain : nil
    }

    /// Whether some reader may find an object: a brace behind blanks and byte order marks, in two bytes a letter, too.
    static func mayBeObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.first { !blanksAndMarks.contains($0) } == UInt8(ascii: "{")
    }

    private static let blanksAndMarks: [UInt8] = [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF, 0xFE, 0xFF, 0x00]

    /// Whether every reader finds the same members: one whole object, no escapes in its keys, no key twice, also for
    /// readers that do not tell capital letters from small ones.
    ///
    /// Asked where a member decides what a caller may do; elsewhere a body is nobody's business.
    static func isUnambiguous(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var walker = JSONWalker(bytes)
        guard walker.bodyStart != nil else { return false }
        var keys: Set<String> = []
        while let member = walker.next() {
            let key = bytes[member.key]
            guard !key.contains(UInt8(ascii: "\\")), !foldsToASCII(key),
                keys.insert(String(decoding: key, as: UTF8.self).lowercased()).inserted
            else {
                return false
            }
        }
        return walker.isAtEnd
    }

    /// The two letters beyond ASCII that are one of its own for readers that tell no capital letters: ſ and the sign K.
    private static func foldsToASCII(_ key: Slice<UnsafeRawBufferPointer>) -> Bool {
        key.contains { $0 >= 0x80 }
            && String(decoding: key, as: UTF8.self).unicodeScalars.contains {
                $0 == "\u{17F}" || $0 == "\u{212A}"
            }
    }

    /// The value of a top-level member, as it stands.
    static func value(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var walker = JSONWalker(bytes)
        while let member = walker.next() {
            if name.withUTF8Buffer({ bytes[member.key].elementsEqual($0) }) {
                return UnsafeRawBufferPointer(rebasing: bytes[member.value])
            }
        }
        return nil
    }

    /// A top-level text without escapes, as it stands between its quotes; nil for anything else.
    static func text(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        quoted(name, in: bytes).flatMap { $0.contains(UInt8(ascii: "\\")) ? nil : $0 }
    }

    private static func quoted(
        _ name: StaticString,
        in bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard let value = value(name, in: bytes), value.count >= 2, value.first == UInt8(ascii: "\"") else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)])
    }

    static func string(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> String? {
        text(name, in: bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    static func integer(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
        value(name, in: bytes).flatMap(ASCII.parseDecimal)
    }
}
