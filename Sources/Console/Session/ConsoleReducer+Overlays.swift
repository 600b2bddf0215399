import Operations

/// Keys while something floats over the panes.
extension ConsoleState {
    mutating func pressOverlay(_ key: Key) -> [ConsoleEffect] {
        guard let overlay = overlays.popLast() else { return [] }
        switch overlay {
        case .palette(let picker): return pressPalette(picker, key)
        case .help(var picker):
            switch picker.handle(key) {
            case .cancel: return []
            case .chosen(let name): return choose(name)
            case .changed, .ignored: overlays.append(.help(picker))
            }
        case .prompt(let prompt): return pressPrompt(prompt, key)
        case .scripts(let picker): return pressScripts(picker, key)
        case .templates(let picker, let isEdit): return pressTemplates(picker, isEdit: isEdit, key)
        case .sort(let picker): return pressSort(picker, key)
        case .columns(let picker): return pressColumns(picker, key)
        case .themes(let picker, let before): return pressThemes(picker, before, key)
        case .form(let form, let purpose): return pressForm(form, purpose, key)
        case .dialog(let dialog, let purpose): return pressDialog(dialog, purpose, key)
        case .secret(let secret): return pressSecret(secret, key)
        case .text(let title, var view):
            guard key != .escape, key != Key("q"), key != .enter else { return [] }
            if key == Key("y"), let text = view.copyText {
                overlays.append(.text(title: title, view))
                return copy(text)
            }
            if let movement = Self.movement(keymap.command(for: key, in: [.list])) {
                view.move(movement, page: max(1, size.lines - 6))
            }
            overlays.append(.text(title: title, view))
        }
        return []
    }

    static func movement(_ command: CommandID?) -> Movement? {
        switch command {
        case .up: .up
        case .down: .down
        case .pageUp: .pageUp
        case .pageDown: .pageDown
        case .halfUp: .halfUp
        case .halfDown: .halfDown
        case .top: .top
        case .bottom: .bottom
        default: nil
        }
    }

    mutating func paste(_ text: String) -> [ConsoleEffect] {
        guard let overlay = overlays.popLast() else {
            if pane == .scripts {
                pasteScript(text)
                return []
            }
            say("nothing takes text here; / filters, : runs a command", .warning)
            return []
        }
        switch overlay {
        case .prompt(var prompt):
            prompt.editor.insert(text)
            overlays.append(.prompt(prompt))
            return promptChanged()
        case .form(var form, let purpose):
            if form.paste(text) == .changed { check(&form, purpose) }
            overlays.append(.form(form, purpose))
        case .palette(var picker):
            picker.paste(text)
            overlays.append(.palette(picker))
        case .help(var picker):
            picker.paste(text)
            overlays.append(.help(picker))
        case .scripts(var picker):
            picker.paste(text)
            overlays.append(.scripts(picker))
        case .templates(var picker, let isEdit):
            picker.paste(text)
            overlays.append(.templates(picker, isEdit: isEdit))
        default: overlays.append(overlay)
        }
        return []
    }

    // MARK: Lists

    private mutating func choose(_ name: String) -> [ConsoleEffect] {
        if name.hasPrefix("theme "), let theme = name.split(separator: " ").last {
            return setTheme(String(theme))
        }
        return CommandID(rawValue: name).map { run($0) } ?? []
    }

    private mutating func pressPalette(_ picker: Picker, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        let typed = picker.query.text.trimmingSpaces()
        // What takes a value is typed with it: `filter status>=500`.
        if key == .enter, typed.hasPrefix("filter ") {
            return setFilter(String(typed.dropFirst(7)).trimmingSpaces())
        }
        if key == .enter, typed.hasPrefix("theme "), themes.theme(String(typed.dropFirst(6))) != nil {
            return setTheme(String(typed.dropFirst(6)))
        }
        switch picker.handle(key) {
        case .cancel: return []
        case .chosen(let name): return choose(name)
        case .changed, .ignored: overlays.append(.palette(picker))
        }
        return []
    }

    private mutating func pressSort(_ picker: Picker, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        switch picker.handle(key) {
        case .chosen(let id):
            let isTurned = sortOrder == SortOrder(column: id, isDescending: false)
            sortOrder = SortOrder(column: id, isDescending: isTurned)
        case .cancel: break
        case .changed, .ignored: overlays.append(.sort(picker))
        }
        return []
    }

    private mutating func pressColumns(_ picker: Picker, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        switch picker.handle(key) {
        case .chosen(let id):
            guard let index = picker.items.firstIndex(where: { $0.id == id }) else { return [] }
            let isOn = picker.items[index].isOn ?? true
            if isOn, picker.items.count(where: { $0.isOn == true }) == 1 {
                say("one column has to stay", .warning)
            } else {
                picker.items[index].isOn = !isOn
            }
            settings.hiddenColumns[pane.rawValue] = picker.items.filter { $0.isOn == false }.map(\.id)
            overlays.append(.columns(picker))
        case .cancel: return [.saveSettings(settings)]
        case .changed, .ignored: overlays.append(.columns(picker))
        }
        return []
    }

    /// What is chosen shows at once; Esc goes back to what was.
    private mutating func pressThemes(_ picker: Picker, _ before: String, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        switch picker.handle(key) {
        case .chosen(let name): return setTheme(name)
        case .cancel: themeName = before
        case .changed, .ignored:
            themeName = picker.selection?.id ?? themeName
            overlays.append(.themes(picker, before: before))
        }
        return []
    }

    private mutating func setTheme(_ name: String) -> [ConsoleEffect] {
        guard themes.theme(name) != nil else {
            say("there is no theme \(name); there are \(themes.names.joined(separator: ", "))", .error)
            return []
        }
        themeName = name
        settings.theme = name
        return [.saveSettings(settings)]
    }

