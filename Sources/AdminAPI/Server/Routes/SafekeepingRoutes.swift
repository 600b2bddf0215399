import HTTPTypes
import Hummingbird
import Operations

/// `/master-key/rotate`: what keeps the gateway's own data safe.
enum SafekeepingRoutes {
    struct NextKey: Codable, Sendable {
        var key: String?
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
        }
    ]
}
