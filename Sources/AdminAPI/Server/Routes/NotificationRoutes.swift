import HTTPTypes
import Hummingbird
import Operations

/// `/notifications`: how people are told of what happens.
enum NotificationRoutes {
    private static let tag = "notifications"

    static let all: [AdminRoute] = channels + history + templates

    private static let channels: [AdminRoute] = [
        .list("/notifications/channels", tag, "List channels; what may be a secret is not shown") { request in
            try await request.port.notificationChannels(by: request.user)
        },
        .change(
            .post,
            "/notifications/channels",
            tag,
            "Make a channel",
            body: NotificationChannelDraft.fields,
            required: ["name", "kind"],
            status: .created
        ) { request in
            try await request.create(
                NotificationChannelDraft.self,
                fields: NotificationChannelDraft.fields
            ) { draft in
                try await request.port.createNotificationChannel(draft, by: request.user)
            }
        },
        .get("/notifications/channels/{id}", tag, "One channel") { request in
            let channel = try await request.port.notificationChannel(try request.id(), by: request.user)
            return try request.json(channel, version: channel.version)
        },
        .change(
            .patch,
            "/notifications/channels/{id}",
            tag,
            "Change a channel; null clears a field",
            body: NotificationChannelChange.fields
        ) { request in
            let channel = try await request.port.changeNotificationChannel(
                try request.id(),
                try await request.change(
                    NotificationChannelChange.self,
                    fields: NotificationChannelChange.fields
                ),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return try request.json(channel, version: channel.version)
        },
        .change(.delete, "/notifications/channels/{id}", tag, "Delete a channel", status: .noContent) {
            request in
            try await request.port.deleteNotificationChannel(
                try request.id(),
                ifVersion: try request.ifMatch(),
                by: request.user
            )
            return request.noContent
        },
        .change(
            .post,
            "/notifications/channels/{id}/test",
            tag,
            "Send a test message now; the answer says what has come of it"
        ) { request in
            try request.json(
                try await request.port.testNotificationChannel(try request.id(), by: request.user)
            )
        },
    ]

    private static let history: [AdminRoute] = [
        .get(
            "/notifications/history",
            tag,
            "What was told, newest first, with every try",
            query: [
                .init(name: "channel_id", type: "integer", summary: "Of this channel", range: 0...Int.max),
                .init(
                    name: "event",
                    type: "string",
                    summary: "Of this event",
                    choices: NotificationEvent.allCases.map(\.rawValue)
                ),
                .init(
                    name: "status",
                    type: "string",
                    summary: "That ended so",
                    choices: NotificationRecord.Status.allCases.map(\.rawValue)
                ),
                .limit,
                .cursor,
            ]
        ) { request in
            var query = NotificationQuery()
            query.channel = try request.optionalNumber("channel_id")
            if request.text("event") != nil {
                query.event = try request.choice("event", default: NotificationEvent.test)
            }
            if request.text("status") != nil {
                query.status = try request.choice("status", default: NotificationRecord.Status.sent)
            }
            query.limit = try request.number("limit", default: 100, in: 1...1000)
            query.cursor = request.text("cursor")
            return try request.json(try await request.port.notificationHistory(query, by: request.user))
        },
        .change(
            .post,
            "/notifications/history/{id}/resend",
            tag,
            "Put a dead letter back into the queue"
        ) { request in
            try request.json(try await request.port.resendNotification(try request.id(), by: request.user))
        },
    ]

    private static let channelParameter = AdminRoute.Parameter(
        name: "channel",
        type: "integer",
        summary: "Of this channel; of all when it is absent",
        range: 0...Int.max
    )

    private static let templates: [AdminRoute] = [
        .get(
            "/notifications/templates/{event}",
            tag,
            "The text for an event, what it may name, and how it looks",
            query: [channelParameter]
        ) { request in
            try request.json(
                try await request.port.notificationTemplate(
                    try event(request),
                    channel: try request.optionalNumber("channel"),
                    by: request.user
                )
            )
        },
        .change(
            .put,
            "/notifications/templates/{event}",
            tag,
            "Set the text for an event; a body of null goes back to the one that ships",
            query: [channelParameter],
            body: NotificationTemplateChange.fields
        ) { request in
            try request.json(
                try await request.port.changeNotificationTemplate(
                    try event(request),
                    channel: try request.optionalNumber("channel"),
                    try await request.change(
                        NotificationTemplateChange.self,
                        fields: NotificationTemplateChange.fields
                    ),
                    by: request.user
                )
            )
        },
    ]

    private static func event(_ request: AdminRequest) throws -> NotificationEvent {
        let text = try request.parameter("event")
        guard let event = NotificationEvent(rawValue: text) else {
            throw OperationsError(
                .notFound,
                "there is no event \(text); there are \(NotificationEvent.names)"
            )
        }
        return event
    }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// `a, b, c`.
    fileprivate static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