    // MARK: Prompts

    private mutating func pressPrompt(_ prompt: Prompt, _ key: Key) -> [ConsoleEffect] {
        var prompt = prompt
        switch key {
        case .escape:
            // What was looked for is not marked for ever.
            if prompt.kind == .find { scripts.editor.search = "" }
            return []
        case .enter: return submit(prompt)
        case .up where prompt.kind == .find, .down where prompt.kind == .find:
            findInScript(&prompt, forward: key == .down, stays: false)
            overlays.append(.prompt(prompt))
            return []
        default:
            let outcome = prompt.editor.handle(key)
            overlays.append(.prompt(prompt))
            return outcome == .changed ? promptChanged() : []
        }
    }

    private mutating func submit(_ prompt: Prompt) -> [ConsoleEffect] {
        var prompt = prompt
        switch prompt.kind {
        case .filter:
            if prompt.fault == nil { return setFilter(prompt.editor.text.trimmingSpaces()) }
        case .time:
            switch TimeText.moment(prompt.editor.text, now: now, zone: zone) {
            case .success(let moment): return jump(to: moment)
            case .failure(let fault): prompt.fault = fault.message
            }
        // The next one, as often as it is asked for.
        case .find: findInScript(&prompt, forward: true, stays: false)
        case .line:
            let parts = prompt.editor.text.split(separator: ":").map { Int($0) }
            if let line = parts.first ?? nil, line > 0 {
                scripts.editor.go(toLine: line, column: (parts.count > 1 ? parts[1] : nil) ?? 1)
                return []
            }
            prompt.fault = "a number from 1 to \(scripts.editor.content.lines.count)"
        }
        overlays.append(.prompt(prompt))
        return []
    }

    /// A filter is judged as it is typed; the list keeps its last good state.
    private mutating func promptChanged() -> [ConsoleEffect] {
        guard case .prompt(var prompt) = overlays.popLast() else { return [] }
        prompt.fault = nil
        if prompt.kind == .filter {
            do throws(LogFilterError) {
                _ = try LogFilter(parsing: prompt.editor.text)
            } catch {
                prompt.fault = error.description
            }
        }
        if prompt.kind == .find { findInScript(&prompt, forward: true, stays: true) }
        overlays.append(.prompt(prompt))
        return []
    }

    // MARK: Forms and dialogs

    private mutating func pressForm(
        _ form: Form,
        _ purpose: Overlay.FormPurpose,
        _ key: Key
    ) -> [ConsoleEffect] {
        var form = form
        switch form.handle(key) {
        case .cancel:
            guard form.isChanged else { return [] }
            overlays.append(.form(form, purpose))
            let dialog = Dialog(
                title: "Discard",
                text: ["What you have typed is not saved."],
                buttons: [.init(label: "Discard it", key: Key("d"))]
            )
            overlays.append(.dialog(dialog, .discard))
        case .changed:
            check(&form, purpose)
            overlays.append(.form(form, purpose))
        case .submit:
            guard !form.isBusy else {
                overlays.append(.form(form, purpose))
                return []
            }
            check(&form, purpose, isComplete: true)
            if purpose == .scriptContext, form.errors.isEmpty {
                scripts.context = ScriptForms.context(form)
                return []
            }
            let effect = form.errors.isEmpty ? effect(of: form, purpose) : nil
            form.isBusy = effect != nil
            if let field = form.fields.first(where: { form.errors[$0.id] != nil }) {
                form.focus(on: field.id)
            }
            overlays.append(.form(form, purpose))
            awaited = effect ?? awaited
            if purpose == .saveScript, case .change(let change) = effect { scripts.saving = change }
            return effect.map { [$0] } ?? []
        case .moved, .ignored: overlays.append(.form(form, purpose))
        }
        return []
    }

    private mutating func pressDialog(
        _ dialog: Dialog,
        _ purpose: Overlay.DialogPurpose,
        _ key: Key
    ) -> [ConsoleEffect] {
        var dialog = dialog
        guard case .chosen(let button) = dialog.handle(key) else {
            overlays.append(.dialog(dialog, purpose))
            return []
        }
        guard button > 0 else { return [] }
        switch purpose {
        case .change(let change): return [.change(change)]
        case .ban(let edit):
            if button == 1 { return [.change(.pool(edit))] }
            overlays.append(.form(PoolForm.makeReason(edit), .banReason(edit)))
            return []
        case .rotate(let id, let name):
            let overlap = KeyForm.overlaps[button - 1].duration
            return [.change(.rotate(id: id, name: name, overlap: overlap))]
        case .leave: return [.end(button == 1 ? .detach : .stopGateway)]
        case .discard:
            if case .form = overlays.last { overlays.removeLast() }
            return []
        case .openScript(let script): return take(script)
        case .importKeys(let path, let options):
            say("importing \(path) \(glyphs.ellipsis)", .info, for: 30)
            if case .text = overlays.last { overlays.removeLast() }
            return [.importKeys(path: path, options)]
        case .saveScript(let change):
            scripts.saving = change
            return [.change(change)]
        }
    }

    private mutating func pressSecret(_ secret: Overlay.Secret, _ key: Key) -> [ConsoleEffect] {
        var secret = secret
        if key == Key("y") {
            secret.isCopied = true
            overlays.append(.secret(secret))
            return copy(secret.value)
        }
        // It is gone for ever after this: no stray key closes it, and one that was not copied is asked about.
        if key == .escape, secret.isCopied || secret.isWarned { return [] }
        secret.isWarned = key == .escape
        overlays.append(.secret(secret))
        return []
    }
}
