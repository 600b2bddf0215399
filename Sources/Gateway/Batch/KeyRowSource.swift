import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns the bytes of a file into rows of keys, whichever way it is written.
struct KeyRowSource {
    enum Row: Sendable {
        case row(KeyRow)
        case fault(RowFault)
    }

    private enum Form {
        case csv(CSVReader, columns: [KeyColumn]?)
        case json(JSONRows)
    }

    private var form: Form
    private var count = 0
    /// The upstream that a JSON file names for all of its keys.
    private(set) var upstream: KeyRow?

    init(_ format: ImportFormat) {
        form = format == .csv ? .csv(CSVReader(), columns: nil) : .json(JSONRows(list: "keys"))
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
            rows.append(row(record, columns))
        }
        return rows
    }

    private static func columns(_ record: CSVReader.Record) throws(OperationsError) -> [KeyColumn] {
        func refuse(_ message: String) -> OperationsError {
            let all = KeyColumn.allCases.map(\.rawValue).joined(separator: ", ")
            return OperationsError(.invalid, "\(message); there are \(all)", parameter: "columns")
        }
        if let fault = record.fault { throw refuse("the line of column names \(fault)") }
        var columns: [KeyColumn] = []
        for text in record.fields {
            let name = text.lowercased().filter { $0 != " " }
            guard let column = KeyColumn(rawValue: name) else {
                throw refuse("there is no column “\(TextLine.safe(String(text.prefix(60))))”")
            }
            guard !columns.contains(column) else { throw refuse("the column \(name) is there twice") }
            columns.append(column)
        }
        if let missing = KeyColumn.required.first(where: { !columns.contains($0) }) {
            throw refuse("the column \(missing.rawValue) is missing")
        }
        guard columns.contains(.upstreamID) || columns.contains(.upstream) else {
            throw refuse("the column upstream_id (or upstream) is missing")
        }
        return columns
    }

    private func row(_ record: CSVReader.Record, _ columns: [KeyColumn]) -> Row {
        if let fault = record.fault { return .fault(RowFault(row: record.number, error: fault)) }
        guard record.fields.count <= columns.count else {
            let error = "has \(record.fields.count) fields, and there are \(columns.count) columns"
            return .fault(RowFault(row: record.number, error: error))
        }
        var row = KeyRow(number: record.number)
        for (column, text) in zip(columns, record.fields) where !text.isEmpty {
            // What is left empty has its default; a lone apostrophe is how spreadsheets write that there is nothing.
            row[column] = text == "'" && column == .valuePrefix ? "" : CSVWriter.original(text)
        }
        return .row(row)
    }

    // MARK: JSON

    private mutating func jsonRow(_ bytes: [UInt8]) -> Row {
        count += 1
        do {
            let object = try JSONDecoder().decode(KeyObject.self, from: Data(bytes))
            var row = KeyRow(number: count)
            for (column, text) in object.texts { row[column] = text }
            return .row(row)
        } catch let fault as KeyRowFault {
            return .fault(RowFault(row: count, error: fault.message))
        } catch {
            return .fault(RowFault(row: count, error: "is no JSON object of a key"))
        }
    }

    private mutating func takeMembers(_ members: [String: [UInt8]]) throws(OperationsError) {
        for name in members.keys.sorted() where name != "upstream_id" && name != "upstream" {
            throw OperationsError(
                .invalid,
                "unknown field; fields are upstream_id, upstream, keys",
                parameter: TextLine.safe(String(name.prefix(60)))
            )
        }
        guard !members.isEmpty else { return }
        var row = KeyRow(number: 0)
        for (name, json) in members {
            // What is neither is said to be no upstream.
            let text = (try? JSONDecoder().decode(JSONScalar.self, from: Data(json)))?.text
            row[name == "upstream" ? .upstream : .upstreamID] = text ?? "(not a number)"
        }
        upstream = row
    }
}

/// A key as a JSON file has it: the columns as members, with limits also as the API has them.
private struct KeyObject: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private(set) var texts: [KeyColumn: String] = [:]

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Name.self)
        for name in members.allKeys {
            if name.stringValue == "limits" {
                let limits = try members.nestedContainer(keyedBy: Name.self, forKey: name)
                for limit in limits.allKeys { try take(limit, of: limits, isLimit: true) }
            } else {
                try take(name, of: members, isLimit: false)
            }
        }
    }

    private mutating func take(
        _ name: Name,
        of members: KeyedDecodingContainer<Name>,
        isLimit: Bool
    ) throws {
        guard let column = KeyColumn(rawValue: name.stringValue),
            !isLimit || RateLimits.fields.contains(name.stringValue)
        else {
            throw KeyRowFault(
                message: "unknown field “\(TextLine.safe(String(name.stringValue.prefix(60))))”"
            )
        }
        let scalar: JSONScalar
        do {
            scalar = try members.decode(JSONScalar.self, forKey: name)
        } catch {
            throw KeyRowFault(message: "\(column.rawValue) must be a text, a number or a truth")
        }
        texts[column] = scalar.text
    }
}

/// A text, a number, a truth or null, as text.
private struct JSONScalar: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Each in turn: a value is of one kind, and no other fits.
        if container.decodeNil() {
            text = nil
        } else if let value = try? container.decode(String.self) {
            text = value
        } else if let value = try? container.decode(Bool.self) {
            text = value ? "true" : "false"
        } else {
            text = "\(try container.decode(Int.self))"
        }
    }
}
