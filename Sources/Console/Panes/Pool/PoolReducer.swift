import Operations

/// What operators do with the keys of the pool.
enum PoolEdit: Sendable, Equatable {
    case add(UpstreamKeyDraft, upstream: String)
    case change(id: Int, name: String, version: Int, UpstreamKeyChange)
    case delete(ids: [Int], names: [String])
    /// In use, disabled or banned.
    case setState(ids: [Int], names: [String], KeyState, reason: String? = nil)

    /// A change of state with what is said about it.
    func because(_ reason: String?) -> PoolEdit {
        guard case .setState(let ids, let names, let state, _) = self else { return self }
        return .setState(ids: ids, names: names, state, reason: reason)
    }

    var ids: [Int] {
        switch self {
        case .add: []
        case .change(let id, _, _, _): [id]
        case .delete(let ids, _), .setState(let ids, _, _, _): ids
        }
    }

    /// For messages.
    var object: String {
        switch self {
        case .add(let draft, let upstream): "“\(upstream)/\(draft.name)”"
        case .change(_, let name, _, _): "“\(name)”"
        case .delete(_, let names), .setState(_, let names, _, _):
            names.count == 1 ? "“\(names[0])”" : "\(names.count) keys"
        }
    }
}

extension ConsoleState {
    mutating func applyPoolFilter() {
        let fitting = pool.all.filter { PoolState.accepts(filter.parsed, $0) }
        pool.table.replace(pool.sort.apply(fitting, PoolView.columns(self)))
    }

    mutating func runPool(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .newPoolKey:
            let upstream = pool.table.selection?.upstream
            overlays.append(.form(PoolForm.make(nil, upstreams.all, upstream: upstream), .newPoolKey))
        case .editPoolKey:
            guard let key = pool.table.selection else { return [] }
            overlays.append(.form(PoolForm.make(key, upstreams.all), .editPoolKey(key)))
        case .importPool: overlays.append(.form(Self.importForm(), .importKeys))
        case .togglePoolKey: return toggle()
        case .banPoolKey: askToBan()
        case .resetPoolKey: return [.change(.pool(edit(pool.table.targets, .active)))]
        case .deletePoolKey: askToDelete()
        case .testPoolKey:
            guard let key = pool.table.selection else { return [] }
            let name = "\(key.upstream)/\(key.name)"
            say("asking \(key.upstream) with \(key.name) \(glyphs.ellipsis)", .info, for: 12)
            return [.ask(.upstreamKey(id: key.id, name: name))]
        case .poolKeyLogs:
            guard let key = pool.table.selection else { return [] }
            pane = .logs
            return setFilter("\(FilterText.upstream(key.upstream)) and \(FilterText.upstreamKey(key.name))")
        default: break
        }
        return []
    }

    private func edit(_ keys: [UpstreamKey], _ state: KeyState) -> PoolEdit {
        .setState(ids: keys.map(\.id), names: keys.map { "\($0.upstream)/\($0.name)" }, state)
    }

    /// Easily taken back, so it is not asked about.
    private func toggle() -> [ConsoleEffect] {
        let all = pool.table.targets.filter { $0.state != .banned }
        let isOn = all.allSatisfy { $0.state == .disabled }
        let targets = all.filter { isOn || $0.state != .disabled }
        return targets.isEmpty ? [] : [.change(.pool(edit(targets, isOn ? .active : .disabled)))]
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
            buttons: [.init(label: "Ban", key: Key("y")), .init(label: "Ban and say why", key: Key("w"))],
            typing: targets.count > 1 ? "ban \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .ban(edit(targets, .banned))))
    }

    private mutating func askToDelete() {
        let targets = pool.table.targets.filter { $0.source == .database }
        guard let first = targets.first else { return }
        let names = targets.map { "\($0.upstream)/\($0.name)" }
        var text = [
            targets.count == 1
                ? "\(names[0]), \(first.maskedValue)"
                : names.prefix(5).joined(separator: ", ")
                    + (names.count > 5 ? " and \(names.count - 5) more" : ""),
            "Nothing is sent with it any more; undo brings it back. The logs keep its name.",
        ]
        if targets.count < pool.table.targets.count {
            text.append("Those that the configuration file defines stay.")
        }
        let dialog = Dialog(
            title: "Delete \(targets.count == 1 ? names[0] : "\(targets.count) keys")",
            text: text,
            buttons: [.init(label: "Delete", key: Key("y"))],
            typing: targets.count > 1 ? "delete \(targets.count)" : nil
        )
        let edit = PoolEdit.delete(ids: targets.map(\.id), names: names)
        overlays.append(.dialog(dialog, .change(.pool(edit))))
    }

    func copyOfPool() -> String? {
        let keys = pool.table.targets
        guard !keys.isEmpty else { return nil }
        return keys.map { "\($0.upstream)/\($0.name)\t\($0.state.rawValue)\t\($0.reason ?? "")" }
            .joined(separator: "\n")
    }

    /// Why a command on the selected key is not to be had.
    func refusalOfPool(_ id: CommandID) -> String? {
        if id == .newPoolKey || id == .importPool { return nil }
        let targets = pool.table.targets
        guard let key = pool.table.selection else { return "there is no key in the pool" }
        switch id {
        case .editPoolKey:
            if pool.table.markCount > 1 { return "edit one key at a time; Esc takes the marks away" }
            return key.source == .file ? "the configuration file defines it; change it there and reload" : nil
        case .deletePoolKey:
            return targets.allSatisfy { $0.source == .file }
                ? "the configuration file defines it; change it there and reload" : nil
        case .togglePoolKey:
            return targets.allSatisfy { $0.state == .banned } ? "it is banned; x lifts the ban" : nil
        case .banPoolKey: return targets.allSatisfy { $0.state == .banned } ? "already banned" : nil
        case .resetPoolKey:
            return targets.allSatisfy { $0.state == .active } ? "it is in use; nothing to reset" : nil
        default: return nil
        }
    }
}
