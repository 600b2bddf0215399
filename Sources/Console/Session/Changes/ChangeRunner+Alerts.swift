import Operations

extension ChangeRunner {
    func perform(_ edit: AlertEdit) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch edit {
        case .create(let draft):
            let made = try await port.createNotificationChannel(draft, by: user)
            return (.done("made “\(made.name)”; t sends a test by it"), .alert(.delete(made)))
        case .change(let channel, let change):
            let after = try await port.changeNotificationChannel(
                channel.id,
                change,
                ifVersion: channel.version,
                by: user
            )
            let undo = AlertEdit.change(after, NotificationChannelChange(restoring: channel))
            // What was there before is known to nobody any more.
            return (.done("saved “\(after.name)”"), change.setsSecrets ? nil : .alert(undo))
        case .setEnabled(let channel, let isOn):
            var change = NotificationChannelChange()
            change.enabled = .set(isOn)
            let after = try await port.changeNotificationChannel(channel.id, change, ifVersion: nil, by: user)
            return (
                .done("\(isOn ? "enabled" : "disabled") “\(channel.name)”"), .alert(.setEnabled(after, !isOn))
            )
        case .delete(let channel):
            try await port.deleteNotificationChannel(channel.id, by: user)
            return (.done("deleted “\(channel.name)”"), nil)
        case .resend(let records):
            let (done, failure) = await each(records.map(\.id)) {
                _ = try await port.resendNotification($0, by: user)
            }
            return (try result("put back", .alert(edit), done, of: records.count, failure), nil)
        case .runTask(let name):
            let task = try await port.runTask(name, by: user)
            let words = "\(name): \(task.result ?? "done")"
            return (task.succeeded == false ? .partly(words) : .done(words), nil)
        case .setInterval(let name, let interval, let before):
            var change = ScheduledTaskChange()
            change.interval = interval.map { .set($0) } ?? .clear
            let task = try await port.changeTask(name, change, by: user)
            let undo = AlertEdit.setInterval(name, before, before: task.interval)
            return (.done("\(name) runs every \(task.interval)"), .alert(undo))
        case .template(let before, let change):
            let after = try await port.changeNotificationTemplate(
                before.event,
                channel: before.channelId,
                change,
                by: user
            )
            var undo = NotificationTemplateChange()
            undo.title = .set(before.title)
            undo.body = before.isDefault ? .clear : .set(before.body)
            return (.done("saved \(edit.object)"), .alert(.template(after, undo)))
        }
    }
}
