/// Finds the bytes of one file in a form that comes in any pieces (RFC 7578), without keeping them.
struct MultipartReader {
    struct Fault: Error, Equatable {
        let message: String
    }

    private enum Place {
        /// Before a delimiter: the preamble, or a part that is not wanted.
        case outside
        case headers
        case file
        case over
    }

    /// Of a part's header.
    private static let headerLimit = 16_384

    private let field: String
    private let delimiter: [UInt8]
    private var place = Place.outside
    /// What has not been told apart yet; begins with a line end, so that the first delimiter has one before it.
    private var rest = Array("\r\n".utf8)
    /// Bytes of the header's end that stand before the file.
    private var ahead = 0
    private(set) var hasFound = false

    /// `boundary`: of the request's content type; `field`: the name of the part.
    init(boundary: String, field: String) {
        self.field = field
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// The boundary that a content type names; nil where it is no form.
    static func boundary(_ contentType: String) -> String? {
        let parts = contentType.split(separator: ";").map { $0.drop { $0 == " " } }
        guard parts.first?.lowercased() == "multipart/form-data" else { return nil }
        let found = parts.dropFirst().first { $0.lowercased().hasPrefix("boundary=") }
        guard let found else { return nil }
        let value = found.dropFirst(9).filter { $0 != "\"" }
        return (1...70).contains(value.utf8.count) ? String(value) : nil
    }

    /// The file's bytes among these.
    mutating func read(_ bytes: some Sequence<UInt8>) throws(Fault) -> [UInt8] {
        rest += bytes
        var found: [UInt8] = []
        while try step(&found) {}
        return found
    }

    func finish() throws(Fault) {
        guard hasFound else { throw Fault(message: "the form has no file named “\(field)”") }
        guard place == .over || place == .outside else { throw Fault(message: "the form ends too early") }
    }

    /// - Returns: whether there may be more to do with what is there.
    private mutating func step(_ found: inout [UInt8]) throws(Fault) -> Bool {
        switch place {
        case .over:
            rest.removeAll(keepingCapacity: true)
            return false
        case .outside, .file:
            guard let start = Self.find(delimiter, in: rest) else {
                // Its beginning may be at the end of what is there.
                let safe = max(0, rest.count - delimiter.count)
                pass(safe, to: &found)
                return false
            }
            pass(start, to: &found)
            let end = delimiter.count
            guard rest.count >= end + 2 else {
                place = .outside
                return false
            }
            let isLast = rest[end] == UInt8(ascii: "-") && rest[end + 1] == UInt8(ascii: "-")
            rest.removeFirst(end)
            place = isLast ? .over : .headers
            return true
        case .headers:
            guard let end = Self.find(Array("\r\n\r\n".utf8), in: rest) else {
                guard rest.count <= Self.headerLimit else {
                    throw Fault(message: "a part's header is too long")
                }
                return false
            }
            let header = String(decoding: rest[..<end], as: UTF8.self)
            let isWanted = !hasFound && names(header)
            if isWanted { hasFound = true }
            place = isWanted ? .file : .outside
            // An empty part's delimiter begins with the last line end of its header.
            rest.removeFirst(end + 2)
            ahead = 2
            return true
        }
    }

    /// Takes bytes off what is there, those of the file to whoever wants it.
    private mutating func pass(_ count: Int, to found: inout [UInt8]) {
        let skipped = min(ahead, count)
        ahead -= skipped
        if place == .file { found += rest[skipped..<count] }
        rest.removeFirst(count)
    }

    private func names(_ header: String) -> Bool {
        header.split(separator: "\r\n").contains { line in
            let lower = line.lowercased()
            guard lower.hasPrefix("content-disposition:"), lower.contains("form-data") else { return false }
            return line.split(separator: ";").contains { part in
                let text = part.drop { $0 == " " }
                return text == "name=\"\(field)\"" || text == "name=\(field)"
            }
        }
    }

    private static func find(_ wanted: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= wanted.count else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            wanted.withUnsafeBufferPointer { wanted in
                var start = 0
                let last = bytes.count - wanted.count
                while start <= last {
                    guard let next = bytes[start...].firstIndex(of: wanted[0]), next <= last else {
                        return nil
                    }
                    if bytes[next..<(next + wanted.count)].elementsEqual(wanted) { return next }
                    start = next + 1
                }
                return nil
            }
        }
    }
}
