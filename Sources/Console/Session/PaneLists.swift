import Operations

/// What every list does, whatever stands in it.
protocol ListTable: Sendable {
    var top: Int { get }
    mutating func move(_ movement: Movement, page: Int)
    mutating func select(_ index: Int)
    mutating func settle(height: Int)
    mutating func toggleMark()
    mutating func toggleRange()
    mutating func clearMarks() -> Bool
    mutating func unmark(_ ids: [Int])
}

extension TableState: ListTable {}

/// The list of the pane that is shown, for keys that mean the same in all of them.
extension ConsoleState {
    /// nil where there is none.
    var list: (any ListTable)? {
        get {
            switch pane {
            case .dashboard: nil
            case .live: inFlight.table
            case .logs: logs.table
            case .keys: keys.table
            case .pool: pool.table
            case .upstreams: upstreams.headers.isFocused ? upstreams.headers.table : upstreams.table
            case .rules: rules.table
            case .scripts: nil
            case .alerts:
                switch alerts.part {
                case .channels: alerts.channels
                case .tasks: alerts.tasks
                case .history: alerts.history
                }
            case .system: system.changes
            }
        }
        set {
            switch newValue {
            case let table as TableState<LogRecord>: logs.table = table
            case let table as TableState<LiveExchange>: inFlight.table = table
            case let table as TableState<ClientKey>: keys.table = table
            case let table as TableState<UpstreamKey>: pool.table = table
            case let table as TableState<Upstream>: upstreams.table = table
            case let table as TableState<Rule>: rules.table = table
            case let table as TableState<HeaderRule>: upstreams.headers.table = table
            case let table as TableState<NotificationChannel>: alerts.channels = table
            case let table as TableState<TaskRow>: alerts.tasks = table
            case let table as TableState<NotificationRecord>: alerts.history = table
            case let table as TableState<OperatorChange>: system.changes = table
            default: break
            }
        }
    }

    /// Where it is drawn, heading included.
    var listRect: Rect {
        let layout = ConsoleLayout(self)
        return switch pane {
        case .dashboard, .scripts: Rect(x: 0, y: 0, width: 0, height: 0)
        case .live: layout.inFlight(inFlight).list
        case .logs: layout.logs(logs).list
        case .upstreams where upstreams.headers.isFocused: layout.upstreams(upstreams).headers
        case .upstreams: layout.upstreams(upstreams).list
        case .keys, .pool, .rules: layout.list
        case .alerts:
            layout.alerts(alerts)[alerts.part].map {
                Rect(x: $0.x, y: $0.y + 1, width: $0.width, height: max(0, $0.height - 1))
            } ?? Rect(x: 0, y: 0, width: 0, height: 0)
        case .system: layout.changes
        }
    }

    /// Rows of it can be marked.
    var hasMarks: Bool {
        [.live, .logs, .keys, .pool, .rules].contains(pane)
            || pane == .upstreams && upstreams.headers.isFocused
            || pane == .alerts && alerts.part == .history
    }

    struct ColumnTitle {
        let id: String
        let title: String
        let isSortable: Bool
    }

    /// Its columns; empty where nothing can be chosen of them.
    var columnTitles: [ColumnTitle] {
        func titles<Row>(_ columns: [Column<Row>]) -> [ColumnTitle] {
            columns.map { ColumnTitle(id: $0.id, title: $0.title, isSortable: $0.order != nil) }
        }
        return switch pane {
        case .dashboard, .scripts, .system: []
        case .alerts:
            switch alerts.part {
            case .channels: titles(AlertsView.channelColumns(self))
            case .tasks: titles(AlertsView.taskColumns(self))
            case .history: titles(AlertsView.historyColumns(self))
            }
        case .live: titles(InFlightView.columns(self))
        case .logs: titles(LogsView.columns(self))
        case .keys: titles(KeysView.columns(self))
        case .pool: titles(PoolView.columns(self))
        case .upstreams: titles(UpstreamsView.columns(self))
        case .rules: titles(RulesView.columns(self))
        }
    }

    /// The order that was chosen; nil where the order is given.
    var sortOrder: SortOrder? {
        get {
            switch pane {
            case .dashboard, .logs, .rules, .scripts, .alerts, .system: nil
            case .live: inFlight.sort
            case .keys: keys.sort
            case .pool: pool.sort
            case .upstreams: upstreams.sort
            }
        }
        set {
            guard let newValue else { return }
            switch pane {
            case .dashboard, .logs, .rules, .scripts, .alerts, .system: break
            case .live: inFlight.sort = newValue
            case .keys: keys.sort = newValue
            case .pool: pool.sort = newValue
            case .upstreams: upstreams.sort = newValue
            }
            applyFilter()
        }
    }

    /// Brings lists that narrow by the filter up to it.
    mutating func applyFilter() {
        applyInFlightFilter()
        applyKeyFilter()
        applyPoolFilter()
        applyUpstreamFilter()
        applyRuleFilter()
    }
}
