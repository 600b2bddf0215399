import Hummingbird
import Logging
import NIOCore
package import Operations

/// What a request of an operator carries besides itself.
struct AdminContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Set by `OperatorAuthentication`; no route runs before.
    var user = Operator(name: "nobody", role: .viewer, via: "none")
    /// Whether the operator still has this role: the configuration may have changed while an answer goes on.
    var isStillAllowed: @Sendable () -> Bool = { true }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Who may do what: the token of the TCP listener, and the system's users on the Unix socket.
package struct AccessList: Sendable {
    /// A user or group of the system and its role on the socket.
    package struct Member: Sendable {
        package let user: String?
        package let group: String?
        package let role: Role

        package init(user: String?, group: String?, role: Role) {
            self.user = user
            self.group = group
            self.role = role
        }
    }

    /// What opens the TCP port, and as whom.
    package struct Token: Sendable {
        package let name: String
        package let value: String
        package let role: Role

        package init(name: String, value: String, role: Role) {
            (self.name, self.value, self.role) = (name, value, role)
        }
    }

    package let tokens: [Token]
    package let members: [Member]

    package init(tokens: [Token], members: [Member]) {
        self.tokens = tokens
        self.members = members
    }
}
