import NIOHTTP1
package import Operations

extension AdminClient: NotificationOperations {
    package func notificationChannels(by user: Operator) async throws -> Page<NotificationChannel> {
        try await get("/notifications/channels")
    }

    package func notificationChannel(_ id: Int, by user: Operator) async throws -> NotificationChannel {
        try await get("/notifications/channels/\(id)")
    }

    package func createNotificationChannel(
        _ draft: NotificationChannelDraft,
        by user: Operator
    ) async throws -> NotificationChannel {
        try await call(.POST, "/notifications/channels", draft)
    }

    package func changeNotificationChannel(
        _ id: Int,
        _ change: NotificationChannelChange,
        ifVersion: Int?,
        by user: Operator
    ) async throws -> NotificationChannel {
        try await call(.PATCH, "/notifications/channels/\(id)", change, ifVersion: ifVersion)
    }

    package func deleteNotificationChannel(_ id: Int, ifVersion: Int?, by user: Operator) async throws {
        try await callNothing(.DELETE, "/notifications/channels/\(id)", ifVersion: ifVersion)
    }

    package func testNotificationChannel(_ id: Int, by user: Operator) async throws -> NotificationRecord {
        try await call(.POST, "/notifications/channels/\(id)/test")
    }

    package func notificationHistory(
        _ query: NotificationQuery,
        by user: Operator
    ) async throws -> Page<NotificationRecord> {
        try await get(
            "/notifications/history",
            [
                ("channel_id", query.channel.map(String.init)), ("event", query.event?.rawValue),
                ("status", query.status?.rawValue), ("limit", "\(query.limit)"), ("cursor", query.cursor),
            ]
        )
    }

    package func resendNotification(_ id: Int, by user: Operator) async throws -> NotificationRecord {
        try await call(.POST, "/notifications/history/\(id)/resend")
    }

    package func notificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        by user: Operator
    ) async throws -> NotificationTemplate {
        try await get(
            "/notifications/templates/\(event.rawValue)",
            [("channel", channel.map(String.init))]
        )
    }

    package func changeNotificationTemplate(
        _ event: NotificationEvent,
        channel: Int?,
        _ change: NotificationTemplateChange,
        by user: Operator
    ) async throws -> NotificationTemplate {
        let place = channel.map { "?channel=\($0)" } ?? ""
        return try await call(.PUT, "/notifications/templates/\(event.rawValue)\(place)", change)
    }
}
