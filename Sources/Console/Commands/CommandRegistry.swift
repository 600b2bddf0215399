/// Every command there is, in the order in which footer and help show them.
enum CommandRegistry {
    static let all: [Command] =
        everywhere + list + dashboard + live + logs + record + keys + pool
        + upstreams + headers + rules + scripts + editor
        + channels + tasks + history + alerts + system

    static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

    private static let everywhere = [
        Command(
            id: .filter,
            title: "Filter every pane",
            keys: ["/"],
            context: .everywhere,
            hint: "filter"
        ),
        Command(
            id: .palette,
            title: "Any command by name",
            keys: [":", "ctrl-p"],
            context: .everywhere,
            hint: "command"
        ),
        Command(
            id: .help,
            title: "The keys that work here",
            keys: ["?", "f1"],
            context: .everywhere,
            hint: "keys"
        ),
        Command(
            id: .quit,
            title: "Leave the console",
            keys: ["q", "ctrl-c"],
            context: .everywhere,
            hint: "quit"
        ),
        Command(id: .back, title: "One step back", keys: ["esc"], context: .everywhere),
        Command(id: .showDashboard, title: "Show the dashboard", keys: ["1"], context: .everywhere),
        Command(id: .showLive, title: "Show the exchanges in flight", keys: ["2"], context: .everywhere),
        Command(id: .showLogs, title: "Show the logs", keys: ["3"], context: .everywhere),
        Command(id: .showKeys, title: "Show the client keys", keys: ["4"], context: .everywhere),
        Command(id: .showPool, title: "Show the provider keys", keys: ["5"], context: .everywhere),
        Command(id: .showUpstreams, title: "Show the upstreams", keys: ["6"], context: .everywhere),
        Command(id: .showRules, title: "Show the rules", keys: ["7"], context: .everywhere),
        Command(id: .showScripts, title: "Show the scripts", keys: ["8"], context: .everywhere),
        Command(id: .showAlerts, title: "Show alerts and tasks", keys: ["9"], context: .everywhere),
        Command(id: .showSystem, title: "Show the system", keys: ["0"], context: .everywhere),
        Command(id: .clearFilter, title: "Clear the filter", keys: ["\\"], context: .everywhere),
        Command(id: .nextFocus, title: "Next part of the pane", keys: ["tab"], context: .everywhere),
        Command(
            id: .previousFocus,
            title: "Previous part of the pane",
            keys: ["shift-tab"],
            context: .everywhere
        ),
        Command(id: .refetch, title: "Fetch everything again", keys: ["r"], context: .everywhere),
        Command(id: .undo, title: "Undo your last change", keys: ["u"], context: .everywhere, isChange: true),
        Command(id: .repaint, title: "Paint the screen anew", keys: ["ctrl-l"], context: .everywhere),
        Command(id: .mouse, title: "Mouse on or off", keys: ["f2"], context: .everywhere),
        Command(id: .theme, title: "Choose a theme", keys: ["f3"], context: .everywhere),
        Command(
            id: .charts,
            title: "Draw charts in braille, blocks or ASCII",
            keys: ["f4"],
            context: .everywhere
        ),
        Command(id: .suspend, title: "Back to the shell for a while", keys: ["ctrl-z"], context: .everywhere),
    ]

    private static let list = [
        Command(id: .open, title: "Open", keys: ["enter"], context: .list, hint: "open"),
        Command(id: .down, title: "Down", keys: ["j", "down"], context: .list),
        Command(id: .up, title: "Up", keys: ["k", "up"], context: .list),
        Command(id: .halfDown, title: "Half a page down", keys: ["ctrl-d"], context: .list),
        Command(id: .halfUp, title: "Half a page up", keys: ["ctrl-u"], context: .list),
        Command(id: .pageDown, title: "A page down", keys: ["pgdn", "ctrl-f"], context: .list),
        Command(id: .pageUp, title: "A page up", keys: ["pgup", "ctrl-b"], context: .list),
        Command(id: .top, title: "To the first", keys: ["g", "home"], context: .list),
        Command(id: .bottom, title: "To the last", keys: ["G", "end"], context: .list),
        Command(id: .sort, title: "Sort by a column", keys: ["s"], context: .list),
        Command(id: .columns, title: "Choose columns", keys: ["C"], context: .list),
        Command(id: .mark, title: "Mark this row", keys: ["space"], context: .list),
        Command(id: .range, title: "Begin or end a range of marks", keys: ["v"], context: .list),
        Command(id: .copy, title: "Copy", keys: ["y"], context: .list, hint: "copy"),
    ]

