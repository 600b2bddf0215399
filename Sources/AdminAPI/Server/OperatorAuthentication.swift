import Crypto
import Hummingbird
import NIOCore
import Operations
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Decides who an operator is and which role they have, before any route runs.
struct OperatorAuthentication: RouterMiddleware {
    typealias Context = AdminContext

    /// As the configuration has it now.
    let access: @Sendable () -> AccessList
    let failures = FailureCount()

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        try Self.checkOrigin(request, context)
        var context = context
        let found = try await identify(request, context)
        (context.user, context.isStillAllowed) = (found.user, found.isStillAllowed)
        if request.headers[.readOnly] == "true" {
            context.user = Operator(name: context.user.name, role: .viewer, via: context.user.via)
        }
        return try await next(request, context)
    }

    /// Who somebody is, and whether they still are.
    private struct Identity {
        let user: Operator
        var isStillAllowed: @Sendable () -> Bool = { true }
    }

    private func identify(_ request: Request, _ context: AdminContext) async throws -> Identity {
        if request.uri.path == "/api/admin/health" {
            return Identity(user: Operator(name: "anyone", role: .viewer, via: "none"))
        }
        if context.channel.remoteAddress?.protocol != .unix { return try tokenHolder(request) }
        return try await peer(of: context.channel)
    }

    /// A page in a browser must not be able to speak to loopback in the operator's name.
    private static func checkOrigin(_ request: Request, _ context: AdminContext) throws {
        // No page reaches the socket, whatever Host its clients make up for it.
        let isSocket = context.channel.remoteAddress?.protocol == .unix
        let allowed = ["localhost", "127.0.0.1", "[::1]"]
        if let authority = request.head.authority, !isSocket {
            let host =
                authority.hasPrefix("[")
                ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
            guard allowed.contains(String(host)) || host.isEmpty else {
                throw OperationsError(.permissionDenied, "this Host is not served here")
            }
        }
        if request.headers[.origin] != nil {
            throw OperationsError(.permissionDenied, "requests of web pages are not served here")
        }
    }

    // MARK: TCP

    private func tokenHolder(_ request: Request) throws -> Identity {
        let header = request.headers[.authorization] ?? ""
        guard header.lowercased().hasPrefix("bearer ") else {
            throw OperationsError(
                .unauthorized,
                "send the token of {data}/admin.token as Authorization: Bearer"
            )
        }
        // Comparing digests takes the same time wherever the texts differ.
        let given = SHA256.hash(data: Array(header.dropFirst(7).utf8))
        guard let token = access().tokens.first(where: { SHA256.hash(data: Array($0.value.utf8)) == given })
        else {
            try failures.record()
            throw OperationsError(.unauthorized, "the token is not valid")
        }
        let user = Operator(name: token.name, role: token.role, via: "token")
        return Identity(user: user) { [access] in
            access().tokens.contains {
                $0.name == token.name && $0.role == token.role && $0.value == token.value
            }
        }
    }

    // MARK: Unix socket

    /// `struct ucred` of the kernel.
    private struct PeerCredentials {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    private func peer(of channel: any Channel) async throws -> Identity {
        guard let provider = channel as? any SocketOptionProvider else {
            throw OperationsError(.permissionDenied, "the socket does not say who you are")
        }
        let option = NIOBSDSocket.Option(rawValue: CInt(SO_PEERCRED))
        let credentials: PeerCredentials = try await provider.unsafeGetSocketOption(
            level: .socket,
            name: option
        ).get()
        let name = SystemUser.name(of: credentials.uid) ?? "uid \(credentials.uid)"
        if credentials.uid == 0 || credentials.uid == getuid() {
            return Identity(user: Operator(name: name, role: .admin, via: "socket"))
        }
        let groups = SystemUser.groups(of: credentials.uid, primary: credentials.gid)
        let role: @Sendable () -> Role? = { [access] in
            access().members.filter { member in
                member.user == name || member.group.map(groups.contains) == true
            }.map(\.role).max()
        }
        guard let now = role() else {
            throw OperationsError(
                .permissionDenied,
                "\(name) is no operator; see admin.operators in the configuration"
            )
        }
        return Identity(user: Operator(name: name, role: now, via: "socket")) { role() == now }
    }
}

/// Wrong tokens of the last minute; too many are answered with `Retry-After`, so that guessing is slow and seen.
final class FailureCount: Sendable {
    private static let limit = 20
    private let state = Mutex<(minute: Int, count: Int)>((0, 0))

    func record() throws {
        let minute = Int(time(nil)) / 60
        let count = state.withLock { state in
            if state.minute != minute { state = (minute, 0) }
            state.count += 1
            return state.count
        }
        if count > Self.limit { throw TooManyFailures() }
    }
}

/// More wrong tokens than a person mistypes.
struct TooManyFailures: Error {}

/// The system's users and groups.
enum SystemUser {
    static func name(of uid: UInt32) -> String? {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getpwuid_r(uid, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return String(cString: record.pw_name)
    }

    static func groups(of uid: UInt32, primary: UInt32) -> [String] {
        guard let user = name(of: uid) else { return [] }
        var ids = [gid_t](repeating: 0, count: 256)
        var count = Int32(ids.count)
        guard getgrouplist(user, primary, &ids, &count) >= 0 else { return [] }
        return ids.prefix(Int(count)).compactMap(groupName)
    }

    private static func groupName(_ gid: gid_t) -> String? {
        var record = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getgrgid_r(gid, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return String(cString: record.gr_name)
    }

    /// The id of a group, nil when the system has none of this name.
    static func groupID(_ name: String) -> gid_t? {
        var record = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getgrnam_r(name, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return record.gr_gid
    }
}
