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

    mutating func askToRotateMasterKey() {
        let dialog = Dialog(
            title: "Another master key",
            text: [
                "All secrets are sealed anew under a new one, at once, and nothing stops meanwhile. The key before is kept "
                    + "beside it for backups of before. Keep a copy of the new one in another place. "
                    + "What was changed before cannot be undone any more."
            ],
            buttons: [.init(label: "Rotate", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(.rotateMasterKey)))
    }

    mutating func backedUp(_ path: String, _ log: Bool, _ result: Result<Int, OperationsError>) {
        toast = nil
        let form =
            awaited == .backUp(path: path, log: log) ? overlays.firstIndex(where: \.isBusyForm) : nil
        switch result {
        case .failure(let error):
            if let form { refuse(form, error) } else { say(error.description, .error, for: 10) }
        case .success(let bytes):
            if let form { overlays.remove(at: form) }
            say(
                "\(path) has \(ByteText.short(bytes)); the master key and the file are not in it",
                .ok,
                for: 10
            )
        }
    }
}

/// Where a backup goes.
enum BackupForm {
    private static let kinds = (with: "with the log", without: "without the log")

    static func form() -> Form {
        Form(
            title: "Back up",
            submitLabel: "Back up",
            fields: [
                .text("path", "File", placeholder: "a new file on this console's machine", limit: 4096),
                .choice("log", "What", [kinds.with, kinds.without], kinds.with),
            ]
        )
    }

    static func check(_ form: inout Form, isComplete: Bool) {
        form.errors = isComplete && form.word("path").isEmpty ? ["path": "needs a file"] : [:]
    }

    static func effect(_ form: Form) -> ConsoleEffect? {
        form.word("path").isEmpty
            ? nil : .backUp(path: form.word("path"), log: form.choice("log") == kinds.with)
    }
}
