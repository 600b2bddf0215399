import Operations

@testable import Console

/// Channels, tasks and what was told.
extension Fixture {
    static func channels() -> [NotificationChannel] {
        var ops = NotificationChannel(id: 1, name: "ops", kind: .webhook, source: .database)
        (ops.webhookUrl, ops.state, ops.lastSentAt) = ("https://hooks.example.com/…", "ok", time(42))
        (ops.hasSecret, ops.headers) = (true, ["X-Team": "••••"])
        var duty = NotificationChannel(id: 2, name: "duty", kind: .dingtalk, source: .file)
        (duty.webhookUrl, duty.state, duty.pending) = ("https://oapi.dingtalk.com/…", "failing", 14)
        (duty.lastError, duty.events, duty.minSeverity) = (
            "errcode 310000: sign not match", [.keyBanned, .poolExhausted], .critical
        )
        duty.nextTryAt = time(-9)
        var mail = NotificationChannel(id: 3, name: "mail", kind: .email, source: .database)
        (mail.enabled, mail.smtpHost, mail.smtpPort, mail.smtpSecurity) = (
            false, "mail.example.com", 587, .starttls
        )
        (mail.toEmails, mail.fromEmail) = (["ops@example.com"], "gate@example.com")
        mail.quietHours = QuietHours(from: "22:00", to: "07:00")
        return [ops, duty, mail]
    }

    static func tasks() -> [ScheduledTask] {
        ScheduledTask.Name.allCases.enumerated().map { index, name in
            var task = ScheduledTask(
                name: name,
                summary: "Does what its name says",
                interval: .seconds(10 * (index + 1)),
                defaultInterval: .seconds(10),
                nextRunAt: time(-8)
            )
            (task.lastRunAt, task.lastDurationMs, task.runs) = (time(2), 1.5, 12)
            (task.succeeded, task.result) =
                name == .databaseUpkeep
                ? (false, "the database is damaged") : (true, "nothing is too old or too much")
            return task
        }
    }

    static func notifications() -> [NotificationRecord] {
        func record(
            _ id: Int,
            _ event: NotificationEvent,
            _ subject: String,
            _ status: NotificationRecord.Status,
            tries: Int
        ) -> NotificationRecord {
            var record = NotificationRecord(
                id: id,
                time: time(60 * (9 - id)),
                event: event,
                subject: subject,
                data: ["reason": "429, second in 5 minutes"]
            )
            (record.status, record.channel, record.channelId) = (status, "ops", 1)
            record.tries = (0..<tries).map { index in
                let isLast = index == tries - 1 && status == .sent
                return NotificationTry(
                    time: time(50),
                    succeeded: isLast,
                    detail: isLast ? "status 200" : "status 503: busy",
                    durationMs: 12
                )
            }
            return record
        }
        var dead = record(2, .keyBanned, "openai/key-3", .dead, tries: 3)
        dead.reason = "status 410: gone for good"
        var often = record(3, .rateLimitExceeded, "team-batch", .sent, tries: 1)
        often.count = 1204
        var nobody = record(1, .scriptFailing, "miniai/X-Signature", .unrouted, tries: 0)
        (nobody.channel, nobody.channelId) = (nil, nil)
        return [record(4, .keyDisabled, "openai/key-7", .sent, tries: 3), often, dead, nobody]
    }
}
