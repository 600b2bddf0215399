/// What can be done with channels, tasks and what was told.
extension CommandRegistry {
    static let channels = [
        Command(
            id: .newChannel,
            title: "New channel",
            keys: ["n"],
            context: .channels,
            hint: "new",
            isChange: true
        ),
        Command(
            id: .editChannel,
            title: "Edit",
            keys: ["e"],
            context: .channels,
            hint: "edit",
            isChange: true
        ),
        Command(
            id: .testChannel,
            title: "Send a test now",
            keys: ["t"],
            context: .channels,
            hint: "test",
            isChange: true
        ),
        Command(
            id: .toggleChannel,
            title: "On or off",
            keys: ["d"],
            context: .channels,
            hint: "off",
            isChange: true
        ),
        Command(id: .deleteChannel, title: "Delete", keys: ["D"], context: .channels, isChange: true),
    ]

    static let tasks = [
        Command(
            id: .runTask,
            title: "Run the task now",
            keys: ["x"],
            context: .tasks,
            hint: "run now",
            isChange: true
        ),
        Command(
            id: .taskInterval,
            title: "Change how often it runs",
            keys: ["e"],
            context: .tasks,
            hint: "interval",
            isChange: true
        ),
    ]

    static let history = [
        Command(
            id: .resend,
            title: "Send what was given up again",
            keys: ["R"],
            context: .history,
            hint: "send again",
            isChange: true
        )
    ]

    static let alerts = [
        Command(
            id: .showTemplate,
            title: "Show the text for an event",
            keys: ["m"],
            context: .alerts,
            hint: "texts"
        ),
        Command(
            id: .editTemplate,
            title: "Edit the text for an event in $EDITOR",
            keys: ["M"],
            context: .alerts,
            hint: "edit text",
            isChange: true
        ),
    ]
}
