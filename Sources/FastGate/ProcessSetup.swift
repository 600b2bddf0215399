import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// What the process needs of the system before it serves.
enum ProcessSetup {
    static func apply() {
        // Keys live in this memory: no core file, and no other process of the same user reads it.
        _ = clinux_forbid_core_dumps()
        // Without the reserve the gateway is as good, only slower whenever its connections double.
        _ = clinux_reserve_descriptors(clinux_raise_open_files())
        signal(SIGPIPE, SIG_IGN)
        umask(0o027)
    }
}
