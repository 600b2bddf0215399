/// Comma-separated values as spreadsheets write them (RFC 4180), read in any pieces.
package struct CSVReader: Sendable {
    /// A line of the file, whatever line ends its quotes hold.
    package struct Record: Sendable, Equatable {
        /// From 1, as a spreadsheet counts: empty lines have numbers, too.
        package var number: Int
        package var fields: [String]
        /// Why its fields cannot be told apart.
        package var fault: String?
    }

    /// Of a record, in bytes.
    package static let recordLimit = 1 << 20
    package static let fieldLimit = 64

    private enum Place: Sendable {
        /// Before the first character of a field.
        case start
        case plain
        case quoted
        /// After a quote in a quoted field: its end, or half of a doubled one.
        case quote
        /// After what stands behind a closing quote and may not.
        case spoiled
    }

    private var place = Place.start
    private var field: [UInt8] = []
    private var fields: [String] = []
    private var fault: String?
    private var size = 0
    private var number = 1
    private var isAfterCarriageReturn = false
    private var isBegun = false
    private var mark: [UInt8] = []

    package init() {}

    /// The records that have ended.
    package mutating func read(_ bytes: some Sequence<UInt8>) -> [Record] {
        var records: [Record] = []
        for byte in bytes {
            if !isBegun, isPartOfMark(byte) { continue }
            take(byte, into: &records)
        }
        return records
    }

    /// What stands behind the last line end.
    package mutating func finish() -> [Record] {
        var records: [Record] = []
        if place == .quoted { fault = fault ?? "a quote is not closed" }
        if place != .start || !fields.isEmpty || !field.isEmpty { endRecord(into: &records) }
        return records
    }

    /// Whether a byte belongs to the byte order mark with which some programs begin a file.
    private mutating func isPartOfMark(_ byte: UInt8) -> Bool {
        let whole: [UInt8] = [0xEF, 0xBB, 0xBF]
        if mark.count < whole.count, byte == whole[mark.count] {
            mark.append(byte)
            isBegun = mark.count == whole.count
            return true
        }
        isBegun = true
        // It was the beginning of a character, and none of a mark.
        field += mark
        if !mark.isEmpty { place = .plain }
        return false
    }

    private mutating func take(_ byte: UInt8, into records: inout [Record]) {
        let isLineEnd = byte == 0x0A || byte == 0x0D
        defer { isAfterCarriageReturn = byte == 0x0D && place != .quoted }
        if byte == 0x0A, isAfterCarriageReturn { return }
        size += 1
        switch place {
        case .quoted:
            if byte == UInt8(ascii: "\"") { place = .quote } else { append(byte) }
        case .quote where byte == UInt8(ascii: "\""):
            append(byte)
            place = .quoted
        case .start where byte == UInt8(ascii: "\""): place = .quoted
        default:
            if isLineEnd {
                endRecord(into: &records)
            } else if byte == UInt8(ascii: ",") {
                endField()
            } else {
                if place == .quote || place == .spoiled {
                    fault = fault ?? "something stands behind a closing quote"
                    place = .spoiled
                } else {
                    place = .plain
                }
                append(byte)
            }
        }
    }

    private mutating func append(_ byte: UInt8) {
        guard size <= Self.recordLimit else {
            fault = fault ?? "is longer than \(Self.recordLimit) bytes"
            return
        }
        if byte == 0 { fault = fault ?? "holds a NUL character" }
        field.append(byte)
    }

    private mutating func endField() {
        if fields.count < Self.fieldLimit {
            // What is not UTF-8 would become other characters, and so another key.
            if let text = String(validating: field, as: UTF8.self) {
                fields.append(text)
            } else {
                fault = fault ?? "is not UTF-8"
                fields.append("")
            }
        } else {
            fault = fault ?? "has more than \(Self.fieldLimit) fields"
        }
        field.removeAll(keepingCapacity: true)
        place = .start
    }

    private mutating func endRecord(into records: inout [Record]) {
        endField()
        let isEmpty = fields == [""] && fault == nil
        if !isEmpty { records.append(Record(number: number, fields: fields, fault: fault)) }
        number += 1
        fields = []
        fault = nil
        size = 0
    }
}

/// Comma-separated values as spreadsheets read them, none of which they take for a formula.
package enum CSVWriter {
    package static func line(_ fields: [String]) -> String {
        fields.map(field).joined(separator: ",") + "\r\n"
    }

    package static func field(_ text: String) -> String {
        let text = isDangerous(text) ? "'" + text : text
        guard text.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            return text
        }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    /// A value as it was before `field`: one apostrophe less where one was put before what a spreadsheet would run.
    package static func original(_ text: String) -> String {
        text.hasPrefix("'") && isDangerous(String(text.dropFirst())) ? String(text.dropFirst()) : text
    }

    /// OWASP's list of first characters, behind any number of apostrophes: what begins with one already must come
    /// back as it was.
    private static func isDangerous(_ text: String) -> Bool {
        let rest = text.unicodeScalars.drop { $0 == "'" }
        return rest.first.map { "=+-@\t\r\0＝＋－＠".unicodeScalars.contains($0) } ?? false
    }
}
