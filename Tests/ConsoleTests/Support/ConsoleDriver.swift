import Operations

@testable import Console

/// A console without a terminal: keys go in, and screens come out.
struct ConsoleDriver {
    /// 14:22:09 of a day in November.
    static let start = Timestamp(text: "2026-11-21T14:22:09Z") ?? Timestamp(seconds: 0)

    var state: ConsoleState
    /// What the console has asked for so far.
    private(set) var effects: [ConsoleEffect] = []

    init(
        columns: Int = 120,
        lines: Int = 40,
        depth: ColorDepth = .truecolor,
        glyphs: Glyphs.Kind = .unicode,
        mode: ConsoleMode = .attached(place: "test.sock"),
        role: Role = .admin,
        isReadOnly: Bool = false,
        themes: ThemeLibrary = ThemeLibrary(folders: [Fixture.themes])
    ) {
        var options = ConsoleOptions(mode: mode, environment: [:])
        options.isReadOnly = isReadOnly
        var capabilities = TerminalCapabilities(environment: ["TERM": "xterm-256color", "LANG": "C.UTF-8"])
        capabilities.glyphSet = glyphs
        state = ConsoleState(
            size: Size(columns: columns, lines: lines),
            user: Operator(name: "ops", role: role, via: "socket"),
            options: options,
            settings: ConsoleSettings(),
            capabilities: capabilities,
            depth: depth
        )
        state.themes = themes
        state.themeName = "dark"
        state.now = Self.start
        state.zone = 0
        effects = state.begin()
    }

    // MARK: In

    mutating func send(_ event: ConsoleEvent) {
        effects += state.reduce(event)
    }

    /// Keys by name, or text to be typed: `press("/", "status>=500", "enter")`.
    mutating func press(_ keys: String...) {
        for key in keys {
            if let named = Key.parse(key) {
                send(.terminal(.key(named)))
            } else {
                for character in key {
                    send(.terminal(.key(character == " " ? .space : Key(String(character)))))
                }
            }
        }
    }

    mutating func answer(_ answer: ConsoleEvent.Answer) {
        send(.answer(answer))
    }

    mutating func pass(seconds: Int) {
        for _ in 0..<seconds {
            send(.tick(state.now.advanced(by: .seconds(1))))
        }
    }

    /// What was asked for since the last call.
    mutating func takeEffects() -> [ConsoleEffect] {
        defer { effects = [] }
        return effects
    }

    /// The changes among it.
    mutating func takeChanges() -> [ConsoleChange] {
        takeEffects().compactMap { if case .change(let change) = $0 { change } else { nil } }
    }

    // MARK: Out

    var frame: ConsoleView.Frame { ConsoleView.draw(state) }

    var lines: [String] {
        let buffer = frame.buffer
        return (0..<buffer.height).map { buffer.text(line: $0) }
    }

    var text: String { lines.joined(separator: "\n") }
    var footer: String { lines.last ?? "" }
}
