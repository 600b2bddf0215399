import HTTPTypes
import Hummingbird

/// What each path can be asked, for answers to what it cannot.
struct AllowedMethods: Sendable {
    private let routes: [(parts: [Substring], method: HTTPRequest.Method)]

    init(_ routes: [AdminRoute]) {
        self.routes =
            routes.map { ("/api/admin\($0.path)".split(separator: "/"), $0.method) }
            + [("/api/admin/openapi.json", HTTPRequest.Method.get), ("/metrics", .get)].map {
                ($0.0.split(separator: "/"), $0.1)
            }
    }

    /// nil for a path that there is not.
    func methods(_ path: String) -> String? {
        let parts = path.split(separator: "/")
        let found = routes.filter { route in
            route.parts.count == parts.count
                && zip(route.parts, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }
        guard !found.isEmpty else { return nil }
        return Set(found.map(\.method.rawValue)).sorted().joined(separator: ", ")
    }
}
