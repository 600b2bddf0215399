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
        // A path that stands there word for word is not the one with a name in its place.
        let names = found.map { route in route.parts.count { $0.hasPrefix("{") } }
        guard let fewest = names.min() else { return nil }
        let nearest = zip(found, names).filter { $0.1 == fewest }.map(\.0)
        return Set(nearest.map(\.method.rawValue)).sorted().joined(separator: ", ")
    }
}
