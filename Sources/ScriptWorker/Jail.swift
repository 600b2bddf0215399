import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// What the worker gives up before it runs what others wrote.
///
/// Both steps return why they failed, or nil.
enum Jail {
    /// Where the engine finds its own files while it starts.
    private static let readable = [
        "/usr", "/lib", "/lib64", "/etc/localtime", "/dev/urandom", "/proc/self", "/proc/cpuinfo",
        "/sys/devices",
    ]

    /// Before the engine makes its threads, which inherit it.
    static func beginning() -> String? {
        fault("files", withTexts(readable, clinux_jail_files))
    }

    /// Once everything is open that will ever be: from here on nothing opens, connects, starts or signals.
    static func close(dataLimit: UInt64, secrets: [String]) -> String? {
        let steps = [
            ("identity", clinux_jail_become_nobody()),
            ("limits", clinux_jail_limits(dataLimit)),
            ("system calls", clinux_jail_seal(1)),
        ]
        for (name, code) in steps {
            if let fault = fault(name, code) { return fault }
        }
        guard let escape = withTexts(secrets, clinux_jail_escape) else { return nil }
        return "it was tried and could be done: \(String(cString: escape))"
    }

    private static func fault(_ step: String, _ code: Int32) -> String? {
        code == 0 ? nil : "\(step): \(String(cString: strerror(code)))"
    }

    private static func withTexts<Result>(
        _ texts: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, Int32) -> Result
    ) -> Result {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pointers = copies.map { UnsafePointer($0) } + [nil]
        return body(&pointers, Int32(texts.count))
    }
}
