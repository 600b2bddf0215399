import Operations

/// The panes that there are, by the keys that show them.
enum PaneID: String, CaseIterable, Sendable {
    case dashboard = "Dashboard"
    case live = "Live"
    case logs = "Logs"
    case keys = "Keys"
    case pool = "Pool"
    case upstreams = "Upstreams"
    case rules = "Rules"
    case scripts = "Scripts"
    case alerts = "Alerts"
    case system = "System"

    var number: String {
        switch self {
        case .dashboard: "1"
        case .live: "2"
        case .logs: "3"
        case .keys: "4"
        case .pool: "5"
        case .upstreams: "6"
        case .rules: "7"
        case .scripts: "8"
        case .alerts: "9"
        case .system: "0"
        }
    }

    /// Its name where there is little room.
    var shortName: String {
        switch self {
        case .dashboard: "Dash"
        case .upstreams: "Upstr"
        default: rawValue
        }
    }

    var command: CommandID {
        switch self {
        case .dashboard: .showDashboard
        case .live: .showLive
        case .logs: .showLogs
        case .keys: .showKeys
        case .pool: .showPool
        case .upstreams: .showUpstreams
        case .rules: .showRules
        case .scripts: .showScripts
        case .alerts: .showAlerts
        case .system: .showSystem
        }
    }
}

/// How this console came to be, which decides what leaving means.
package enum ConsoleMode: Sendable, Equatable {
    /// With the command that attaches to it later.
    case inProcess(attach: String)
    case attached(place: String)
}

/// A short message that goes away by itself.
struct Toast: Sendable, Equatable {
    var text: String
    var role: StyleRole
    var until: Timestamp
}

/// Everything that a console shows; changed by the reducer, drawn by the view, and nothing else.
struct ConsoleState: Sendable {
    var size: Size
    var now: Timestamp
    /// Seconds east of UTC, for the times of day that are shown.
    var zone: Int
    let mode: ConsoleMode
    let user: Operator
    let isReadOnly: Bool
    var settings = ConsoleSettings()
    var keymap: Keymap
    var themes: ThemeLibrary { didSet { look = Self.look(themes, themeName, depth, glyphs) } }
    var themeName: String { didSet { look = Self.look(themes, themeName, depth, glyphs) } }
    var depth: ColorDepth { didSet { look = Self.look(themes, themeName, depth, glyphs) } }
    var glyphs: Glyphs { didSet { look = Self.look(themes, themeName, depth, glyphs) } }
    /// Follows from the four above.
    var look: Look
    /// The set that the terminal began with: the most it can show.
    let bestGlyphs: Glyphs.Kind
    var isMouseOn = false
    var isFocused = true
    /// Whether the terminal takes nothing: what it shows is old, and nothing is asked for that it could not show.
    var isStalled = false

    var pane = PaneID.dashboard
    var filter = FilterState()
    var dashboard = DashboardState()
    var inFlight = InFlightState()
    var logs = LogsState()
    var keys = KeysState()
    var pool = PoolState()
    var upstreams = UpstreamsState()
    var rules = RulesState()
    var scripts = ScriptsState()
    var alerts = AlertsState()
    var system = SystemState()
    var live: LiveSnapshot?
    /// The new exchanges that have been asked for.
    var watch: LogWatch?
    /// Whether they have begun to come.
    var isFollowed = false
    /// The exchange in flight whose answer has been asked for.
    var watching: Int?
    /// Why nothing comes from the gateway; nil while all is well.
    var outage: String?
    var overlays: [Overlay] = []
    /// What the form that was handed in last has asked for.
    var awaited: ConsoleEffect?
    var toast: Toast?
    /// The change that undo would make, and what it would take back.
    var undo: (change: ConsoleChange, title: String)?
    /// The one that undo is making: taken back itself, it would do again what was just undone.
    var undoing: (change: ConsoleChange, title: String)?
    /// A line that stays above the panes, as the demo's curl.
    var welcome: [String] = []

    static func look(
        _ themes: ThemeLibrary,
        _ name: String,
        _ depth: ColorDepth,
        _ glyphs: Glyphs
    ) -> Look {
        Look(themes.theme(name) ?? .plain, depth: depth, glyphs: glyphs)
    }

    mutating func say(_ text: String, _ role: StyleRole = .info, for seconds: Int = 5) {
        toast = Toast(text: text, role: role, until: now.advanced(by: .seconds(seconds)))
    }
}

/// The filter that dashboard, logs and keys share.
struct FilterState: Sendable, Equatable {
    /// The one in force.
    var text = ""
    /// Parsed from `text`, which always holds.
    var parsed = LogFilter.all
}

/// What floats over the panes; the last one has the keys.
enum Overlay: Sendable {
    case palette(Picker)
    case help(Picker)
    case prompt(Prompt)
    case sort(Picker)
    case columns(Picker)
    case themes(Picker, before: String)
    case scripts(Picker)
    /// Events whose text is to be shown or edited.
    case templates(Picker, isEdit: Bool)
    case form(Form, FormPurpose)
    case dialog(Dialog, DialogPurpose)
    case secret(Secret)
    case text(title: String, TextView)

    /// What a form is for.
    enum FormPurpose: Sendable, Equatable {
        case newKey
        case editKey(ClientKey)
        case newPoolKey
        case editPoolKey(UpstreamKey)
        case newUpstream
        case editUpstream(Upstream)
        case newRule
        case editRule(Rule)
        case testRules
        case newHeader(Upstream)
        case editHeader(HeaderRule, Upstream)
        case saveScript
        case scriptContext
        case newChannel
        case editChannel(NotificationChannel)
        case taskInterval(ScheduledTask)
        case importKeys
        case backup
        /// Why keys are banned.
        case banReason(PoolEdit)
    }

    /// What the buttons of a dialog do.
    enum DialogPurpose: Sendable, Equatable {
        /// Its only button besides Cancel makes the change.
        case change(ConsoleChange)
        /// Its buttons ban at once, or once something was said about it.
        case ban(PoolEdit)
        /// Its buttons choose how long the old value lives on.
        case rotate(id: Int, name: String)
        case leave
        /// Throw away what is in the form below.
        case discard
        /// Save the script although it fails.
        case saveScript(ConsoleChange)
        /// Take a file in that was looked at.
        case importKeys(path: String, ImportOptions)
        /// Throw away what is in the editor.
        case openScript(ScriptSource)
    }

    /// A value that is shown this once.
    struct Secret: Sendable, Equatable {
        let title: String
        let value: String
        let lines: [String]
        var isCopied = false
        /// Told that it was not copied.
        var isWarned = false
    }
}

/// A line at the bottom in which something is typed.
struct Prompt: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case filter
        case time
        /// In the script.
        case find
        case line
    }

    let kind: Kind
    var editor: LineEditor
    var fault: String?
    /// What came of it so far.
    var note: String?
    /// What `filter` was, for Esc.
    let before: String
}
