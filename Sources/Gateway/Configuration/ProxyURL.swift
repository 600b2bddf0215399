#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `http://[user:password@]host[:port]`: the proxy through which a backend is reached.
package struct ProxyURL: Hashable, Sendable {
    package let host: String
    package let port: Int
    /// `Basic …` of the user and password, nil without them.
    let authorization: String?
    /// Without the password.
    package let text: String

    package init(_ text: String) throws(ConfigurationError) {
        guard text.hasPrefix("http://") else { throw ConfigurationError("must begin with http://") }
        var rest = text.dropFirst(7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard rest.utf8.allSatisfy(ASCII.isTarget), !rest.contains(where: { "/?#\\".contains($0) }) else {
            throw ConfigurationError(
                "must be http://host:port and no more, but for a user and password before an @"
            )
        }
        var shown = rest
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            rest = rest[rest.index(after: at)...]
            authorization = "Basic " + Data(PercentEncoding.decode(user.utf8)).base64EncodedString()
            // A name alone may be the secret.
            shown =
                user.contains(":") && !user.hasSuffix(":")
                ? "\(user.prefix { $0 != ":" }):…@\(rest)" : "…@\(rest)"
        } else {
            authorization = nil
        }
        let address = try BaseURL("http://" + rest)
        (host, port, self.text) = (address.host, address.port, "http://" + shown)
    }
}
