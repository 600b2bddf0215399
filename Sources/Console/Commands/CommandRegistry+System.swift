extension CommandRegistry {
    static let system = [
        Command(
            id: .reload,
            title: "Read the configuration file again",
            keys: ["ctrl-r"],
            context: .system,
            hint: "reload",
            isChange: true
        ),
        Command(
            id: .undoChange,
            title: "Take the chosen change back",
            keys: ["U"],
            context: .system,
            hint: "undo it",
            isChange: true
        ),
        Command(
            id: .backUp,
            title: "Back everything up into a file",
            keys: ["b"],
            context: .system,
            hint: "back up",
            isChange: true
        ),
        Command(
            id: .rotateMasterKey,
            title: "Seal all secrets anew under another master key",
            keys: [],
            context: .system,
            isChange: true
        ),
    ]
}
