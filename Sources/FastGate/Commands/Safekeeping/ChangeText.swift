import Foundation
import Operations

/// What a change was about, in a line: the name of what was changed, and the fields that have become others; of what has
/// no name what is told of it.
struct ChangeText {
    private static let limit = 100
    /// What changes by itself, or says nothing to people.
    private static let passed: Set = [
        "version", "created_at", "last_used_at", "hits", "last_hit_at", "counts_as", "id", "prefix", "last4",
    ]

    private let before: [String: String]
    private let after: [String: String]

    init(_ change: OperatorChange) {
        before = Self.fields(change.before)
        after = Self.fields(change.after)
    }

    var text: String {
        let name = after["name"] ?? before["name"] ?? after["slug"] ?? before["slug"]
        var parts = name.map { [$0] } ?? []
        if !before.isEmpty, !after.isEmpty {
            let changed = Set(before.keys).union(after.keys).subtracting(Self.passed).sorted().filter {
                before[$0] != after[$0]
            }
            parts.append(
                changed.map { "\($0) \(before[$0] ?? "–") → \(after[$0] ?? "–")" }.joined(separator: ", ")
            )
        }
        if parts.isEmpty, before.isEmpty {
            parts = [after.sorted { $0.key < $1.key }.map { "\($0) \($1)" }.joined(separator: ", ")]
        }
        let text = parts.filter { !$0.isEmpty }.joined(separator: ": ")
        return text.count > Self.limit ? text.prefix(Self.limit - 1) + "…" : text
    }

    /// The members of an object, and of those in it, as texts; of anything else its text.
    private static func fields(_ json: String?) -> [String: String] {
        // Text that is no JSON has nothing to tell.
        guard let json, let value = try? JSONSerialization.jsonObject(with: Data(json.utf8)) else {
            return [:]
        }
        guard let object = value as? [String: Any] else { return ["order": String(json.prefix(60))] }
        var fields: [String: String] = [:]
        take(object, prefix: "", into: &fields)
        return fields
    }

    private static func take(_ object: [String: Any], prefix: String, into fields: inout [String: String]) {
        for (name, value) in object {
            if let inner = value as? [String: Any] {
                take(inner, prefix: name == "definition" ? prefix : prefix + name + ".", into: &fields)
            } else {
                fields[prefix + name] = text(value)
            }
        }
    }

    private static func text(_ value: Any) -> String? {
        switch value {
        case is NSNull: nil
        case let text as String: text.isEmpty ? nil : text
        case let list as [Any]: list.isEmpty ? nil : list.compactMap(text).joined(separator: " ")
        default: "\(value)"
        }
    }
}
