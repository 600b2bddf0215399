import Operations

extension ConsoleState {
    mutating func runAlerts(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .newChannel:
            alerts.part = .channels
            overlays.append(.form(ChannelForm.make(nil), .newChannel))
        case .editChannel:
            guard let channel = alerts.channels.selection else { return [] }
            overlays.append(.form(ChannelForm.make(channel), .editChannel(channel)))
        case .toggleChannel:
            guard let channel = alerts.channels.selection else { return [] }
            return [.change(.alert(.setEnabled(channel, !channel.enabled)))]
        case .testChannel:
            guard let channel = alerts.channels.selection else { return [] }
            say("sending a test by \(channel.name) \(glyphs.ellipsis)", .info, for: 25)
            return [.ask(.channel(id: channel.id, name: channel.name))]
        case .deleteChannel: askToDeleteChannel()
        case .resend:
            return [.change(.alert(.resend(alerts.history.targets.filter(\.canBeResent))))]
        case .runTask:
            guard let task = alerts.tasks.selection?.task else { return [] }
            say("\(task.name.rawValue) runs \(glyphs.ellipsis)", .info, for: 25)
            return [.change(.alert(.runTask(task.name.rawValue)))]
        case .taskInterval:
            guard let task = alerts.tasks.selection?.task else { return [] }
            overlays.append(.form(ChannelForm.makeInterval(task), .taskInterval(task)))
        case .showTemplate: overlays.append(.templates(templatePicker("Show the text for"), isEdit: false))
        case .editTemplate: overlays.append(.templates(templatePicker("Edit the text for"), isEdit: true))
        default: break
        }
        return []
    }

    private func templatePicker(_ title: String) -> Picker {
        let events = NotificationEvent.allCases
        var picker = Picker(
            title: title,
            prompt: "find ",
            items: events.map { event in
                Picker.Item(id: event.rawValue, title: event.rawValue, note: event.severity.rawValue)
            }
        )
        let event = alerts.part == .history ? alerts.history.selection?.event : nil
        picker.select(event.flatMap { events.firstIndex(of: $0) } ?? 0)
        return picker
    }

    mutating func pressTemplates(_ picker: Picker, isEdit: Bool, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        switch picker.handle(key) {
        case .chosen(let name):
            guard let event = NotificationEvent(rawValue: name) else { return [] }
            return isEdit ? [.loadTemplate(event)] : [.ask(.template(event))]
        case .cancel: return []
        case .changed, .ignored: overlays.append(.templates(picker, isEdit: isEdit))
        }
        return []
    }

    private mutating func askToDeleteChannel() {
        guard let channel = alerts.channels.selection else { return }
        let waiting = channel.pending == 0 ? "" : " \(channel.pending) that wait are told to nobody."
        let dialog = Dialog(
            title: "Delete \(channel.name)",
            text: [
                "Nothing is sent to \(AlertsView.target(channel)) any more.\(waiting) Undo brings it back."
            ],
            buttons: [.init(label: "Delete", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(.alert(.delete(channel)))))
    }

    // MARK: What the gateway has said

    mutating func take(channels: [NotificationChannel]) {
        alerts.channels.replace(channels)
        alerts.isLoading = false
        alerts.fault = nil
        if let wanted = alerts.wanted, let place = channels.firstIndex(where: { $0.name == wanted }) {
            alerts.channels.select(place)
            alerts.wanted = nil
        }
    }

    mutating func take(tasks: [ScheduledTask]) {
        alerts.tasks.replace(tasks.enumerated().map { TaskRow(id: $0, task: $1) })
    }

    /// In the operator's own editor: the title on the first line, the text behind an empty one.
    mutating func take(_ template: NotificationTemplate) -> [ConsoleEffect] {
        alerts.template = template
        let unkept = alerts.unkept.flatMap { $0.event == template.event ? $0.text : nil }
        return [.editExternally(unkept ?? "\(template.title)\n\n\(template.body)", suffix: "md")]
    }

    mutating func take(_ edited: ExternalEdit, of template: NotificationTemplate) -> [ConsoleEffect] {
        alerts.template = nil
        guard case .text(let text) = edited else {
            if case .failed(let reason) = edited { say(reason, .error, for: 10) }
            return []
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let title = lines.first.map(String.init) ?? ""
        let body = lines.dropFirst().drop { $0.allSatisfy(\.isWhitespace) }.joined(separator: "\n")
        guard title != template.title || body != template.body else {
            alerts.unkept = nil
            say("nothing was changed", .info)
            return []
        }
        alerts.unkept = (template.event, text)
        var change = NotificationTemplateChange()
        (change.title, change.body) = (.set(title), .set(body))
        return [.change(.alert(.template(template, change)))]
    }

    // MARK: Lists

    mutating func openAlert() {
        switch alerts.part {
        case .channels:
            guard let channel = alerts.channels.selection else { return }
            show("Channel \(channel.name)", AlertsView.details(channel, now: now, width: textWidth))
        case .tasks:
            guard let task = alerts.tasks.selection?.task else { return }
            show("Task \(task.name.rawValue)", AlertsView.details(task, width: textWidth))
        case .history:
            guard let record = alerts.history.selection else { return }
            show("Notification \(record.id)", AlertsView.details(record, width: textWidth))
        }
    }

    func copyOfAlerts() -> String? {
        switch alerts.part {
        case .channels: alerts.channels.selection.map { "\($0.name)\t\($0.kind.rawValue)\t\($0.state)" }
        case .tasks: alerts.tasks.selection.map { "\($0.task.name.rawValue)\t\($0.task.result ?? "")" }
        case .history:
            alerts.history.targets.isEmpty
                ? nil
                : alerts.history.targets.map { record in
                    "\(record.time)\t\(record.event.rawValue)\t\(record.subject)\t\(record.status.rawValue)"
                }.joined(separator: "\n")
        }
    }

    /// Why a command of this pane is not to be had.
    func refusalOfAlerts(_ id: CommandID) -> String? {
        switch id {
        case .editChannel, .deleteChannel:
            guard let channel = alerts.channels.selection else { return "there is no channel" }
            return channel.source == .file
                ? "the configuration file defines it; change it there and reload (Ctrl-R in System)" : nil
        case .toggleChannel, .testChannel:
            return alerts.channels.selection == nil ? "there is no channel" : nil
        case .runTask:
            guard let task = alerts.tasks.selection?.task else { return "there is no task" }
            return task.running ? "it is running" : nil
        case .taskInterval: return alerts.tasks.selection == nil ? "there is no task" : nil
        case .resend:
            guard !alerts.history.targets.isEmpty else { return "there is no notification" }
            return alerts.history.targets.contains(where: \.canBeResent)
                ? nil : "only what was given up or left out is sent again"
        default: return nil
        }
    }
}

extension NotificationRecord {
    fileprivate var canBeResent: Bool {
        (status == .dead || status == .dropped) && channelId != nil && event != .test
    }
}
