import NIOCore

/// Writes a record's fields one after the other into mapped memory whose size was worked out before.
struct RecordEncoder {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) {
        self.room = room
    }

    mutating func number(_ value: Int) {
        room.storeBytes(of: Int64(value).littleEndian, toByteOffset: count, as: Int64.self)
        count += 8
    }

    /// Absent is -1; no field that may be absent can be negative.
    mutating func optional(_ value: Int?) {
        number(value ?? -1)
    }

    mutating func text(_ value: String?) {
        guard var value else {
            number(-1)
            return
        }
        _ = value.withUTF8 { blob(UnsafeRawBufferPointer($0)) }
    }

    /// The bytes, and where they now are, so that secrets in them can be covered.
    @discardableResult
    mutating func blob(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        number(bytes.count)
        let place = UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + bytes.count)])
        place.copyMemory(from: bytes)
        count += bytes.count
        return place
    }

    @discardableResult
    mutating func blob(_ buffer: ByteBuffer?, limit: Int) -> UnsafeMutableRawBufferPointer {
        guard let buffer else { return blob(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return buffer.withUnsafeReadableBytes { bytes in
            blob(UnsafeRawBufferPointer(rebasing: bytes.prefix(limit)))
        }
    }
}

/// Reads a record's fields in the order in which they were written.
///
/// A journal is read after crashes too: a record that does not hold is a fault, never a trap.
struct RecordDecoder {
    struct Damaged: Error {}

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var hasMore: Bool { position < bytes.count }

    mutating func number() throws(Damaged) -> Int {
        guard position + 8 <= bytes.count else { throw Damaged() }
        defer { position += 8 }
        return Int(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int64.self)))
    }

    mutating func optional() throws(Damaged) -> Int? {
        let value = try number()
        return value < 0 ? nil : value
    }

    /// Points into the record; nil for an absent text.
    mutating func blob() throws(Damaged) -> UnsafeRawBufferPointer? {
        guard let length = try optional() else { return nil }
        guard length <= bytes.count - position else { throw Damaged() }
        defer { position += length }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + length)])
    }
}
