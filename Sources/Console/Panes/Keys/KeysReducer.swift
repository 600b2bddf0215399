import Operations

/// The keys pane's commands.
extension ConsoleState {
    /// The keys in sight, whose figures are worth fetching.
    var shownKeys: [ClientKey] {
        Array(keys.table.rows.dropFirst(keys.table.top).prefix(60))
    }

    mutating func applyKeyFilter() {
        let fitting = keys.all.filter { KeyFilter.accepts(filter.parsed, $0) }
        keys.table.replace(keys.sort.apply(fitting, KeysView.columns(self)))
    }

    mutating func runKeys(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .newKey:
            overlays.append(.form(KeyForm.make(nil, upstreams: upstreams.all, zone: zone), .newKey))
        case .editKey:
            guard let key = keys.table.selection else { return [] }
            overlays.append(.form(KeyForm.make(key, upstreams: upstreams.all, zone: zone), .editKey(key)))
        case .toggleKey: return toggle()
        case .rotateKey: askRotation()
        case .revokeKey: ask(.revoke)
        case .deleteKey: ask(.delete)
        case .purgeKey: askToPurge()
        case .keyLogs:
            guard let key = keys.table.selection else { return [] }
            pane = .logs
            return setFilter(FilterText.client(key.name))
        default: break
        }
        return []
    }

    /// Easily taken back, so it is not asked about; several at once are.
    private mutating func toggle() -> [ConsoleEffect] {
        let all = keys.table.targets.filter { $0.revokedAt == nil }
        let isOn = !all.allSatisfy(\.enabled)
        // Only those that change, so that undoing changes no other.
        let targets = all.filter { $0.enabled != isOn }
        let change = ConsoleChange.setEnabled(ids: targets.map(\.id), names: targets.map(\.name), isOn)
        guard targets.count > 1 else { return [.change(change)] }
        let dialog = Dialog(
            title: isOn ? "Enable" : "Disable",
            text: [
                "\(targets.count) client keys: \(Self.names(targets)).",
                isOn
                    ? "Their callers are served again at once."
                    : "Their callers get 401 at once, until enabled again.",
            ],
            buttons: [.init(label: isOn ? "Enable" : "Disable", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(change)))
        return []
    }

    private static func names(_ keys: [ClientKey]) -> String {
        let shown = keys.prefix(5).map(\.name).joined(separator: ", ")
        return keys.count > 5 ? "\(shown) and \(keys.count - 5) more" : shown
    }

    private mutating func askRotation() {
        guard let key = keys.table.selection else { return }
        let dialog = Dialog(
            title: "Rotate \(key.name)",
            text: [
                "A new value is made and shown once. When does the old one, \(key.prefix)…, stop working?"
            ],
            buttons: KeyForm.overlaps.map { .init(label: $0.label, key: $0.key) }
        )
        overlays.append(.dialog(dialog, .rotate(id: key.id, name: key.name)))
    }

    private mutating func askToPurge() {
        guard let key = keys.table.selection else { return }
        let dialog = Dialog(
            title: "Erase the log of \(key.name)",
            text: [
                "Every record, header and body of “\(key.name)” until now, for good: this cannot be undone. Figures keep "
                    + "their counts, backups what they held. The key goes on working."
            ],
            buttons: [.init(label: "Erase", key: Key("y"))],
            typing: key.name
        )
        overlays.append(.dialog(dialog, .change(.purge(id: key.id, name: key.name))))
    }

    private enum Ending {
        case revoke, delete
    }

    private mutating func ask(_ ending: Ending) {
        let targets = keys.table.targets.filter { ending == .delete || $0.revokedAt == nil }
        guard let first = targets.first else { return }
        let verb = ending == .revoke ? "Revoke" : "Delete"
        let object = targets.count == 1 ? first.name : "\(targets.count) client keys"
        let used = targets.count(where: { now.seconds - ($0.lastUsedAt?.seconds ?? 0) < 3600 })
        var text = [
            targets.count == 1
                ? "“\(first.name)” of \(first.owner.isEmpty ? "no owner" : first.owner), \(first.prefix)…"
                : Self.names(targets)
        ]
        text.append(
            ending == .revoke
                ? "Callers with it get 401 at once, for ever; it stays in the list and in the logs."
                : "Callers with it get 401 at once, and it leaves the list; the logs keep its name. Undo brings it back."
        )
        if used > 0 {
            text.append(
                targets.count == 1
                    ? "It was used within the last hour." : "\(used) of them were used within the last hour."
            )
        }
        let ids = targets.map(\.id)
        let names = targets.map(\.name)
        let change: ConsoleChange =
            ending == .revoke ? .revoke(ids: ids, names: names) : .delete(ids: ids, names: names)
        let dialog = Dialog(
            title: "\(verb) \(object)",
            text: text,
            buttons: [.init(label: verb, key: Key("y"))],
            typing: targets.count > 1 ? "\(verb.lowercased()) \(targets.count)" : nil
        )
        overlays.append(.dialog(dialog, .change(change)))
    }
}
