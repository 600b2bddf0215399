import Operations

extension ConsoleState {
    /// Follows the upstream that is chosen.
    mutating func applyHeaders() {
        upstreams.headers.show(ofUpstream: upstreams.table.selection?.id)
    }

    mutating func runHeaders(_ id: CommandID) -> [ConsoleEffect] {
        guard let upstream = upstreams.table.selection else { return [] }
        let table = upstreams.headers.table
        switch id {
        case .focusHeaders: upstreams.headers.isFocused = true
        case .newHeader:
            overlays.append(.form(HeaderForm.make(nil, slug: upstream.slug), .newHeader(upstream)))
        case .editHeader:
            guard let rule = table.selection else { return [] }
            overlays.append(.form(HeaderForm.make(rule, slug: upstream.slug), .editHeader(rule, upstream)))
        case .toggleHeader:
            let isOn = !table.targets.allSatisfy(\.enabled)
            // Only those that change, so that undoing changes no other.
            return [.change(.header(.setEnabled(table.targets.filter { $0.enabled != isOn }, isOn)))]
        case .headerUp: return moveHeader(by: -1)
        case .headerDown: return moveHeader(by: 1)
        case .deleteHeader: askToDeleteHeaders(upstream)
        default: break
        }
        return []
    }

    /// Goes to a header by its upstream's slug and its name: `miniai/X-Signature`.
    mutating func showHeader(_ place: String) -> [ConsoleEffect] {
        let parts = place.split(separator: "/", maxSplits: 1).map(String.init)
        let effects = show(.upstreams)
        guard parts.count == 2,
            let upstream = upstreams.table.rows.firstIndex(where: { $0.slug == parts[0] })
        else { return effects }
        upstreams.table.select(upstream)
        applyHeaders()
        upstreams.headers.isFocused = true
        let rule = upstreams.headers.table.rows.firstIndex { $0.name == parts[1] }
        if let rule { upstreams.headers.table.select(rule) }
        return effects
    }

    /// A script is opened where there is room for it, a value in its form.
    mutating func openHeader() -> [ConsoleEffect] {
        guard let rule = upstreams.headers.table.selection else { return [] }
        if rule.kind != .static { return open(.rule(rule)) }
        if let refusal = refusal(of: .editHeader) {
            say(refusal, .warning)
            return []
        }
        return runHeaders(.editHeader)
    }

    private mutating func moveHeader(by step: Int) -> [ConsoleEffect] {
        let table = upstreams.headers.table
        guard let rule = table.selection, table.rows.indices.contains(table.selected + step) else {
            return []
        }
        var ids = table.rows.map(\.id)
        ids.swapAt(table.selected, table.selected + step)
        // At once, so that the next key moves it on from there.
        let byID = Dictionary(uniqueKeysWithValues: upstreams.headers.all.map { ($0.id, $0) })
        let others = upstreams.headers.all.filter { $0.upstreamId != rule.upstreamId }
        var moved = ids.compactMap { byID[$0] }
        for index in moved.indices { moved[index].position = index + 1 }
        upstreams.headers.all = others + moved
        applyHeaders()
        return [.change(.header(.reorder(ids, name: rule.name)))]
    }

    private mutating func askToDeleteHeaders(_ upstream: Upstream) {
        let targets = upstreams.headers.table.targets
        guard let first = targets.first else { return }
        let object = targets.count == 1 ? first.name : "\(targets.count) headers"
        let dialog = Dialog(
            title: "Delete \(object)",
            text: [
                targets.map(\.name).joined(separator: ", "),
                "\(upstream.slug) is sent \(targets.count == 1 ? "it" : "them") no more at once.",
            ],
            buttons: [.init(label: "Delete", key: Key("y"))],
            typing: targets.count > 1 ? "delete \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .change(.header(.delete(targets)))))
    }

    func copyOfHeaders() -> String? {
        let targets = upstreams.headers.table.targets
        return targets.isEmpty
            ? nil
            : targets.map { "\($0.name)\t\($0.value ?? $0.script ?? "")" }.joined(separator: "\n")
    }

    /// Why a command on header rules is not to be had.
    func refusalOfHeaders(_ id: CommandID) -> String? {
        guard upstreams.table.selection != nil else { return "there is no upstream" }
        if id == .newHeader || id == .focusHeaders { return nil }
        let table = upstreams.headers.table
        guard table.selection != nil else { return "there is no header" }
        switch id {
        case .editHeader:
            return table.markCount > 1 ? "edit one header at a time; Esc takes the marks away" : nil
        case .headerUp: return table.selected == 0 ? "it is the first" : nil
        case .headerDown: return table.isAtEnd ? "it is the last" : nil
        default: return nil
        }
    }
}
