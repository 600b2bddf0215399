import Operations

/// A row of a file: texts by column, whatever the file was written in.
struct ImportRow<Column: ImportColumn>: Sendable, Equatable {
    let number: Int
    private var texts: [String?]

    init(number: Int) {
        self.number = number
        texts = Array(repeating: nil, count: Column.allCases.count)
    }

    /// `texts`: one for each column, in the order of `Column.allCases`.
    init(number: Int, texts: [String?]) {
        self.number = number
        self.texts = texts
    }

    var all: [String?] { texts }

    subscript(column: Column) -> String? {
        get { texts[Column.places[column] ?? 0] }
        set { texts[Column.places[column] ?? 0] = newValue }
    }
}

/// Why a row does not hold, in the words of its columns.
struct RowFailure: Error, Equatable {
    let message: String
}

/// What a row's texts mean.
extension ImportRow {
    /// nil for a column that is not there, and for one that is empty.
    func given(_ column: Column) -> String? {
        let text = (self[column] ?? "").trimmingASCIISpaces()
        return text.isEmpty ? nil : text
    }

    func number(_ column: Column, _ range: ClosedRange<Int>) throws(RowFailure) -> Int? {
        guard let text = given(column) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw RowFailure(
                message:
                    "\(column.rawValue) must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    func choice<Value: RawRepresentable & CaseIterable>(
        _ column: Column
    ) throws(RowFailure) -> Value? where Value.RawValue == String {
        guard let text = given(column) else { return nil }
        guard let value = Value(rawValue: text.lowercased()) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw RowFailure(message: "\(column.rawValue) must be one of \(all)")
        }
        return value
    }

    /// Rate limits, which are called the same in every kind of file.
    func limits() throws(RowFailure) -> RateLimits {
        func limit(_ name: String) throws(RowFailure) -> Int? {
            guard let column = Column(rawValue: name) else { return nil }
            return try number(column, RateLimits.range)
        }
        return RateLimits(
            minute: try limit("requests_per_minute"),
            hour: try limit("requests_per_hour"),
            day: try limit("requests_per_day"),
            concurrency: try limit("concurrency")
        )
    }

    func truth(_ column: Column) throws(RowFailure) -> Bool? {
        switch (given(column) ?? "").lowercased() {
        case "": return nil
        case "false", "0", "no": return false
        case "true", "1", "yes": return true
        default: throw RowFailure(message: "\(column.rawValue) must be true or false")
        }
    }
}

extension String {
    fileprivate func trimmingASCIISpaces() -> String {
        guard first == " " || last == " " else { return self }
        return String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
