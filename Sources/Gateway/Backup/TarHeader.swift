/// The 512 bytes before each file of a tar archive, in the form of POSIX (ustar), for plain files only.
struct TarHeader: Equatable {
    static let size = 512
    /// What the field of a file's size can say.
    static let largestFile = 0o77777777777

    /// At most 100 bytes.
    var name: String
    /// In bytes.
    var count: Int
    /// In seconds since 1970.
    var time: Int

    enum Fault: Error {
        /// The bytes are no header: not an archive, or not whole.
        case damaged
        /// A directory, a link or another thing that a backup does not hold.
        case notAFile(name: String)
    }

    init(name: String, count: Int, time: Int) {
        (self.name, self.count, self.time) = (name, count, time)
    }

    /// nil for the empty block that ends an archive.
    init?(_ bytes: ArraySlice<UInt8>) throws(Fault) {
        let bytes = Array(bytes)
        guard bytes.count == Self.size else { throw .damaged }
        guard bytes.contains(where: { $0 != 0 }) else { return nil }
        guard Self.number(bytes[148..<156]) == Self.checksum(bytes),
            bytes[257..<262].elementsEqual("ustar".utf8)
        else { throw .damaged }
        guard let count = Self.number(bytes[124..<136]), let time = Self.number(bytes[136..<148]) else {
            throw .damaged
        }
        let name = String(decoding: bytes[0..<100].prefix { $0 != 0 }, as: UTF8.self)
        guard bytes[156] == UInt8(ascii: "0") || bytes[156] == 0, bytes[345] == 0 else {
            throw .notAFile(name: name)
        }
        self.init(name: name, count: count, time: time)
    }

    var bytes: [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.size)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put("0000600", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(Self.octal(count, digits: 11), at: 124)
        put(Self.octal(time, digits: 11), at: 136)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(Self.octal(Self.checksum(block), digits: 6), at: 148)
        block[155] = UInt8(ascii: " ")
        return block
    }

    /// Bytes after a file that bring it to whole blocks.
    static func padding(after count: Int) -> Int { (size - count % size) % size }

    /// The sum of all bytes, its own field counted as spaces.
    private static func checksum(_ block: [UInt8]) -> Int {
        block.enumerated().reduce(0) { sum, byte in
            sum + ((148..<156).contains(byte.offset) ? 0x20 : Int(byte.element))
        }
    }

    private static func octal(_ number: Int, digits: Int) -> String {
        let text = String(number, radix: 8)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        let digits = field.filter { $0 != 0 && $0 != ASCII.space }
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8)
    }
}
