/// Finds the objects of a list in a JSON text that comes in any pieces, without keeping more than one of them.
///
/// The text is a list, `[{…},{…}]`, or an object with one, `{"upstream_id": 1, "keys": [{…}]}`, whose other members
/// are kept whole.
package struct JSONRows: Sendable {
    /// Of one object, in bytes.
    package static let rowLimit = 1 << 20
    private static let depthLimit = 64

    /// Where the text does not hold.
    package struct Fault: Error, Equatable, Sendable {
        package let message: String
    }

    private enum Place: Sendable {
        case start
        /// Inside the outer object, before a name.
        case member
        /// Behind a name.
        case colon
        case value
        case afterMember
        /// In the list, before an element.
        case element
        case afterElement
        case end
    }

    private let listName: String
    private var place = Place.start
    private var isBareList = false
    private var name: [UInt8] = []
    private var token: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var offset = 0
    private var count = 0
    private var hasList = false
    /// Members of the outer object besides the list, by name, as JSON.
    package private(set) var members: [String: [UInt8]] = [:]

    package init(list name: String) {
        listName = name
    }

    /// The objects that have ended, as JSON.
    package mutating func read(_ bytes: some Sequence<UInt8>) throws(Fault) -> [[UInt8]] {
        var rows: [[UInt8]] = []
        for byte in bytes {
            offset += 1
            try take(byte, into: &rows)
        }
        return rows
    }

    package func finish() throws(Fault) {
        guard place == .end else { throw Fault(message: "the JSON ends too early, at byte \(offset)") }
        guard hasList else { throw Fault(message: "there is no list “\(listName)”") }
    }

    private func fault(_ what: String) -> Fault { Fault(message: "\(what) at byte \(offset)") }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private mutating func take(_ byte: UInt8, into rows: inout [[UInt8]]) throws(Fault) {
        // Inside something that is kept whole.
        if !token.isEmpty {
            try goOn(byte, into: &rows)
            return
        }
        if Self.isSpace(byte) { return }
        switch (place, byte) {
        // Programs that begin a file with a byte order mark do so here, too.
        case (.start, 0xEF), (.start, 0xBB), (.start, 0xBF): break
        case (.start, UInt8(ascii: "[")):
            (isBareList, hasList, place) = (true, true, .element)
        case (.start, UInt8(ascii: "{")): place = .member
        case (.member, UInt8(ascii: "}")), (.afterMember, UInt8(ascii: "}")): place = .end
        case (.afterMember, UInt8(ascii: ",")): place = .member
        case (.member, UInt8(ascii: "\"")): begin(byte)
        case (.colon, UInt8(ascii: ":")): place = .value
        case (.value, UInt8(ascii: "[")) where name == Array(listName.utf8):
            guard !hasList else { throw fault("a second “\(listName)”") }
            (hasList, place) = (true, .element)
        case (.value, _): begin(byte)
        case (.element, UInt8(ascii: "{")): begin(byte)
        case (.element, UInt8(ascii: "]")) where count == 0, (.afterElement, UInt8(ascii: "]")):
            place = isBareList ? .end : .afterMember
        case (.afterElement, UInt8(ascii: ",")):
            place = .element
            count += 1
        case (.element, _): throw fault("an element that is no object")
        default: throw fault("the JSON does not hold")
        }
    }

    private mutating func begin(_ byte: UInt8) {
        token = [byte]
        isInString = byte == UInt8(ascii: "\"")
        depth = byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") ? 1 : 0
    }

    private mutating func goOn(_ byte: UInt8, into rows: inout [[UInt8]]) throws(Fault) {
        if !isInString, depth == 0,
            Self.isSpace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}")
        {
            // A number or a word ends before what follows it.
            try end(into: &rows)
            try take(byte, into: &rows)
            return
        }
        token.append(byte)
        guard token.count <= Self.rowLimit else {
            throw fault("a value is longer than \(Self.rowLimit) bytes")
        }
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                if depth == 0 { try end(into: &rows) }
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > Self.depthLimit { throw fault("values are nested too deep") }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if depth == 0 { try end(into: &rows) }
        default: break
        }
    }

    private mutating func end(into rows: inout [[UInt8]]) throws(Fault) {
        let value = token
        token = []
        switch place {
        case .member:
            name = Array(value.dropFirst().dropLast())
            place = .colon
        case .value:
            guard members.count < 16 else { throw fault("too many members") }
            members[String(decoding: name, as: UTF8.self)] = value
            place = .afterMember
        case .element:
            rows.append(value)
            count += 1
            place = .afterElement
        case .start, .colon, .afterMember, .afterElement, .end: break
        }
    }
}
