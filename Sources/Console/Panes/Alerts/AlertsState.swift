import Operations

extension NotificationChannel: Identifiable {}
extension NotificationRecord: Identifiable {}

/// A task as a row of a table.
struct TaskRow: Identifiable, Sendable, Equatable {
    let id: Int
    let task: ScheduledTask
}

/// What the alerts pane shows: who is told, what the gateway does by itself, and what was told.
struct AlertsState: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case channels
        case tasks
        case history
    }

    /// Which of them has the keys.
    var part = Part.channels
    var channels = TableState<NotificationChannel>()
    var tasks = TableState<TaskRow>()
    var history = TableState<NotificationRecord>()
    var isLoading = true
    var fault: String?
    /// A channel that has just been made, to be chosen once it is in the list.
    var wanted: String?
    /// The text that is being written in the operator's own editor.
    var template: NotificationTemplate?
    /// What was written and is not kept yet: nobody writes a text twice for a fault in it.
    var unkept: (event: NotificationEvent, text: String)?
}

/// What operators do with channels, tasks and texts.
enum AlertEdit: Sendable, Equatable {
    case create(NotificationChannelDraft)
    /// From the channel as it was.
    case change(NotificationChannel, NotificationChannelChange)
    case setEnabled(NotificationChannel, Bool)
    case delete(NotificationChannel)
    case resend([NotificationRecord])
    case runTask(String)
    /// nil for the default; with the interval before.
    case setInterval(String, String?)
    case template(NotificationTemplate, NotificationTemplateChange)

    var ids: [Int] { if case .resend(let records) = self { records.map(\.id) } else { [] } }

    /// For messages.
    var object: String {
        switch self {
        case .create(let draft): "“\(draft.name)”"
        case .change(let channel, _), .setEnabled(let channel, _), .delete(let channel): "“\(channel.name)”"
        case .resend(let records):
            records.count == 1 ? "“\(records[0].subject)”" : "\(records.count) notifications"
        case .runTask(let name), .setInterval(let name, _): name
        case .template(let template, _): "the text for \(template.event.rawValue)"
        }
    }
}