    private static let dashboard = [
        Command(
            id: .cursorLeft,
            title: "Cursor back in time",
            keys: ["left", "h"],
            context: .dashboard,
            hint: "cursor"
        ),
        Command(
            id: .cursorRight,
            title: "Cursor forward in time",
            keys: ["right", "l"],
            context: .dashboard
        ),
        Command(
            id: .shorterWindow,
            title: "Shorter window: 5 m, 1 h, 24 h",
            keys: ["["],
            context: .dashboard,
            hint: "window"
        ),
        Command(id: .longerWindow, title: "Longer window: 5 m, 1 h, 24 h", keys: ["]"], context: .dashboard),
        Command(id: .earlier, title: "Scroll back in time", keys: ["<", "shift-left"], context: .dashboard),
        Command(
            id: .later,
            title: "Scroll forward in time",
            keys: [">", "shift-right"],
            context: .dashboard
        ),
        Command(id: .pauseCharts, title: "Pause or go on", keys: ["p"], context: .dashboard, hint: "pause"),
    ]

    private static let live = [
        Command(
            id: .cutExchange,
            title: "Cut off: its caller sees an error",
            keys: ["X"],
            context: .live,
            hint: "cut off",
            isChange: true
        ),
        Command(
            id: .pauseLive,
            title: "Hold the list still, or go on",
            keys: ["p"],
            context: .live,
            hint: "hold"
        ),
        Command(
            id: .rawText,
            title: "What the model says, or what is sent",
            keys: ["t"],
            context: .live,
            hint: "raw"
        ),
        Command(id: .liveCaller, title: "Only this caller", keys: ["="], context: .live, hint: "same caller"),
        Command(
            id: .liveLogs,
            title: "Its caller's requests in the logs",
            keys: ["L"],
            context: .live,
            hint: "logs"
        ),
    ]

    private static let logs = [
        Command(id: .pauseLogs, title: "Pause or follow", keys: ["p"], context: .logs, hint: "pause"),
        Command(id: .nextError, title: "Next error", keys: ["n"], context: .logs, hint: "next error"),
        Command(id: .previousError, title: "Previous error", keys: ["N"], context: .logs),
        Command(id: .sameCaller, title: "Only this caller", keys: ["="], context: .logs, hint: "same caller"),
        Command(id: .jumpToTime, title: "Jump to a time", keys: ["t"], context: .logs, hint: "time"),
        Command(
            id: .testRulesOnRecord,
            title: "What the rules make of its answer",
            keys: ["T"],
            context: .logs,
            hint: "try rules"
        ),
    ]

    private static let record = [
        Command(
            id: .copyCurl,
            title: "Copy as a curl command",
            keys: ["Y"],
            context: .record,
            hint: "copy as curl"
        )
    ]

    private static let keys = [
        Command(
            id: .newKey,
            title: "New client key",
            keys: ["n"],
            context: .keys,
            hint: "new",
            isChange: true
        ),
        Command(id: .editKey, title: "Edit", keys: ["e"], context: .keys, hint: "edit", isChange: true),
        Command(
            id: .toggleKey,
            title: "Disable or enable",
            keys: ["d"],
            context: .keys,
            hint: "disable",
            isChange: true
        ),
        Command(
            id: .rotateKey,
            title: "Rotate: a new value, the old one for a while",
            keys: ["R"],
            context: .keys,
            hint: "rotate",
            isChange: true
        ),
        Command(
            id: .revokeKey,
            title: "Revoke for ever",
            keys: ["X"],
            context: .keys,
            hint: "revoke",
            isChange: true
        ),
        Command(id: .deleteKey, title: "Delete", keys: ["D"], context: .keys, isChange: true),
        Command(
            id: .purgeKey,
            title: "Erase what the log holds of it",
            keys: [],
            context: .keys,
            isChange: true
        ),
        Command(id: .keyLogs, title: "Its requests in the logs", keys: ["L"], context: .keys, hint: "logs"),
    ]

