import Operations

/// A change by an operator as lines to read.
enum ChangeText {
    /// `client key team-a`, or with its number where the change tells no name.
    static func object(_ change: OperatorChange) -> String {
        let name = [change.after, change.before].compactMap { $0.flatMap(Self.name) }.first
        let which = change.objectId.map { name ?? String($0) }
        return change.object.replacing("_", with: " ") + (which.map { " \($0)" } ?? "")
    }

    private struct Named: Decodable {
        let name: String?
        let slug: String?
    }

    private static func name(_ json: String) -> String? {
        // What is no object with a name is told by its number.
        guard let named = try? ConsoleJSON.decode(Named.self, from: json) else { return nil }
        return named.slug ?? named.name
    }

    static func line(_ change: OperatorChange, zone: Int) -> String {
        "\(change.time) \(change.operator) (\(change.role), \(change.via)) \(change.action) \(object(change))"
    }

    /// nil when it can be taken back.
    static func refusalOfUndo(_ change: OperatorChange) -> String? {
        if change.undoable { return nil }
        return change.undoneBy.map { "change \($0) has taken it back" }
            ?? "it changed nothing that is kept, or the master key was rotated since, or it is too long ago"
    }

    static func lines(_ change: OperatorChange, zone: Int) -> [TextView.Line] {
        var lines = [
            TextView.Line(StyledText(line(change, zone: zone)), copy: line(change, zone: zone)),
            TextView.Line(StyledText("")),
        ]
        for (title, json) in [("Before", change.before), ("After", change.after)] {
            lines.append(TextView.Line(StyledText(title, .heading)))
            let pretty = json.flatMap(PrettyJSON.lines)
            lines +=
                pretty?.map { TextView.Line($0, copy: $0.text.trimmingSpaces()) }
                ?? [TextView.Line(StyledText(json ?? "nothing", .muted))]
            lines.append(TextView.Line(StyledText("")))
        }
        return lines
    }
}
