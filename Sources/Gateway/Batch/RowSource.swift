import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns the bytes of a file into rows, whichever way it is written.
struct RowSource<Column: ImportColumn> {
    enum Row: Sendable {
        case row(ImportRow<Column>)
        case fault(RowFault)
    }

    private static var list: String { "keys" }

    private enum Form {
        case csv(CSVReader, columns: [Column?]?)
        case json(JSONRows)
    }

    private var form: Form
    private var count = 0
    /// What a JSON file says beside its list, for all of its rows.
    private(set) var shared: ImportRow<Column>?

    init(_ format: ImportFormat) {
        form = format == .csv ? .csv(CSVReader(), columns: nil) : .json(JSONRows(list: Self.list))
    }

    /// - Throws: `OperationsError` when the file as a whole does not hold.
    mutating func read(_ bytes: [UInt8]) throws(OperationsError) -> [Row] {
        switch form {
        case .csv(var reader, let columns):
            let records = reader.read(bytes)
            form = .csv(reader, columns: columns)
            return try rows(of: records)
        case .json(var reader):
            let found: [[UInt8]]
            do throws(JSONRows.Fault) {
                found = try reader.read(bytes)
            } catch {
                throw OperationsError(.invalid, error.message, parameter: "file")
            }
            form = .json(reader)
            return found.map { jsonRow($0) }
        }
    }

    mutating func finish() throws(OperationsError) -> [Row] {
        switch form {
        case .csv(var reader, let columns):
            let records = reader.finish()
            form = .csv(reader, columns: columns)
            let rows = try rows(of: records)
            guard case .csv(_, .some) = form else {
                throw OperationsError(
                    .invalid,
                    "is empty: it needs a line of column names",
                    parameter: "file"
                )
            }
            return rows
        case .json(let reader):
            do throws(JSONRows.Fault) {
                try reader.finish()
            } catch {
                throw OperationsError(.invalid, error.message, parameter: "file")
            }
            try takeMembers(reader.members)
            return []
        }
    }

    // MARK: CSV

    private mutating func rows(of records: [CSVReader.Record]) throws(OperationsError) -> [Row] {
        var rows: [Row] = []
        for record in records {
            guard case .csv(let reader, let columns) = form else { break }
            guard let columns else {
                form = .csv(reader, columns: try Self.columns(record))
                continue
            }
            // Spreadsheets end their files with rows of nothing.
            if record.fault == nil, record.fields.allSatisfy(\.isEmpty) { continue }
            rows.append(row(record, columns))
        }
        return rows
    }

    private static func columns(_ record: CSVReader.Record) throws(OperationsError) -> [Column?] {
        func refuse(_ message: String) -> OperationsError {
            let all = Column.allCases.map(\.rawValue).joined(separator: ", ")
            return OperationsError(.invalid, "\(message); there are \(all)", parameter: "columns")
        }
        if let fault = record.fault { throw refuse("the line of column names \(fault)\(Self.hint(record))") }
        var columns: [Column?] = []
        for text in record.fields {
            let name = text.lowercased().filter { $0 != " " }
            let column = Column(rawValue: name)
            guard column != nil || Column.passedOver.contains(name) else {
                throw refuse(
                    "there is no column “\(TextLine.safe(String(text.prefix(60))))”\(Self.hint(record))"
                )
            }
            guard column == nil || !columns.contains(column) else {
                throw refuse("the column \(name) is there twice")
            }
            columns.append(column)
        }
        if let missing = Column.required.first(where: { !columns.contains($0) }) {
            throw refuse("the column \(missing.rawValue) is missing")
        }
        let alternatives = Column.alternatives
        guard alternatives.isEmpty || alternatives.contains(where: { columns.contains($0) }) else {
            let names = alternatives.map(\.rawValue)
            throw refuse(
                "the column \(names[0]) (or \(names.dropFirst().joined(separator: ", "))) is missing"
            )
        }
        return columns
    }

    /// What has most likely been done to the file.
    private static func hint(_ record: CSVReader.Record) -> String {
        if record.fields.contains(where: { $0.contains("\0") }) || record.fault?.contains("NUL") == true {
            return " (is it UTF-16? save it as UTF-8)"
        }
        guard record.fields.count == 1, let text = record.fields.first else {
            return record.fields.count > Column.allCases.count
                ? " (are its line ends gone? curl keeps them with --data-binary)" : ""
        }
        if text.contains(";") { return " (columns are apart by commas, not by ;)" }
        return text.contains("\t") ? " (columns are apart by commas, not by tabs)" : ""
    }

    private func row(_ record: CSVReader.Record, _ columns: [Column?]) -> Row {
        if let fault = record.fault { return .fault(RowFault(row: record.number, error: fault)) }
        guard record.fields.count <= columns.count else {
            let error = "has \(record.fields.count) fields, and there are \(columns.count) columns"
            return .fault(RowFault(row: record.number, error: error))
        }
        guard record.fields.count == columns.count || !Column.needsWholeRows else {
            let error =
                "ends too early: \(record.fields.count) fields, and there are \(columns.count) columns"
            return .fault(RowFault(row: record.number, error: error))
        }
        var row = ImportRow<Column>(number: record.number)
        for (column, text) in zip(columns, record.fields) where !text.isEmpty {
            guard let column else { continue }
            // A lone apostrophe is how spreadsheets write that there is nothing.
            row[column] = text == "'" && Column.emptyTexts.contains(column) ? "" : CSVWriter.original(text)
        }
        return .row(row)
    }

