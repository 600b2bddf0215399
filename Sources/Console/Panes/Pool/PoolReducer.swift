import Operations

/// What operators do with the keys of the pool.
extension ConsoleState {
    mutating func applyPoolFilter() {
        let fitting = pool.all.filter { PoolState.accepts(filter.parsed, $0) }
        pool.table.replace(pool.sort.apply(fitting, PoolView.columns(self)))
    }

    mutating func runPool(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .togglePoolKey: return toggle()
        case .banPoolKey: askToBan()
        case .resetPoolKey: return [.change(change(pool.table.targets, .active))]
        case .poolKeyLogs:
            guard let key = pool.table.selection else { return [] }
            pane = .logs
            return setFilter("\(FilterText.upstream(key.upstream)) and \(FilterText.upstreamKey(key.name))")
        default: break
        }
        return []
    }

    private func change(_ keys: [UpstreamKey], _ state: KeyState) -> ConsoleChange {
        .setPoolState(ids: keys.map(\.id), names: keys.map { "\($0.upstream)/\($0.name)" }, state)
    }

    /// Easily taken back, so it is not asked about.
    private func toggle() -> [ConsoleEffect] {
        let all = pool.table.targets
        let isOn = all.allSatisfy { $0.state == .disabled || $0.state == .banned }
        let targets = all.filter { isOn || ($0.state != .disabled && $0.state != .banned) }
        return targets.isEmpty ? [] : [.change(change(targets, isOn ? .active : .disabled))]
    }

    private mutating func askToBan() {
        let targets = pool.table.targets.filter { $0.state != .banned }
        guard let first = targets.first else { return }
        let object = targets.count == 1 ? "\(first.upstream)/\(first.name)" : "\(targets.count) keys"
        let running = targets.reduce(0) { $0 + $1.inFlight }
        var text = ["It is not used any more, whatever it shows, until an operator lifts the ban (x)."]
        if running > 0 { text.append("\(running) in flight with it end in peace.") }
        let dialog = Dialog(
            title: "Ban \(object)",
            text: text,
            buttons: [.init(label: "Ban", key: Key("y"))],
            typing: targets.count > 1 ? "ban \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .change(change(targets, .banned))))
    }

    func copyOfPool() -> String? {
        let keys = pool.table.targets
        guard !keys.isEmpty else { return nil }
        return keys.map { "\($0.upstream)/\($0.name)\t\($0.state.rawValue)\t\($0.reason ?? "")" }
            .joined(separator: "\n")
    }

    /// Why a command on the selected key is not to be had.
    func refusalOfPool(_ id: CommandID) -> String? {
        guard pool.table.selection != nil else { return "there is no key in the pool" }
        switch id {
        case .banPoolKey:
            return pool.table.targets.allSatisfy { $0.state == .banned } ? "already banned" : nil
        case .resetPoolKey:
            return pool.table.targets.allSatisfy { $0.state == .active }
                ? "it is in use; nothing to reset" : nil
        default: return nil
        }
    }
}
