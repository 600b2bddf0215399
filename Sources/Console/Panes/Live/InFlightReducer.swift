import Operations

/// The exchanges in flight: the list, the one that is watched, and cutting some off.
extension ConsoleState {
    // MARK: What the gateway sends

    /// Takes the newest snapshot's exchanges, and how fast their streams go since the one before.
    mutating func takeInFlight(since before: LiveSnapshot?) {
        guard let live, pane == .live, !inFlight.isPaused else { return }
        let known = Dictionary((before?.exchanges ?? []).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        var rates: [Int: Double] = [:]
        for exchange in live.exchanges where exchange.isStream {
            rates[exchange.id] = rate(of: exchange, since: known[exchange.id])
        }
        inFlight.rates = rates
        applyInFlightFilter()
    }

    /// By its own age, which is told with its count; too soon after the last time the last one stands.
    private func rate(of exchange: LiveExchange, since before: LiveExchange?) -> Double? {
        if let before {
            let elapsed = (exchange.ageMs - before.ageMs) / 1000
            guard elapsed >= 0.5 else { return inFlight.rates[exchange.id] }
            return Double(max(0, exchange.streamChunks - before.streamChunks)) / elapsed
        }
        let flowing = (exchange.ageMs - (exchange.ttftMs ?? exchange.ageMs)) / 1000
        return flowing > 0.2 ? Double(exchange.streamChunks) / flowing : nil
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
            takeInFlight(since: nil)
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
    private var openOrSelected: LiveExchange? { inFlight.watched?.exchange ?? inFlight.table.selection }

    /// What a cut would be about: marked ones before the one that is read.
    private var toCut: [LiveExchange] {
        if inFlight.table.markCount > 0 { return inFlight.table.targets }
        return openOrSelected.map { [$0] } ?? []
    }

    /// Enter watches the selected one, then gives it the whole pane.
    mutating func openInFlight() {
        let isOpen =
            inFlight.isTextFocused || inFlight.table.selection?.id == inFlight.watched?.id
            || !ConsoleLayout(self).canSplit
        if inFlight.watched != nil, isOpen {
            // Where there is no room for both it has all of it.
            guard ConsoleLayout(self).canSplit else { return }
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
        let targets = toCut
        guard let first = targets.first else { return }
        let object = targets.count == 1 ? "the request of \(first.clientKey)" : "\(targets.count) requests"
        var text: [String] = []
        if targets.count == 1 {
            let key = first.upstreamKey.map { " with the key \($0)" } ?? ""
            text.append(
                "\(first.requestId): \(first.method) \(first.path) to \(first.upstream)\(key)"
                    + (first.model.map { ", model \($0)" } ?? "")
                    + ", running for \(NumberText.latency(first.ageMs)), \(NumberText.count(first.streamChunks)) chunks so far."
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
        case .pauseLive:
            ConsoleLayout(self).inFlight(inFlight).list.isEmpty
                ? "the list is not in sight; Esc shows it" : nil
        case .cutExchange where inFlight.table.markCount == 0 && inFlight.watched?.isOver == true:
            "it has ended; Esc closes it"
        case .cutExchange, .liveCaller, .liveLogs: openOrSelected == nil ? "nothing is in flight" : nil
        default: nil
        }
    }
}
