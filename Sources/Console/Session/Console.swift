import Foundation
package import Operations

#if canImport(Glibc)
import Glibc
#endif

/// How a console is opened.
package struct ConsoleOptions: Sendable {
    package var mode: ConsoleMode
    package var isReadOnly = false
    package var theme: String?
    /// Lines that stay above the panes.
    package var welcome: [String] = []
    /// Where themes lie, later folders winning.
    package var themeFolders: [String] = []
    /// The operator's own keys.
    package var keymapFile: String?
    package var environment: [String: String]

    package init(mode: ConsoleMode, environment: [String: String]) {
        self.mode = mode
        self.environment = environment
    }
}

/// What the process tells its console.
package enum ConsoleSignal: Sendable {
    case resized
    /// The process is about to end.
    case terminate
}

/// The terminal console over any implementation of the port.
package enum Console {
    /// Why a console cannot be opened, in words for the operator.
    package struct Unusable: Error, CustomStringConvertible {
        package let description: String
    }

    /// Opens the console on the terminal of standard input and output, and returns when it is left.
    ///
    /// - Parameters:
    ///   - port: the gateway, in this process or another.
    ///   - user: whose console it is, as the gateway sees it.
    ///   - options: how it is opened.
    ///   - signals: what the process is told; the console sets no signal's disposition.
    /// - Returns: why it ended.
    /// - Throws: `Unusable` when there is no terminal, or none that text can be placed on.
    package static func run(
        _ port: any GatewayPort,
        user: Operator,
        options: ConsoleOptions,
        signals: AsyncStream<ConsoleSignal>
    ) async throws -> ConsoleEnd {
        let capabilities = TerminalCapabilities(environment: options.environment)
        guard !capabilities.terminalNames.isEmpty else {
            let name = options.environment["TERM"] ?? ""
            throw Unusable(
                description: name.isEmpty
                    ? "TERM is not set, so it is not known what the terminal understands"
                    : "the terminal \(name) cannot place text"
            )
        }
        let settings = await settings(port, user)
        let mailbox = Mailbox()
        let feed = PortFeed(port: port, user: user, mailbox: mailbox, themeFolders: options.themeFolders)
        return try await withThrowingTaskGroup(of: Finished.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask {
                await feed.run()
                return .feed
            }
            tasks.addTask {
                for await signal in signals {
                    mailbox.order(signal == .resized ? .resized : .end(.stopGateway))
                }
                return .other
            }
            tasks.addTask {
                defer { feed.finish() }
                return .screen(
                    try await onOwnThread {
                        try open(capabilities, user, options, settings, mailbox, feed).run()
                    }
                )
            }
            var end: ConsoleEnd?
            var isFeedDone = false
            while let finished = try await tasks.next() {
                switch finished {
                case .screen(let reason):
                    end = reason
                    // Changes under way may still be made, but not for ever.
                    tasks.addTask {
                        // Cancelled when they are made before.
                        try? await Task.sleep(for: lastChanges)
                        return .feed
                    }
                case .feed: isFeedDone = true
                case .other: break
                }
                // The two may come in either order.
                if let end, isFeedDone { return end }
            }
            return end ?? .detach
        }
    }

    /// What has come to an end in a console.
    private enum Finished: Sendable {
        case screen(ConsoleEnd)
        case feed
        case other
    }

    /// How long the last changes may take once the screen is given back.
    private static let lastChanges = Duration.seconds(5)

    private static func settings(_ port: any GatewayPort, _ user: Operator) async -> ConsoleSettings {
        // Without settings, or with those of a later version, the console is as it comes.
        guard let json = try? await port.settings(by: user),
            let settings = try? ConsoleJSON.decode(ConsoleSettings.self, from: json)
        else { return ConsoleSettings() }
        return settings
    }

    private static func open(
        _ capabilities: TerminalCapabilities,
        _ user: Operator,
        _ options: ConsoleOptions,
        _ settings: ConsoleSettings,
        _ mailbox: Mailbox,
        _ feed: PortFeed
    ) throws -> ConsoleLoop {
        let device: TerminalDevice
        do throws(TerminalDevice.OpenFailure) {
            device = try TerminalDevice()
        } catch {
            throw Unusable(description: error.description)
        }
        let size = device.size ?? Size(columns: 80, lines: 24)
        guard let painter = NcursesPainter(capabilities, size: size) else {
            throw Unusable(
                description:
                    "the terminal database knows none of \(capabilities.terminalNames.joined(separator: ", "))"
            )
        }
        var state = ConsoleState(
            size: size,
            user: user,
            options: options,
            settings: settings,
            capabilities: capabilities,
            depth: painter.depth
        )
        if painter.terminalName != capabilities.terminalNames.first {
            state.say(
                "TERM \(capabilities.terminalNames[0]) is not known here; drawing for \(painter.terminalName)",
                .info
            )
        }
        return ConsoleLoop(
            state: state,
            device: device,
            painter: painter,
            mailbox: mailbox,
            themes: ThemeWatch(folders: options.themeFolders)
        ) { feed.send($0) }
    }
}

extension ConsoleState {
    init(
        size: Size,
        user: Operator,
        options: ConsoleOptions,
        settings: ConsoleSettings,
        capabilities: TerminalCapabilities,
        depth: ColorDepth
    ) {
        self.size = size
        now = Timestamp(seconds: Int(WallTime.seconds()))
        zone = WallTime.secondsEastOfUTC()
        mode = options.mode
        self.user = user
        isReadOnly = options.isReadOnly
        self.settings = settings
        themes = ThemeLibrary(folders: options.themeFolders)
        themeName = options.theme ?? settings.theme ?? (themes.theme("dark") == nil ? "plain" : "dark")
        self.depth = depth
        bestGlyphs = capabilities.glyphSet
        glyphs = .of(capabilities.glyphSet)
        if let set = settings.charts.flatMap(Glyphs.Kind.init(rawValue:)), bestGlyphs != .ascii {
            glyphs = .of(set)
        }
        look = Self.look(themes, themeName, depth, glyphs)
        welcome = options.welcome
        dashboard.window = settings.window
        keymap = Keymap()
        var fault = themes.faults.first
        // A file that is not there changes no keys.
        if let file = options.keymapFile, let text = try? String(contentsOfFile: file, encoding: .utf8) {
            keymap = Keymap(overrides: text, file: file)
            fault = keymap.faults.first ?? fault
        }
        if themes.theme(themeName) == nil { fault = "there is no theme \(themeName)" }
        if let fault { say(fault, .error, for: 10) }
    }
}

/// The time of day, as the system tells it.
enum WallTime {
    static func seconds() -> Int64 {
        Int64(time(nil))
    }

    static func secondsEastOfUTC() -> Int {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        return parts.tm_gmtoff
    }
}

/// Runs work that has to stay on one thread, and may wait there, on a thread of its own.
private func onOwnThread<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            continuation.resume(with: Result { try work() })
        }
        thread.name = "console"
        thread.stackSize = 4 << 20
        thread.start()
    }
}
