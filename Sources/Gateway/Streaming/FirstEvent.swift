/// What the first event of a stream is: the beginning of an answer, or an error in its place.
enum FirstEvent: Equatable {
    /// More bytes are needed to tell.
    case incomplete
    case answer
    /// With the status that the provider would have answered with.
    case failure(status: Int)

    static func read(_ bytes: UnsafeRawBufferPointer) -> FirstEvent {
        var isError = false
        var data: UnsafeRawBufferPointer?
        var start = 0
        while let end = ASCII.firstIndex(of: ASCII.lf, in: bytes, from: start) {
            var line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if line.last == 0x0D { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
            start = end + 1
            if line.isEmpty {
                guard let data else { continue }
                return failure(data, isError: isError).map(FirstEvent.failure) ?? .answer
            }
            if let value = field("event", of: line) { isError = value.elementsEqual("error".utf8) }
            // An error is one line; of more lines the first tells.
            if data == nil, let value = field("data", of: line) { data = value }
        }
        return .incomplete
    }

    private static func field(
        _ name: StaticString,
        of line: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        let length = name.utf8CodeUnitCount
        guard line.count > length, line[length] == UInt8(ascii: ":"),
            name.withUTF8Buffer({ line.prefix(length).elementsEqual($0) })
        else { return nil }
        return ASCII.trimmed(UnsafeRawBufferPointer(rebasing: line[(length + 1)...]))
    }

    private static func failure(_ data: UnsafeRawBufferPointer, isError: Bool) -> Int? {
        let error = JSONFields.value("error", in: data)
        // Some providers send the member with nothing in it.
        let nothing = ["null", "false", "0", "\"\"", "{}", "[]"]
        let isEmpty = error.map { value in
            nothing.contains { value.elementsEqual($0.utf8) } || JSONFields.integer("code", in: value) == 0
        }
        guard isError || isEmpty == false else { return nil }
        // What nobody knows may have been paid for, and is not asked again.
        return error.flatMap(status) ?? 500
    }

    /// `code` and `status` may be a number; `type` and `code` are words.
    private static func status(_ error: UnsafeRawBufferPointer) -> Int? {
        for name in ["code", "status", "status_code"] as [StaticString] {
            if let number = JSONFields.integer(name, in: error), (400..<600).contains(number) {
                return number
            }
        }
        let words =
            (JSONFields.string("type", in: error) ?? "") + (JSONFields.string("code", in: error) ?? "")
        for (part, status) in [
            ("rate_limit", 429), ("insufficient_quota", 429), ("authentication", 401),
            ("invalid_api_key", 401),
            ("permission", 403), ("overloaded", 529), ("timeout", 504), ("invalid_request", 400),
            ("not_found", 404),
        ] where words.contains(part) {
            return status
        }
        return nil
    }
}
