import Operations

extension ConsoleState {
    mutating func askToUndo() {
        guard let change = system.changes.selection else { return }
        let object = ChangeText.object(change)
        let dialog = Dialog(
            title: "Take change \(change.id) back",
            text: [
                "\(change.operator): \(change.action) \(object), \(TimeText.ago(change.time, now: now))",
                "It is as before at once, for callers too; what was changed in one go with it goes back with it.",
            ],
            buttons: [.init(label: "Take back", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(.takeBack([change.id], what: object, of: nil))))
    }
}
