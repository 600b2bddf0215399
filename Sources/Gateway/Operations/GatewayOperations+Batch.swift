import NIOPosix
package import Operations
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension GatewayOperations {
    // MARK: Export

    /// Rows in one piece of a file.
    private static let exportPage = 1000

    package func exportUpstreamKeys(_ export: KeyExport, by user: Operator) async throws -> ByteStream {
        if let id = export.upstream, !(try upstreamStore.upstreamRows().contains { $0.id == id }) {
            throw OperationsError(.notFound, "there is no upstream \(id)")
        }
        if export.revealsValues {
            try user.require(.admin)
            try recordChange(by: user, action: "reveal", object: "upstream_key", id: nil)
        }
        let header = export.format == .csv ? CSVWriter.line(Self.exportColumns.map(\.rawValue)) : ""
        return pages(header: header) { after in
            let rows = try self.keyPage(upstream: export.upstream, after: after, limit: Self.exportPage)
            let lines = try rows.items.map { view, value in
                try export.format == .csv
                    ? CSVWriter.line(
                        Self.fields(view, value: export.revealsValues ? value.value : view.maskedValue)
                    )
                    : Self.line(view, value: export.revealsValues ? value : nil)
            }
            return (lines.joined(), rows.last)
        }
    }

    /// `page`: the text behind an id, and the last id in it; nil where there is none.
    private func pages(
        header: String,
        _ page: @escaping @Sendable (Int) throws -> (text: String, last: Int?)
    ) -> ByteStream {
        let place = PagePlace(header: header)
        return ByteStream {
            try await ImportThreads.pool.runIfActive { try place.next(page) }
        }
    }

    /// By slug and not by id: another gateway has other ids.
    private static let exportColumns =
        [.upstream] + KeyColumn.allCases.filter { $0 != .upstream && $0 != .upstreamID }

    private static func fields(_ key: UpstreamKey, value: String) -> [String] {
        exportColumns.map { column in
            switch column {
            case .upstreamID: "\(key.upstreamId)"
            case .name: key.name
            case .keyValue: value
            case .location: key.location.rawValue
            case .paramName: key.paramName
            case .valuePrefix: key.valuePrefix.isEmpty && key.location == .header ? "'" : key.valuePrefix
            case .enableQuota: "\(key.enableQuota)"
            case .quotaTotal: key.quotaTotal.map(String.init) ?? ""
            case .quotaPeriod: key.quotaPeriod.rawValue
            case .weight: "\(key.weight)"
            case .priority: "\(key.priority)"
            case .requestsPerMinute: key.limits.requestsPerMinute.map(String.init) ?? ""
            case .requestsPerHour: key.limits.requestsPerHour.map(String.init) ?? ""
            case .requestsPerDay: key.limits.requestsPerDay.map(String.init) ?? ""
            case .concurrency: key.limits.concurrency.map(String.init) ?? ""
            case .state: key.state.rawValue
            case .reason: key.reason ?? ""
            case .upstream: key.upstream
            }
        }
    }

    private struct Revealed: Encodable {
        let key: UpstreamKey
        let value: String

        private enum CodingKeys: String, CodingKey { case keyValue }

        func encode(to encoder: any Encoder) throws {
            try key.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(value, forKey: .keyValue)
        }
    }

    private static func line(_ key: UpstreamKey, value: Secret?) throws -> String {
        guard let value else { return try JSONForm.text(key) + "\n" }
        return try JSONForm.text(Revealed(key: key, value: value.value)) + "\n"
    }

    package func exportClientKeys(
        _ format: ExportForm,
        withDigests: Bool,
        by user: Operator
    ) async throws -> ByteStream {
        if withDigests {
            try user.require(.admin)
            try recordChange(by: user, action: "reveal", object: "client_key", id: nil)
        }
        let store = clientKeyStore
        let columns = ClientKeyLine.columns(withDigests: withDigests)
        let header = format == .csv ? CSVWriter.line(columns) : ""
        return pages(header: header) { after in
            let rows = try store.rows(after: after, limit: Self.exportPage)
            let firsts = try store.find(rows.compactMap(\.key.countsAs))
            let lines = try rows.map { row in
                let first = row.key.countsAs.flatMap { firsts[$0]?.key.prefix }
                let line = ClientKeyLine(row, first: first, withDigest: withDigests)
                return try format == .csv ? CSVWriter.line(line.fields) : JSONForm.text(line) + "\n"
            }
            return (lines.joined(), rows.last?.key.id)
        }
    }

    // MARK: Many at once

    /// Ids in one request.
    private static let idLimit = 100_000

    private static func check(_ ids: [Int], _ field: String) throws(OperationsError) {
        guard (1...idLimit).contains(ids.count) else {
            throw OperationsError(.invalid, "must hold 1 to \(idLimit) ids", parameter: field)
        }
    }

    package func setUpstreamKeys(
        _ ids: [Int],
        _ state: KeyState,
        reason: String?,
        by user: Operator
    ) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        try KeyReason.check(reason)
        let (action, health) = try Self.change(
            to: state,
            reason ?? "by \(user.name)",
            at: WallClock.now().microseconds
        )
        let store = upstreamStore
        let found = try await ImportThreads.pool.runIfActive {
            try store.set(keys: ids, health, action: action, by: user)
        }
        for (id, upstream) in found { bring(id, ofUpstream: upstream, to: health) }
        return Self.result(ids, { found[$0] == nil ? "there is no upstream key \($0)" : nil })
    }

    package func deleteUpstreamKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = upstreamStore
        let (deleted, ofFile) = try await ImportThreads.pool.runIfActive {
            try store.delete(keys: ids, by: user)
        }
        if !deleted.isEmpty { try await gateway.snapshots.publishUpstreams() }
        return Self.result(ids) { id in
            if deleted.contains(id) { return nil }
            return ofFile.contains(id)
                ? "the configuration file defines the key \(id)" : "there is no upstream key \(id)"
        }
    }

    package func setClientKeys(_ ids: [Int], enabled: Bool, by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = clientKeyStore
        let outcome = try await ImportThreads.pool.runIfActive {
            try store.setEnabled(enabled, of: ids, by: user)
        }
        if !outcome.changed.isEmpty { try await gateway.snapshots.publishClientKeys(outcome.changed) }
        return Self.result(ids) { outcome.faults[$0] }
    }

    package func deleteClientKeys(_ ids: [Int], by user: Operator) async throws -> BatchResult {
        try user.require(.operator)
        try Self.check(ids, "key_ids")
        let store = clientKeyStore
        let outcome = try await ImportThreads.pool.runIfActive { try store.delete(ids, by: user) }
        if !outcome.changed.isEmpty { try await gateway.snapshots.publishClientKeys(outcome.changed) }
        return Self.result(ids) { outcome.faults[$0] }
    }

    /// In the shape of imports: the row is an id's place in the list.
    private static func result(_ ids: [Int], _ fault: (Int) -> String?) -> BatchResult {
        var result = BatchResult()
        for (index, id) in ids.enumerated() {
            if let fault = fault(id) { result.fail(index + 1, fault) } else { result.successCount += 1 }
        }
        result.committed = result.successCount > 0
        return result
    }
}

/// Where an export has got to; asked for one piece after the other.
private final class PagePlace: Sendable {
    private struct State {
        var header: String
        var last: Int? = 0
    }

    private let state: Mutex<State>

    init(header: String) {
        state = Mutex(State(header: header))
    }

    /// nil at the end.
    func next(_ page: (Int) throws -> (text: String, last: Int?)) throws -> [UInt8]? {
        let (header, after) = state.withLock { state in
            defer { state.header = "" }
            return (state.header, state.last)
        }
        guard let after else { return nil }
        let (text, last) = try page(after)
        state.withLock { $0.last = last }
        let bytes = Array((header + text).utf8)
        return bytes.isEmpty ? nil : bytes
    }
}
