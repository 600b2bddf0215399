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
        let place = place(for: bytes.count)
        place.copyMemory(from: bytes)
        return place
    }

    @discardableResult
    mutating func blob(_ body: AnswerCapture, limit: Int) -> UnsafeMutableRawBufferPointer {
        let place = place(for: min(body.kept, limit))
        body.copy(to: place)
        return place
    }

    private mutating func place(for size: Int) -> UnsafeMutableRawBufferPointer {
        number(size)
        defer { count += size }
        return UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + size)])
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
