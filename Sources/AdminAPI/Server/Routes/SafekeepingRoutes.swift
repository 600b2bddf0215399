import HTTPTypes
import Hummingbird
import Operations

/// `/master-key/rotate`: what keeps the gateway's own data safe.
enum SafekeepingRoutes {
    struct NextKey: Codable, Sendable {
        var key: String?
    }

    struct Purge: Codable, Sendable {
        var clientKeyId: Int
    }

    static let all: [AdminRoute] = [
        .change(
            .post,
            "/master-key/rotate",
            "system",
            "Seal every secret anew under another master key: the one sent, 32 bytes in base64, or a new one",
            body: ["key"],
            role: .admin
        ) { request in
            let next = try await StrictBody.readIfAny(NextKey.self, fields: ["key"], from: request.request)
            return try request.json(try await request.port.rotateMasterKey(to: next?.key, by: request.user))
        },
        .change(
            .post,
            "/logs/purge",
            "logs",
            "Erase what one caller has done until now from the log; the key need not exist any more",
            body: ["client_key_id"],
            required: ["client_key_id"],
            role: .admin
        ) { request in
            let purge = try await request.change(Purge.self, fields: ["client_key_id"])
            return try request.json(
                try await request.port.purgeLog(ofClientKey: purge.clientKeyId, by: request.user)
            )
        },
        backupRoute,
    ]

    private static let backupRoute = AdminRoute(
        method: .get,
        path: "/backup",
        tag: "system",
        summary: "Everything that is kept but for the master key, as a tar archive for fastgate restore",
        role: .admin,
        query: [
            .init(name: "log", type: "boolean", summary: "false leaves the log out")
        ],
        contentType: "application/x-tar",
        handler: { request in
            let log = try request.truth("log", default: true)
            let file = try await request.port.backup(log: log, by: request.user)
            return .download(file, "fastgate-backup.tar", "application/x-tar")
        }
    )
}
