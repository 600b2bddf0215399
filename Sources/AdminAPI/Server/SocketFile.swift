import CLinux
import Logging
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// The Unix socket's file: a stale one is replaced, a live one never.
struct SocketFile {
    private let path: String

    init(_ path: String) {
        self.path = path
    }

    func prepare() throws {
        let kind = clinux_kind_of_path(path)
        guard kind != 0 else { return }
        guard kind == 1 else {
            throw OperationsError(.conflict, "\(path) exists and is no socket; remove it or set admin.socket")
        }
        // The lock is of the data directory, and the file may be named by the configurations of two gateways.
        guard !isServed else {
            throw OperationsError(
                .conflict,
                "another gateway listens on \(path); set admin.socket or FASTGATE_SOCKET to another place"
            )
        }
        unlink(path)
    }

    /// Whether somebody takes connections there, or would if fewer waited.
    private var isServed: Bool {
        let code = clinux_connect_to_path(path)
        return code == 0 || code == EAGAIN
    }

    /// Once it is there: who may open it.
    func restrict(to group: String?, _ logger: Logger) {
        if let group {
            if let id = SystemUser.groupID(group) {
                if chown(path, uid_t.max, id) != 0 {
                    logger.warning("the socket's group cannot be set", metadata: ["group": "\(group)"])
                }
                warnOfFolder(group: (group, id), logger)
            } else {
                logger.warning(
                    "there is no such group; the socket is open to its owner only",
                    metadata: ["group": "\(group)"]
                )
            }
        }
        chmod(path, 0o660)
    }

    /// Whoever may open the socket, and not enter the folder that it is in, is told nothing but that it may not.
    private func warnOfFolder(group: (name: String, id: gid_t), _ logger: Logger) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard clinux_group_can_enter(folder, group.id) == 0 else { return }
        logger.warning(
            "the group cannot enter the socket's folder: give it that, or set admin.socket to another place",
            metadata: ["group": "\(group.name)", "folder": "\(folder)"]
        )
    }
}
