import AdminAPI
import ArgumentParser
import CLinux
import Console
import Operations
import UnixSignals

#if canImport(Glibc)
import Glibc
#endif

/// Attaches a console to the running gateway.
struct ConsoleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "See and steer the running gateway.",
        discussion: """
            Over the gateway's Unix socket, or over HTTP with --url and a token. Several may be attached at once; \
            leaving one (q) changes nothing for the gateway. Example: fastgate console --read-only
            """
    )
    @OptionGroup var address: GatewayAddress
    @Flag(help: "Take away every change.")
    var readOnly = false
    @Option(help: "A theme's name, for this time.")
    var theme: String?
    @Flag(help: "A line of figures a second instead of a screen.")
    var plain = false

    func run() async throws {
        try await CommandRun.run {
            let client = try address.client(isReadOnly: readOnly)
            let user = try await client.me(by: GatewayConnection.me)
            guard !plain else { return try await PlainConsole.run(client) }
            var options = ConsoleEnvironment.options(mode: .attached(place: client.place))
            options.isReadOnly = readOnly
            options.theme = theme ?? options.theme
            do {
                _ = try await Console.run(
                    client,
                    user: user,
                    options: options,
                    signals: ConsoleEnvironment.signals()
                )
                clinux_forget_terminal()
            } catch let unusable as Console.Unusable {
                // Nobody listens to these any more: they end the process as they do any other.
                for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_DFL) }
                Output.errorLine("fastgate: \(unusable); showing a line a second instead (Ctrl-C ends it)")
                try await PlainConsole.run(client)
            }
        }
    }
}

/// What both ways of opening a console take from the process.
enum ConsoleEnvironment {
    static func options(mode: ConsoleMode) -> ConsoleOptions {
        var options = ConsoleOptions(mode: mode, environment: Environment.all)
        let own = Environment.value("XDG_CONFIG_HOME") ?? Environment.value("HOME").map { "\($0)/.config" }
        var folders = ["/usr/lib/fastgate/themes", "/usr/share/fastgate/themes"]
        if let found = ResourceFolder.find("themes") { folders.append(found) }
        if let own { folders.append("\(own)/fastgate/themes") }
        if let named = Environment.value("FASTGATE_THEMES") { folders.append(named) }
        options.themeFolders = folders
        options.keymapFile = own.map { "\($0)/fastgate/keys.yaml" }
        return options
    }

    /// Changes of the terminal's size, and the end of the process.
    static func signals(endsWithSignals: Bool = true) -> AsyncStream<ConsoleSignal> {
        AsyncStream { continuation in
            let task = Task {
                let wanted: [UnixSignal] =
                    endsWithSignals ? [.sigwinch, .sigterm, .sigint, .sighup] : [.sigwinch]
                for await signal in await UnixSignalsSequence(trapping: wanted) {
                    continuation.yield(signal == .sigwinch ? .resized : .terminate)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Whether this process may take the terminal: it has one, and is not in the shell's background.
    static var hasTerminal: Bool {
        isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp()
    }
}

/// Folders that come with the program.
enum ResourceFolder {
    /// A folder of this name beside the program or above it, as in a checkout.
    static func find(_ name: String) -> String? {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        guard count > 0 else { return nil }
        var parts = String(decoding: path.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self).split(
            separator: "/"
        )
        while !parts.isEmpty {
            parts.removeLast()
            let folder = "/" + (parts + [Substring(name)]).joined(separator: "/")
            if access(folder, R_OK) == 0 { return folder }
        }
        return nil
    }
}

/// A line of figures a second, for terminals that cannot show more.
enum PlainConsole {
    static func run(_ port: any GatewayPort) async throws {
        for try await snapshot in try await port.live(filter: "", by: GatewayConnection.me) {
            Output.line(StatusText.line(snapshot))
        }
    }
}
