import Operations

/// A change by an operator as lines to read.
enum ChangeText {
    static func object(_ change: OperatorChange) -> String {
        change.object.replacing("_", with: " ") + (change.objectId.map { " \($0)" } ?? "")
    }

    static func line(_ change: OperatorChange, zone: Int) -> String {
        "\(change.time) \(change.operator) (\(change.role), \(change.via)) \(change.action) \(object(change))"
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
