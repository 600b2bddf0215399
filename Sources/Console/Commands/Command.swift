/// Where a command's key means it.
enum CommandContext: String, CaseIterable, Sendable {
    case everywhere
    /// Wherever there are rows or lines to go through.
    case list
    case dashboard
    /// The exchanges in flight.
    case live
    case logs
    /// A log record that is open.
    case record
    case keys
    case pool
    case upstreams
    /// The header rules of an upstream.
    case headers
    case rules
    /// The script while keys are commands.
    case scripts
    /// The script, also while keys are typed into it.
    case editor
    case alerts
    /// Parts of the alerts.
    case channels
    case tasks
    case history
    case system
}

/// One thing an operator can do by name: keys, palette, help, footer and documents are made of these.
struct Command: Sendable, Identifiable {
    let id: CommandID
    let title: String
    let keys: [String]
    let context: CommandContext
    /// The footer's word, where it deserves a place there; the footer shows them in the registry's order.
    var hint: String?
    /// Whether it changes the gateway; `--read-only` takes these away.
    var isChange = false
}

/// The names of all commands.
enum CommandID: String, CaseIterable, Sendable {
    case showDashboard = "pane.dashboard"
    case showLive = "pane.live"
    case showLogs = "pane.logs"
    case showKeys = "pane.keys"
    case showPool = "pane.pool"
    case showUpstreams = "pane.upstreams"
    case showRules = "pane.rules"
    case showScripts = "pane.scripts"
    case showAlerts = "pane.alerts"
    case showSystem = "pane.system"
    case filter = "filter.edit"
    case clearFilter = "filter.clear"
    case palette = "command.palette"
    case help = "command.help"
    case back = "back"
    case quit = "quit"
    case suspend = "suspend"
    case repaint = "screen.repaint"
    case mouse = "screen.mouse"
    case theme = "screen.theme"
    case charts = "screen.charts"
    case refetch = "refetch"
    case undo = "undo"
    case nextFocus = "focus.next"
    case previousFocus = "focus.previous"

    case up = "list.up"
    case down = "list.down"
    case pageUp = "list.page_up"
    case pageDown = "list.page_down"
    case halfUp = "list.half_up"
    case halfDown = "list.half_down"
    case top = "list.top"
    case bottom = "list.bottom"
    case open = "list.open"
    case sort = "list.sort"
    case columns = "list.columns"
    case mark = "list.mark"
    case range = "list.range"
    case copy = "list.copy"

    case cursorLeft = "chart.left"
    case cursorRight = "chart.right"
    case shorterWindow = "chart.shorter"
    case longerWindow = "chart.longer"
    case earlier = "chart.earlier"
    case later = "chart.later"
    case pauseCharts = "chart.pause"

    case pauseLive = "live.pause"
    case rawText = "live.raw"
    case cutExchange = "live.cut"
    case liveCaller = "live.same_caller"
    case liveLogs = "live.logs"

    case pauseLogs = "logs.pause"
    case nextError = "logs.next_error"
    case previousError = "logs.previous_error"
    case sameCaller = "logs.same_caller"
    case jumpToTime = "logs.jump"
    case copyCurl = "logs.copy_curl"
    case testRulesOnRecord = "logs.test_rules"

    case newKey = "keys.new"
    case editKey = "keys.edit"
    case toggleKey = "keys.toggle"
    case rotateKey = "keys.rotate"
    case revokeKey = "keys.revoke"
    case deleteKey = "keys.delete"
    case purgeKey = "keys.purge"
    case keyLogs = "keys.logs"

    case newPoolKey = "pool.new"
    case editPoolKey = "pool.edit"
    case togglePoolKey = "pool.toggle"
    case banPoolKey = "pool.ban"
    case resetPoolKey = "pool.reset"
    case testPoolKey = "pool.test"
    case deletePoolKey = "pool.delete"
    case poolKeyLogs = "pool.logs"
    case importPool = "pool.import"

    case newUpstream = "upstreams.new"
    case editUpstream = "upstreams.edit"
    case toggleUpstream = "upstreams.toggle"
    case resetUpstream = "upstreams.reset"
    case testUpstream = "upstreams.test"
    case deleteUpstream = "upstreams.delete"
    case upstreamLogs = "upstreams.logs"

    case newRule = "rules.new"
    case editRule = "rules.edit"
    case toggleRule = "rules.toggle"
    case ruleUp = "rules.up"
    case ruleDown = "rules.down"
    case testRules = "rules.test"
    case deleteRule = "rules.delete"
    case resetRules = "rules.reset"

    case focusHeaders = "headers.show"
    case newHeader = "headers.new"
    case editHeader = "headers.edit"
    case toggleHeader = "headers.toggle"
    case headerUp = "headers.up"
    case headerDown = "headers.down"
    case deleteHeader = "headers.delete"

    case typeScript = "scripts.type"
    case newScript = "scripts.new"
    case openScript = "scripts.open"
    case scriptExamples = "scripts.examples"
    case scriptLanguage = "scripts.language"
    case scriptContext = "scripts.context"
    case runScript = "scripts.run"
    case saveScript = "scripts.save"
    case saveScriptAs = "scripts.save_as"
    case undoScript = "scripts.undo"
    case redoScript = "scripts.redo"
    case findInScript = "scripts.find"
    case goToLine = "scripts.line"
    case externalEditor = "scripts.editor"

    case newChannel = "channels.new"
    case editChannel = "channels.edit"
    case toggleChannel = "channels.toggle"
    case testChannel = "channels.test"
    case deleteChannel = "channels.delete"
    case resend = "history.resend"
    case runTask = "tasks.run"
    case taskInterval = "tasks.interval"
    case showTemplate = "templates.show"
    case editTemplate = "templates.edit"

    case reload = "system.reload"
    case undoChange = "system.undo"
    case backUp = "system.backup"
    case rotateMasterKey = "system.rotate-master-key"
}
