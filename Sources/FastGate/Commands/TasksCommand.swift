import AdminAPI
import ArgumentParser
import Operations

/// What the gateway does by itself.
struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "Show what the gateway does by itself, when and with what result; run it now.",
        subcommands: [TasksList.self, TasksRun.self, TasksSet.self],
        defaultSubcommand: TasksList.self
    )
}

/// Tasks as a person reads them.
enum TaskTable {
    static func text(_ tasks: [ScheduledTask]) -> String {
        let header = ["TASK", "EVERY", "LAST RUN", "TOOK", "NEXT RUN", "RESULT"]
        let rows = tasks.map { task in
            [
                task.name.rawValue, task.interval, task.lastRunAt?.description ?? "never",
                task.lastDurationMs.map { "\(Int($0)) ms" } ?? "",
                task.running ? "running" : task.nextRunAt.description,
                (task.succeeded == false ? "failed: " : "") + (task.result ?? ""),
            ]
        }
        return TextTable(header: header, rows: rows).text
    }
}

struct TasksList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List tasks with their last and next run.",
        discussion: "Example: fastgate tasks list"
    )
    @OptionGroup var connection: GatewayConnection

    func run() async throws {
        try await CommandRun.run {
            let page = try await connection.client().tasks(by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(page) }
            Output.line(TaskTable.text(page.items))
        }
    }
}

struct TasksRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a task now, and wait for its end.",
        discussion: "Example: fastgate tasks run retention"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The task's name.")
    var name: String

    func run() async throws {
        try await CommandRun.run {
            let task = try await connection.client().runTask(name, by: GatewayConnection.me)
            if connection.json { try CommandRun.showJSON(task) } else { Output.line(TaskTable.text([task])) }
            if task.succeeded == false { throw ExitCode(1) }
        }
    }
}

struct TasksSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change how often a task runs.",
        discussion: "Example: fastgate tasks set retention --every 1m"
    )
    @OptionGroup var connection: GatewayConnection
    @Argument(help: "The task's name.")
    var name: String
    @Option(help: "A duration such as 30s or 1h, or default.")
    var every: String

    func run() async throws {
        try await CommandRun.run {
            var change = ScheduledTaskChange()
            change.interval = every == "default" ? .clear : .set(every)
            let task = try await connection.client().changeTask(name, change, by: GatewayConnection.me)
            if connection.json { return try CommandRun.showJSON(task) }
            Output.line(TaskTable.text([task]))
        }
    }
}
