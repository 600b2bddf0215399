import Operations

/// The lists that commands open.
extension ConsoleState {
    func item(_ command: Command) -> Picker.Item {
        let keys = (keymap.keys[command.id] ?? []).map(\.description).joined(separator: " ")
        return Picker.Item(
            id: command.id.rawValue,
            title: command.title,
            note: keys,
            refusal: refusal(of: command.id)
        )
    }

    /// Every command by name, those of this pane first.
    func palettePicker() -> Picker {
        let here = contexts
        let sorted =
            CommandRegistry.all.filter { here.contains($0.context) && $0.context != .list }
            + CommandRegistry.all.filter { !here.contains($0.context) }
        var items = sorted.map(item)
        items += themes.names.map {
            Picker.Item(id: "theme \($0)", title: "Theme \($0)", note: ":theme \($0)")
        }
        return Picker(title: "Command", prompt: ": ", items: items)
    }

    /// What keys mean here.
    func helpPicker() -> Picker {
        let here = contexts
        let active = here.flatMap { context in CommandRegistry.all.filter { $0.context == context } }
        return Picker(title: "Keys in \(pane.rawValue)", prompt: "find ", items: active.map(item))
    }

    func themePicker() -> Picker {
        var picker = Picker(
            title: "Theme",
            prompt: "find ",
            items: themes.names.map { Picker.Item(id: $0, title: $0, note: $0 == themeName ? "now" : "") }
        )
        picker.select(themes.names.firstIndex(of: themeName) ?? 0)
        return picker
    }

    func sortPicker() -> Picker {
        let sort = sortOrder
        return Picker(
            title: "Sort by",
            prompt: "",
            items: columnTitles.filter(\.isSortable).map { column in
                let isNow = sort?.column == column.id
                let direction = sort?.isDescending == true ? "descending" : "ascending"
                return Picker.Item(
                    id: column.id,
                    title: column.title,
                    note: isNow ? "\(direction): again turns it" : ""
                )
            },
            isSearchable: false
        )
    }

    func columnPicker() -> Picker {
        let hidden = Set(settings.hiddenColumns[pane.rawValue] ?? [])
        return Picker(
            title: "Columns: Space turns one, Esc closes",
            prompt: "",
            items: columnTitles.map {
                Picker.Item(id: $0.id, title: $0.title, isOn: !hidden.contains($0.id))
            },
            isSearchable: false
        )
    }
}
