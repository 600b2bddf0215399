import AdminAPI
import ArgumentParser
import Operations

/// Who changed what.
struct ChangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract: "Show who changed what, newest first.",
        discussion: """
            Changes with a * can be taken back: fastgate undo ID
            Examples:
              fastgate changes
              fastgate changes --limit 20 --json
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Option(help: "How many, 1 to 1000.")
    var limit = 30

    func run() async throws {
        try await CommandRun.run {
            let page = try await connection.client().operatorChanges(
                limit: limit,
                cursor: nil,
                by: GatewayConnection.me
            )
            if connection.json { return try CommandRun.showJSON(page) }
            guard !page.items.isEmpty else { return Output.line("nothing has been changed yet") }
            Output.line(ChangeTable.text(page.items))
        }
    }
}

/// Takes a change back.
struct UndoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Take a change back, together with those that were made in one go with it.",
        discussion: """
            Refused when somebody has changed the same thing since. An undo is a change, too, and can be undone.
            Example: fastgate undo 41
            """
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The change's id, as fastgate changes shows it.")
    var id: Int

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let change = try await client.undo(change: id, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(change) }
            let recent = try await client.operatorChanges(limit: 1000, cursor: nil, by: GatewayConnection.me)
            let undone = recent.items.filter { $0.undoneBy == change.id }
            Output.line(ChangeTable.text(undone))
            Output.line(
                "taken back; fastgate undo \(change.id) makes \(undone.count == 1 ? "it" : "them") again"
            )
        }
    }
}

/// Operators who are watching.
struct OperatorsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operators",
        abstract: "Show who is watching now, and who you are.",
        discussion: "Example: fastgate operators"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let client = try connection.client()
            let page = try await client.operators(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            let me = try await client.me(by: GatewayConnection.me)
            Output.line("you are \(me.name), \(me.role.rawValue), by \(me.via)")
            let rows = page.items.map { [$0.name, $0.role.rawValue, $0.via, $0.since.description] }
            guard !rows.isEmpty else { return Output.line("nobody watches") }
            Output.line(TextTable(header: ["OPERATOR", "ROLE", "VIA", "SINCE"], rows: rows).text)
        }
    }
}

/// Changes as a person reads them.
enum ChangeTable {
    static func text(_ changes: [OperatorChange]) -> String {
        let header = ["ID", "", "TIME", "OPERATOR", "VIA", "ACTION", "OBJECT", "WHAT"]
        let rows = changes.map { change in
            [
                "\(change.id)", change.undoable ? "*" : "", time(change.time), change.operator, change.via,
                change.action, change.object + (change.objectId.map { " \($0)" } ?? ""),
                (note(change) + [ChangeText(change).text]).filter { !$0.isEmpty }.joined(separator: "; "),
            ]
        }
        return TextTable(header: header, rows: rows).text
    }

    /// To the second.
    private static func time(_ time: Timestamp) -> String {
        time.description.prefix(19).replacing("T", with: " ") + "Z"
    }

    private static func note(_ change: OperatorChange) -> [String] {
        let notes = [change.undoes.map { "takes \($0) back" }, change.undoneBy.map { "taken back by \($0)" }]
        return notes.compactMap(\.self)
    }
}
