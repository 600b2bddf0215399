/// What can be done with header rules and with the script that is being written.
extension CommandRegistry {
    static let headers = [
        Command(
            id: .newHeader,
            title: "New header",
            keys: ["n"],
            context: .headers,
            hint: "new",
            isChange: true
        ),
        Command(id: .editHeader, title: "Edit", keys: ["e"], context: .headers, hint: "edit", isChange: true),
        Command(
            id: .toggleHeader,
            title: "On or off",
            keys: ["d"],
            context: .headers,
            hint: "off",
            isChange: true
        ),
        Command(
            id: .headerUp,
            title: "Add it earlier",
            keys: ["K", "shift-up"],
            context: .headers,
            hint: "up",
            isChange: true
        ),
        Command(
            id: .headerDown,
            title: "Add it later",
            keys: ["J", "shift-down"],
            context: .headers,
            hint: "down",
            isChange: true
        ),
        Command(
            id: .deleteHeader,
            title: "Delete",
            keys: ["D"],
            context: .headers,
            hint: "delete",
            isChange: true
        ),
    ]

    static let scripts = [
        Command(id: .typeScript, title: "Type into the script", keys: ["i"], context: .scripts),
        Command(id: .openScript, title: "Open a script", keys: ["o"], context: .scripts, hint: "open"),
        Command(id: .newScript, title: "New script", keys: ["n"], context: .scripts),
        Command(
            id: .scriptExamples,
            title: "Begin with an example",
            keys: ["x"],
            context: .scripts,
            hint: "examples"
        ),
        Command(
            id: .scriptLanguage,
            title: "JavaScript or Python",
            keys: ["l"],
            context: .scripts,
            hint: "language"
        ),
        Command(
            id: .scriptContext,
            title: "The request that it is tried with",
            keys: ["c"],
            context: .scripts,
            hint: "context"
        ),
        Command(
            id: .saveScriptAs,
            title: "Save into another header rule",
            keys: ["S"],
            context: .scripts,
            isChange: true
        ),
    ]

    static let editor = [
        Command(id: .runScript, title: "Run the script", keys: ["ctrl-t"], context: .editor, hint: "run"),
        Command(
            id: .saveScript,
            title: "Save into its header rule",
            keys: ["ctrl-s"],
            context: .editor,
            hint: "save",
            isChange: true
        ),
        Command(
            id: .undoScript,
            title: "Take back what was typed",
            keys: ["ctrl-z"],
            context: .editor,
            hint: "undo"
        ),
        Command(id: .redoScript, title: "Type it again", keys: ["ctrl-y"], context: .editor),
        Command(
            id: .findInScript,
            title: "Find in the script",
            keys: ["ctrl-f"],
            context: .editor,
            hint: "find"
        ),
        Command(id: .goToLine, title: "Go to a line", keys: ["ctrl-g"], context: .editor, hint: "line"),
        Command(
            id: .externalEditor,
            title: "Edit the script in $EDITOR",
            keys: ["ctrl-x"],
            context: .editor,
            hint: "$EDITOR"
        ),
    ]
}
