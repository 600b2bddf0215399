import Operations

extension ChangeRunner {
    func perform(_ edit: AlertEdit) async throws -> ChangeOutcome.Result {
        switch edit {
        case .create(let draft):
            let made = try await port.createNotificationChannel(draft, by: user)
            return .done("made “\(made.name)”; t sends a test by it")
        case .change(let channel, let change):
            let after = try await port.changeNotificationChannel(
                channel.id,
                change,
                ifVersion: channel.version,
                by: user
            )
            return .done("saved “\(after.name)”")
        case .setEnabled(let channel, let isOn):
            var change = NotificationChannelChange()
            change.enabled = .set(isOn)
            _ = try await port.changeNotificationChannel(channel.id, change, ifVersion: nil, by: user)
            return .done("\(isOn ? "enabled" : "disabled") “\(channel.name)”")
        case .delete(let channel):
            try await port.deleteNotificationChannel(channel.id, ifVersion: nil, by: user)
            return .done("deleted “\(channel.name)”")
        case .resend(let records):
            let (done, failure) = await each(records.map(\.id)) {
                _ = try await port.resendNotification($0, by: user)
            }
            return try result("put back", .alert(edit), done, of: records.count, failure)
        case .runTask(let name):
            let task = try await port.runTask(name, by: user)
            let words = "\(name): \(task.result ?? "done")"
            return task.succeeded == false ? .partly(words) : .done(words)
        case .setInterval(let name, let interval):
            var change = ScheduledTaskChange()
            change.interval = interval.map { .set($0) } ?? .clear
            let task = try await port.changeTask(name, change, by: user)
            return .done("\(name) runs every \(task.interval)")
        case .template(let before, let change):
            _ = try await port.changeNotificationTemplate(
                before.event,
                channel: before.channelId,
                change,
                by: user
            )
            return .done("saved \(edit.object)")
        }
    }
}
