import Operations

/// The exchanges in flight: the list, the one that is watched, and cutting some off.
extension ConsoleState {
    // MARK: What the gateway sends

    /// Takes the newest snapshot's exchanges, and how fast their streams go since the one before.
    mutating func takeInFlight(since before: LiveSnapshot?) {
        guard let live, pane == .live else { return }
        let elapsed = before.map { Double(live.time.microseconds - $0.time.microseconds) / 1e6 } ?? 0
        let known = Dictionary(
            (before?.exchanges ?? []).map { ($0.id, $0.streamChunks) },
            uniquingKeysWith: { $1 }
        )
        inFlight.rates = [:]
        for exchange in live.exchanges where exchange.isStream {
            let flowing = (exchange.ageMs - (exchange.ttftMs ?? exchange.ageMs)) / 1000
            if let earlier = known[exchange.id], elapsed > 0 {
                inFlight.rates[exchange.id] = Double(max(0, exchange.streamChunks - earlier)) / elapsed
            } else if flowing > 0 {
                inFlight.rates[exchange.id] = Double(exchange.streamChunks) / flowing
            }
        }
        if !inFlight.isPaused { applyInFlightFilter() }
    }

    mutating func applyInFlightFilter() {
        let fitting = (live?.exchanges ?? []).filter { InFlightFilter.accepts(filter.parsed, $0) }
        inFlight.table.replace(inFlight.sort.apply(fitting, InFlightView.columns(self)))
    }

    mutating func take(_ piece: WatchedPiece, of id: Int) {
        guard inFlight.watched?.id == id else { return }
        inFlight.watched?.take(piece)
        if piece.ended { watching = nil }
    }

    /// Nothing more comes of it.
    mutating func watchIsOver(_ id: Int, _ reason: String?) {
        guard inFlight.watched?.id == id, inFlight.watched?.isOver == false else { return }
        inFlight.watched?.fault = reason ?? "the gateway has stopped telling"
        watching = nil
    }

    /// Follows what is open while it is in sight, and nothing else.
    mutating func watchExchange() -> [ConsoleEffect] {
        let open = inFlight.watched.flatMap { $0.isOver || $0.fault != nil ? nil : $0.id }
        let wanted = pane == .live && !isStalled && outage == nil ? open : nil
        guard wanted != watching else { return [] }
        watching = wanted
        inFlight.watched?.isBegun = false
        return [.watchExchange(wanted)]
    }

    // MARK: Commands

    mutating func runInFlight(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .pauseLive:
            inFlight.isPaused.toggle()
            if !inFlight.isPaused { applyInFlightFilter() }
        case .rawText:
            inFlight.watched?.isRaw.toggle()
            inFlight.watched?.refresh()
        case .cutExchange: askCut()
        case .liveCaller, .liveLogs:
            guard let exchange = openOrSelected else { return [] }
            if id == .liveLogs { pane = .logs }
            return setFilter(FilterText.client(exchange.clientKey))
        default: break
        }
        return []
    }

    /// What commands on one exchange are about.
    private var openOrSelected: LiveExchange? {
        inFlight.isTextFull || inFlight.isTextFocused
            ? inFlight.watched?.exchange : inFlight.table.selection
    }

    /// Enter watches the selected one, then gives it the whole pane.
    mutating func openInFlight() {
        if inFlight.watched != nil,
            inFlight.isTextFocused || inFlight.table.selection?.id == inFlight.watched?.id
        {
            inFlight.isTextFull.toggle()
            inFlight.isTextFocused = inFlight.isTextFull
            return
        }
        inFlight.table.selection.map { watch($0) }
    }

    private mutating func watch(_ exchange: LiveExchange) {
        guard exchange.id != inFlight.watched?.id else { return }
        let isRaw = inFlight.watched?.isRaw ?? false
        inFlight.watched = InFlightState.Watched(exchange, width: 80)
        inFlight.watched?.isRaw = isRaw
    }

    mutating func moveInFlight(_ movement: Movement) {
        let rects = ConsoleLayout(self).inFlight(inFlight)
        if inFlight.watched != nil, inFlight.isTextFull || inFlight.isTextFocused || rects.list.isEmpty {
            inFlight.watched?.view.move(movement, page: rects.record.height)
            inFlight.watched?.isFollowing = if case .bottom = movement { true } else { false }
            return
        }
        inFlight.table.move(movement, page: rects.list.height - 1)
        // The open one is the selected one.
        if inFlight.watched != nil { inFlight.table.selection.map { watch($0) } }
    }

    /// - Returns: whether there was something to close.
    mutating func closeInFlight() -> Bool {
        if inFlight.isTextFull, ConsoleLayout(self).canSplit {
            inFlight.isTextFull = false
        } else if inFlight.watched != nil {
            inFlight.watched = nil
            inFlight.isTextFull = false
        } else {
            return false
        }
        inFlight.isTextFocused = false
        return true
    }

    private mutating func askCut() {
        let isOpen = inFlight.isTextFull || inFlight.isTextFocused
        let targets = isOpen ? openOrSelected.map { [$0] } ?? [] : inFlight.table.targets
        guard let first = targets.first else { return }
        let object = targets.count == 1 ? "the request of \(first.clientKey)" : "\(targets.count) requests"
        var text: [String] = []
        if targets.count == 1 {
            let key = first.upstreamKey.map { " with the key \($0)" } ?? ""
            text.append(
                "\(first.method) \(first.path) to \(first.upstream)\(key), running for \(NumberText.latency(first.ageMs))."
            )
        } else {
            let callers = Set(targets.map(\.clientKey)).sorted()
            let more = callers.count > 5 ? " and \(callers.count - 5) more" : ""
            text.append("Of \(callers.prefix(5).joined(separator: ", "))\(more).")
        }
        text.append(
            "Callers see an error (operator_cut), and the provider is left. What it has done so far may be charged."
        )
        let change = ConsoleChange.cut(ids: targets.map(\.id), names: targets.map(\.clientKey))
        let dialog = Dialog(
            title: "Cut off \(object)",
            text: text,
            buttons: [.init(label: "Cut off", key: Key("y"))],
            typing: targets.count > 1 ? "cut \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .change(change)))
    }

    func copyOfInFlight() -> String? {
        if let watched = inFlight.watched, inFlight.isTextFull || inFlight.isTextFocused {
            return watched.shown.isEmpty ? nil : watched.shown.text
        }
        let rows = inFlight.table.targets
        return rows.isEmpty ? nil : rows.map(InFlightView.line).joined(separator: "\n")
    }

    func refusalOfInFlight(_ id: CommandID) -> String? {
        switch id {
        case .rawText: inFlight.watched == nil ? "nothing is watched; Enter watches the selected one" : nil
        case .cutExchange
        where inFlight.watched?.isOver == true && (inFlight.isTextFull || inFlight.isTextFocused):
            "it has ended"
        case .cutExchange, .liveCaller, .liveLogs: openOrSelected == nil ? "nothing is in flight" : nil
        default: nil
        }
    }
}
