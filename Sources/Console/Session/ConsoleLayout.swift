/// Where everything stands; shared by the view, which draws, and the reducer, which scrolls.
struct ConsoleLayout {
    /// How much a screen has room for.
    enum Kind {
        /// From 120 columns on.
        case full
        /// From 80 columns on.
        case compact
        /// From 40 columns on.
        case single
        /// A line of figures.
        case line
    }

    let kind: Kind
    let breadcrumb: Rect
    let tabs: Rect
    let welcome: Rect
    let body: Rect
    let footer: Rect

    init(_ state: ConsoleState) {
        let size = state.size
        if size.columns < 40 || size.lines < 8 {
            kind = .line
        } else {
            kind = size.columns >= 120 ? .full : size.columns >= 80 ? .compact : .single
        }
        var rest = Rect(x: 0, y: 0, width: size.columns, height: size.lines)
        breadcrumb = rest.cutTop(1)
        footer = rest.cutBottom(kind == .line ? 0 : 1)
        let hasTabs = kind == .full || kind == .compact || size.lines >= 16
        tabs = rest.cutTop(kind == .line || !hasTabs ? 0 : 1)
        welcome = rest.cutTop(kind != .line && size.lines >= 16 ? state.welcome.count : 0)
        if size.lines >= 30 { _ = rest.cutTop(1) }
        body = rest
    }

    // MARK: Logs

    /// The list, its status line, and the record below it when one is open.
    func logs(_ logs: LogsState) -> Split { split(isOpen: logs.record != nil, isFull: logs.isRecordFull) }

    /// As the log's: the list, and the answer that is watched below it.
    func inFlight(_ inFlight: InFlightState) -> Split {
        split(isOpen: inFlight.watched != nil, isFull: inFlight.isTextFull)
    }

    typealias Split = (list: Rect, status: Rect, heading: Rect, record: Rect)

    private func split(isOpen: Bool, isFull: Bool) -> Split {
        var rest = body
        let empty = Rect(x: rest.x, y: rest.maxY, width: 0, height: 0)
        guard isOpen else {
            let status = rest.cutBottom(1)
            return (rest, status, empty, empty)
        }
        guard canSplit, !isFull else {
            let heading = rest.cutTop(1)
            return (empty, empty, heading, rest)
        }
        let list = rest.cutTop(max(rest.height * 2 / 5, 5))
        let status = rest.cutTop(1)
        let heading = rest.cutTop(1)
        return (list, status, heading, rest)
    }

    /// Whether list and record fit above each other.
    var canSplit: Bool { body.height >= 22 }

    // MARK: Upstreams

    /// The list, and the headers of the one that is chosen; where both have no room, the one that has the keys.
    func upstreams(_ upstreams: UpstreamsState) -> (list: Rect, headers: Rect) {
        var list = list
        let empty = Rect(x: list.x, y: list.maxY, width: 0, height: 0)
        guard list.height >= 12 else { return upstreams.headers.isFocused ? (empty, list) : (list, empty) }
        let shown = list.cutTop(min(max(upstreams.table.rows.count + 2, 5), list.height / 2))
        return (shown, list)
    }

    // MARK: Scripts

    struct Scripts {
        let heading: Rect
        let editor: Rect
        let resultHeading: Rect
        let result: Rect
        let context: Rect
        let status: Rect
    }

    /// What came of it beside the script where there is room, below it elsewhere.
    var scripts: Scripts {
        var rest = body
        let status = rest.cutBottom(1)
        var side: Rect
        if kind == .full {
            side = rest.cutRight(max(44, rest.width / 3))
            _ = side.cutLeft(1)
        } else {
            side = rest.cutBottom(max(3, rest.height / 3))
        }
        let heading = rest.cutTop(1)
        let resultHeading = side.cutTop(1)
        let context = side.cutBottom(kind == .full && side.height >= 16 ? 9 : 0)
        return Scripts(
            heading: heading,
            editor: rest,
            resultHeading: resultHeading,
            result: side,
            context: context,
            status: status
        )
    }

    // MARK: Alerts

    /// Channels, tasks and history above each other; where there is no room, the one that has the keys.
    func alerts(_ alerts: AlertsState) -> [AlertsState.Part: Rect] {
        var rest = body
        _ = rest.cutBottom(1)
        guard rest.height >= 18 else { return [alerts.part: rest] }
        let channels = rest.cutTop(min(max(alerts.channels.rows.count + 3, 4), rest.height / 3))
        let tasks = rest.cutTop(min(max(alerts.tasks.rows.count + 3, 4), rest.height / 2))
        return [.channels: channels, .tasks: tasks, .history: rest]
    }

    var alertsStatus: Rect {
        var rest = body
        return rest.cutBottom(1)
    }

    // MARK: Lists of the other panes

    var list: Rect {
        var rest = body
        _ = rest.cutBottom(1)
        return rest
    }

    var changes: Rect {
        var rest = body
        _ = rest.cutTop(SystemView.figureLines(rest))
        _ = rest.cutTop(1)
        return rest
    }
}
