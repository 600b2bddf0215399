import CLinux
import Console
import Gateway
import Operations
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#endif

/// The console of the process that serves: on a thread of its own, over the live gateway.
struct ConsoleService: Service {
    let operations: GatewayOperations
    let options: ConsoleOptions
    let logFile: String

    /// Returns when the operator wants the gateway to stop; without a console the gateway serves on.
    func run() async throws {
        // A change of the terminal's settings from the background must not stop the callers.
        signal(SIGTTOU, SIG_IGN)
        _ = clinux_restore_terminal_at_crash(RestoreSequence.bytes, RestoreSequence.bytes.count)
        let terminal = redirectErrors()
        let user = Operator(name: Self.userName, role: .admin, via: "console")
        do {
            let end = try await Console.run(operations, user: user, options: options, signals: signals())
            clinux_forget_terminal()
            guard end != .hangUp else { return try await gracefulShutdown() }
            bringBack(terminal)
            if end == .stopGateway { return }
            let attach =
                if case .inProcess(let command) = options.mode { command } else { "fastgate console" }
            Output.line(
                "The console is closed and the gateway serves on. Attach: \(attach)   Ctrl-C stops it."
            )
        } catch let unusable as Console.Unusable {
            bringBack(terminal)
            Output.errorLine("fastgate: no console: \(unusable). Attach with: fastgate console")
        }
        try await gracefulShutdown()
    }

    /// Changes of size, and the end of the gateway.
    private func signals() -> AsyncStream<ConsoleSignal> {
        AsyncStream { continuation in
            let task = Task {
                await withTaskGroup { tasks in
                    tasks.addTask {
                        for await signal in ConsoleEnvironment.signals(endsWithSignals: false) {
                            continuation.yield(signal)
                        }
                    }
                    tasks.addTask {
                        // Cancelled when the console is left, and then of no interest.
                        try? await gracefulShutdown()
                        continuation.yield(.terminate)
                    }
                    await tasks.waitForAll()
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Log lines go to a file while the screen is the console's; returns where they went before.
    private func redirectErrors() -> Int32 {
        let before = dup(STDERR_FILENO)
        let file = open(logFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        if file >= 0 {
            dup2(file, STDERR_FILENO)
            close(file)
        }
        return before
    }

    private func bringBack(_ terminal: Int32) {
        guard terminal >= 0 else { return }
        dup2(terminal, STDERR_FILENO)
        close(terminal)
    }

    private static var userName: String {
        guard let entry = getpwuid(getuid()) else { return "uid \(getuid())" }
        return String(cString: entry.pointee.pw_name)
    }
}