    // MARK: JSON

    private mutating func jsonRow(_ bytes: [UInt8]) -> Row {
        count += 1
        do {
            let object = try JSONDecoder().decode(RowObject<Column>.self, from: Data(bytes))
            var row = ImportRow<Column>(number: count)
            for (column, text) in object.texts { row[column] = text }
            return .row(row)
        } catch let fault as RowFailure {
            return .fault(RowFault(row: count, error: fault.message))
        } catch {
            return .fault(RowFault(row: count, error: "is no JSON object of a key"))
        }
    }

    private mutating func takeMembers(_ members: [String: [UInt8]]) throws(OperationsError) {
        guard !members.isEmpty else { return }
        var row = ImportRow<Column>(number: 0)
        for name in members.keys.sorted() {
            guard let column = Column.shared.first(where: { $0.rawValue == name }) else {
                let fields = Column.shared.map(\.rawValue) + [Self.list]
                throw OperationsError(
                    .invalid,
                    "unknown field; fields are \(fields.joined(separator: ", "))",
                    parameter: TextLine.safe(String(name.prefix(60)))
                )
            }
            // What is neither is said not to hold.
            let cell = try? JSONDecoder().decode(JSONCell.self, from: Data(members[name] ?? []))
            row[column] = cell.flatMap { $0.isList ? nil : $0.text } ?? "(not a text)"
        }
        shared = row
    }
}

/// A row as a JSON file has it: columns as members, and those that the API has in an object also there.
private struct RowObject<Column: ImportColumn>: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private(set) var texts: [Column: String] = [:]
    private var seen: Set<Column> = []

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Name.self)
        for name in members.allKeys {
            if let fields = Column.nested[name.stringValue] {
                // An object that is null has no fields.
                if try members.decodeNil(forKey: name) { continue }
                guard let object = try? members.nestedContainer(keyedBy: Name.self, forKey: name) else {
                    // Of whatever kind it is instead.
                    throw RowFailure(message: "\(name.stringValue) must be an object")
                }
                for field in object.allKeys { try take(field, fields[field.stringValue], of: object) }
            } else {
                try take(name, Column(rawValue: name.stringValue), of: members)
            }
        }
    }

    private mutating func take(
        _ name: Name,
        _ column: Column?,
        of members: KeyedDecodingContainer<Name>
    ) throws {
        guard let column else {
            if Column.passedOver.contains(name.stringValue) { return }
            throw RowFailure(
                message: "unknown field “\(TextLine.safe(String(name.stringValue.prefix(60))))”"
            )
        }
        let cell: JSONCell
        do {
            cell = try members.decode(JSONCell.self, forKey: name)
            guard !cell.isList || Column.lists.contains(column) else { throw JSONCell.WrongKind() }
        } catch {
            let list = Column.lists.contains(column) ? ", a list of texts" : ""
            throw RowFailure(message: "\(column.rawValue) must be a text\(list), a whole number or a truth")
        }
        guard seen.insert(column).inserted else {
            throw RowFailure(message: "\(column.rawValue) is there twice")
        }
        texts[column] = cell.text
    }
}

/// A text, a number, a truth, a list of texts or null, as the text of a cell.
private struct JSONCell: Decodable {
    struct WrongKind: Error {}

    let text: String?
    private(set) var isList = false

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Each in turn: a value is of one kind, and no other fits.
        if container.decodeNil() {
            text = nil
        } else if let value = try? container.decode(String.self) {
            text = value
        } else if let value = try? container.decode(Bool.self) {
            text = value ? "true" : "false"
            // Only some columns take one.
        } else if let value = try? container.decode([String].self) {
            // An empty one would be lost, and a list of nothing allows everything.
            guard value.allSatisfy({ !$0.allSatisfy(\.isWhitespace) && !$0.contains("\u{1F}") }) else {
                throw WrongKind()
            }
            (text, isList) = (CellList.text(value), true)
        } else {
            text = "\(try container.decode(Int.self))"
        }
    }
}

/// Several texts in one cell: one a line, or apart by spaces, commas and semicolons where there is only one line.
enum CellList {
    /// Before each value of a list that was one already, and is not to be taken apart.
    private static let mark: Character = "\u{1F}"

    static func text(_ values: [String]) -> String { values.map { "\(mark)\($0)" }.joined() }

    static func values(_ text: String) -> [String] {
        if text.first == mark { return text.split(separator: mark).map(String.init) }
        let isByLine = text.contains { $0.isNewline }
        return text.split { isByLine ? $0.isNewline : " ,;".contains($0) }.map(String.init)
    }
}