    private static let pool = [
        Command(
            id: .newPoolKey,
            title: "New upstream key",
            keys: ["n"],
            context: .pool,
            hint: "new",
            isChange: true
        ),
        Command(id: .editPoolKey, title: "Edit", keys: ["e"], context: .pool, hint: "edit", isChange: true),
        Command(
            id: .togglePoolKey,
            title: "Disable or enable",
            keys: ["d"],
            context: .pool,
            hint: "disable",
            isChange: true
        ),
        Command(id: .banPoolKey, title: "Ban", keys: ["B"], context: .pool, hint: "ban", isChange: true),
        Command(
            id: .resetPoolKey,
            title: "Bring back: forget what it has shown, lift its ban",
            keys: ["x"],
            context: .pool,
            hint: "bring back",
            isChange: true
        ),
        Command(
            id: .testPoolKey,
            title: "Ask its upstream something free with it",
            keys: ["t"],
            context: .pool,
            hint: "test",
            isChange: true
        ),
        Command(id: .deletePoolKey, title: "Delete", keys: ["D"], context: .pool, isChange: true),
        Command(
            id: .importPool,
            title: "Import a file of keys",
            keys: ["i"],
            context: .pool,
            hint: "import",
            isChange: true
        ),
        Command(
            id: .poolKeyLogs,
            title: "Its requests in the logs",
            keys: ["L"],
            context: .pool,
            hint: "logs"
        ),
    ]

    private static let upstreams = [
        Command(
            id: .newUpstream,
            title: "New upstream",
            keys: ["n"],
            context: .upstreams,
            hint: "new",
            isChange: true
        ),
        Command(
            id: .editUpstream,
            title: "Edit",
            keys: ["e"],
            context: .upstreams,
            hint: "edit",
            isChange: true
        ),
        Command(
            id: .focusHeaders,
            title: "The headers that it is sent",
            keys: ["h"],
            context: .upstreams,
            hint: "headers"
        ),
        Command(
            id: .toggleUpstream,
            title: "Disable or enable",
            keys: ["d"],
            context: .upstreams,
            hint: "disable",
            isChange: true
        ),
        Command(
            id: .resetUpstream,
            title: "Bring back: end its rest",
            keys: ["x"],
            context: .upstreams,
            hint: "bring back",
            isChange: true
        ),
        Command(
            id: .testUpstream,
            title: "Ask it something free: connection, certificate, key",
            keys: ["t"],
            context: .upstreams,
            hint: "test",
            isChange: true
        ),
        Command(
            id: .deleteUpstream,
            title: "Delete with its keys",
            keys: ["D"],
            context: .upstreams,
            isChange: true
        ),
        Command(
            id: .upstreamLogs,
            title: "Its requests in the logs",
            keys: ["L"],
            context: .upstreams,
            hint: "logs"
        ),
    ]

    private static let rules = [
        Command(id: .newRule, title: "New rule", keys: ["n"], context: .rules, hint: "new", isChange: true),
        Command(id: .editRule, title: "Edit", keys: ["e"], context: .rules, hint: "edit", isChange: true),
        Command(
            id: .toggleRule,
            title: "On or off",
            keys: ["d"],
            context: .rules,
            hint: "off",
            isChange: true
        ),
        Command(
            id: .testRules,
            title: "Try the rules on an answer",
            keys: ["t"],
            context: .rules,
            hint: "try"
        ),
        Command(
            id: .ruleUp,
            title: "Try it earlier",
            keys: ["K", "shift-up"],
            context: .rules,
            hint: "up",
            isChange: true
        ),
        Command(
            id: .ruleDown,
            title: "Try it later",
            keys: ["J", "shift-down"],
            context: .rules,
            hint: "down",
            isChange: true
        ),
        Command(id: .deleteRule, title: "Delete", keys: ["D"], context: .rules, isChange: true),
        Command(
            id: .resetRules,
            title: "Bring the default rules back",
            keys: [],
            context: .rules,
            isChange: true
        ),
    ]
}
