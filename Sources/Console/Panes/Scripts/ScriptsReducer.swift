import Operations

/// Keys, commands and answers of the scripts pane.
extension ConsoleState {
    /// What is typed goes into the script, and what means nothing there is a command.
    mutating func typeScript(_ key: Key) -> [ConsoleEffect] {
        if let command = keymap.command(for: key, in: [.editor]) { return run(command) }
        let count = scripts.editor.content.lines.count
        switch scripts.editor.handle(key) {
        case .changed: scriptChanged(linesBefore: count)
        case .moved: break
        case .tooLong(let surplus): sayTooLong(surplus)
        case .ignored:
            guard key.text == nil, let command = keymap.command(for: key, in: [.everywhere]) else {
                return []
            }
            return run(command)
        }
        return []
    }

    mutating func pasteScript(_ text: String) {
        let count = scripts.editor.content.lines.count
        scripts.part = .editor
        scripts.isTyping = true
        switch scripts.editor.paste(text) {
        case .changed: scriptChanged(linesBefore: count)
        case .tooLong(let surplus): sayTooLong(surplus)
        case .moved, .ignored: break
        }
    }

    private mutating func sayTooLong(_ surplus: Int) {
        say("a script can have \(ScriptTest.sizeLimit) bytes; that is \(surplus) more", .warning)
    }

    /// The line at fault is known by its number: it is another one when lines come and go.
    private mutating func scriptChanged(linesBefore count: Int) {
        if scripts.editor.content.lines.count != count { scripts.fault = nil }
    }

    mutating func runScripts(_ id: CommandID) -> [ConsoleEffect] {
        let count = scripts.editor.content.lines.count
        switch id {
        case .typeScript: (scripts.part, scripts.isTyping) = (.editor, true)
        case .newScript: return open(.new(scripts.language))
        case .openScript: overlays.append(.scripts(scriptPicker(withRules: true)))
        case .scriptExamples: overlays.append(.scripts(scriptPicker(withRules: false)))
        case .scriptLanguage:
            scripts.language = scripts.language.other
            scripts.editor.set(scripts.language)
            // One that nobody has written in yet begins as the other language does.
            if scripts.editor.text == scripts.language.other.beginning {
                scripts.open(scripts.language.beginning, scripts.language, rule: nil)
            }
            scripts.fault = nil
        case .scriptContext:
            overlays.append(.form(ScriptForms.makeContext(scripts.context, now: now), .scriptContext))
        case .runScript: return runScript()
        case .saveScript: return saveScript()
        case .saveScriptAs:
            var form = ScriptForms.makeSave(scripts, upstreams)
            ScriptForms.checkSave(&form, scripts, upstreams, isComplete: false)
            form.failure = scripts.knownFault.map { "its last run failed: \($0)" }
            overlays.append(.form(form, .saveScript))
        case .undoScript:
            if scripts.editor.undo() { scriptChanged(linesBefore: count) }
        case .redoScript:
            if scripts.editor.redo() { scriptChanged(linesBefore: count) }
        case .findInScript:
            overlays.append(
                .prompt(Prompt(kind: .find, editor: LineEditor(scripts.editor.search), before: ""))
            )
        case .goToLine: overlays.append(.prompt(Prompt(kind: .line, editor: LineEditor(), before: "")))
        case .externalEditor: return [.editExternally(scripts.editor.text, suffix: scripts.language.suffix)]
        default: break
        }
        return []
    }

    // MARK: Opening

    private func scriptPicker(withRules: Bool) -> Picker {
        var items: [Picker.Item] = []
        if withRules {
            items += upstreams.headers.all.filter { $0.kind != .static }.map {
                let place = "\(upstreams.slug($0.upstreamId))  \($0.name)"
                return Picker.Item(id: "rule \($0.id)", title: place, note: $0.kind.rawValue)
            }
        }
        // Those of the language at hand first.
        let examples = ScriptExamples.all.enumerated()
        for isOther in [false, true] {
            items += examples.filter { ($0.element.language != scripts.language) == isOther }.map {
                let title = "example  \($0.element.title)"
                return Picker.Item(
                    id: "example \($0.offset)",
                    title: title,
                    note: $0.element.language.rawValue
                )
            }
        }
        return Picker(title: withRules ? "Open a script" : "Examples", prompt: "find ", items: items)
    }

    mutating func pressScripts(_ picker: Picker, _ key: Key) -> [ConsoleEffect] {
        var picker = picker
        switch picker.handle(key) {
        case .chosen(let id):
            let number = id.split(separator: " ").last.flatMap { Int($0) }
            guard id.hasPrefix("example") else {
                let rule = upstreams.headers.all.first { $0.id == number }
                return rule.map { open(.rule($0)) } ?? []
            }
            return number.map { open(.example(ScriptExamples.all[$0])) } ?? []
        case .cancel: break
        case .changed, .ignored: overlays.append(.scripts(picker))
        }
        return []
    }

    /// Another script; one that is not saved is asked about.
    mutating func open(_ script: ScriptSource) -> [ConsoleEffect] {
        guard scripts.isChanged else { return take(script) }
        let dialog = Dialog(
            title: "Discard",
            text: ["What you have changed in \(scripts.title) is not saved."],
            buttons: [.init(label: "Discard it", key: Key("d"))]
        )
        overlays.append(.dialog(dialog, .openScript(script)))
        return []
    }

    mutating func take(_ script: ScriptSource) -> [ConsoleEffect] {
        switch script {
        case .new(let language):
            scripts.open(language.beginning, language, rule: nil)
            scripts.editor.go(toLine: 2, column: language.beginning.count)
            scripts.isTyping = true
        case .example(let example):
            scripts.open(example.script, example.language, rule: nil, example: example.name)
        case .rule(let rule):
            let language = rule.kind.language ?? .javascript
            scripts.open(rule.script ?? "", language, rule: rule)
            scripts.context.upstream = upstreams.slug(rule.upstreamId)
        }
        return pane == .scripts ? [] : show(.scripts)
    }

    // MARK: Running

    private mutating func runScript() -> [ConsoleEffect] {
        scripts.runNumber += 1
        scripts.run = .running(scripts.runNumber)
        scripts.ranText = scripts.editor.text
        (scripts.fault, scripts.result) = (nil, TextView())
        var test = ScriptTest(language: scripts.language, script: scripts.editor.text)
        test.context = scripts.context
        return [.runScript(test, number: scripts.runNumber)]
    }

    mutating func take(_ result: Result<ScriptTestResult, OperationsError>, ofRun number: Int) {
        // The script may be another one by now.
        guard case .running(number) = scripts.run else { return }
        switch result {
        case .success(let result):
            scripts.run = .done(result)
            // Whoever has gone on typing stays where they are.
            let isSame = scripts.ranText.isSame(as: scripts.editor.text)
            scripts.fault = result.error.flatMap { fault in
                isSame ? fault.line.map { EditorView.Fault(line: $0, column: fault.column) } : nil
            }
            if let fault = scripts.fault {
                scripts.editor.go(toLine: fault.line, column: fault.column ?? 1)
            }
        case .failure(let error): scripts.run = .refused(error)
        }
        scripts.result = TextView(ScriptsView.resultLines(scripts.run, width: resultWidth))
    }

    private var resultWidth: Int { ConsoleLayout(self).scripts.result.width - 2 }

    // MARK: Saving

    private mutating func saveScript() -> [ConsoleEffect] {
        guard let rule = scripts.rule else { return runScripts(.saveScriptAs) }
        var change = HeaderRuleChange()
        change.kind = .set(scripts.language == .javascript ? .javascript : .python)
        change.script = .set(scripts.editor.text)
        let saving = ConsoleChange.header(.change(rule, change))
        guard let fault = scripts.knownFault else {
            scripts.saving = saving
            return [.change(saving)]
        }
        let policy =
            switch rule.onFailure {
            case .fail: "callers get 502"
            case .omit: "requests go without the header"
            case .fallback: "the header is “\(rule.fallback ?? "")”"
            }
        let dialog = Dialog(
            title: "Save what fails",
            text: ["Its last run failed: \(fault)", "While it does, \(policy)."],
            buttons: [.init(label: "Save it all the same", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .saveScript(saving)))
        return []
    }

    /// What was saved is the script as it stood when it was handed in.
    mutating func scriptSaved(_ outcome: ChangeOutcome) -> [ConsoleEffect] {
        if case (.done, .header(.delete(let gone))) = (outcome.result, outcome.change),
            gone.contains(where: { $0.id == scripts.rule?.id })
        {
            // What is on the screen is nowhere else now.
            (scripts.rule, scripts.saved) = (nil, "")
        }
        guard outcome.change == scripts.saving else { return [] }
        scripts.saving = nil
        switch (outcome.result, outcome.header) {
        case (.done, let rule?): keep(rule)
        // A run says where, and reads it no further.
        case (.refused(let error), _) where error.parameter == "script": return runScripts(.runScript)
        case (.refused(let error), _) where error.code == .preconditionFailed:
            let keys = (open: keymap.key(for: .openScript), save: keymap.key(for: .saveScriptAs))
            let ways = keys.open.flatMap { open in
                keys.save.map { ": \(open) opens it as it is now, \($0) saves yours over it" }
            }
            say("\(scripts.title) was changed in the meantime\(ways ?? "")", .error, for: 12)
        default: break
        }
        return []
    }

    /// The script on the screen is what its rule was brought back to, unless somebody has gone on writing.
    mutating func scriptTakenBack(_ outcome: ChangeOutcome) {
        if case .takeBack(_, _, .header(.create(let draft, _))) = outcome.change,
            draft.name == scripts.rule?.name
        {
            // The rule that it was saved into is gone: what is on the screen is nowhere else now.
            (scripts.rule, scripts.saved) = (nil, "")
        }
        guard let rule = outcome.header, rule.id == scripts.rule?.id else { return }
        guard !scripts.isChanged, let script = rule.script else { return keep(rule) }
        scripts.open(script, rule.kind.language ?? scripts.language, rule: rule)
    }

    private mutating func keep(_ rule: HeaderRule) {
        (scripts.rule, scripts.saved, scripts.example) = (rule, rule.script ?? "", nil)
        scripts.savedLanguage = rule.kind.language ?? scripts.language
    }

    /// What else was changed of its rule is no conflict with what is being written.
    mutating func refreshScriptRule() {
        guard let rule = scripts.rule, let now = upstreams.headers.all.first(where: { $0.id == rule.id })
        else { return }
        if now.script == rule.script, now.kind == rule.kind { scripts.rule = now }
    }

    // MARK: Prompts

    mutating func findInScript(_ prompt: inout Prompt, forward: Bool, stays: Bool) {
        scripts.editor.search = prompt.editor.text
        let found = scripts.editor.find(forward: forward, stays: stays)
        prompt.fault = found == nil && !prompt.editor.text.isEmpty ? "nothing fits" : nil
        prompt.note = found.map { "\($0.number) of \($0.count)" }
    }

    // MARK: The editor of one's own

    mutating func take(_ edited: ExternalEdit) {
        switch edited {
        case .text(let text):
            let count = scripts.editor.content.lines.count
            switch scripts.editor.replaceAll(text) {
            case .changed:
                scriptChanged(linesBefore: count)
                say("taken from your editor; Ctrl-Z takes it back", .ok)
            case .tooLong(let surplus): sayTooLong(surplus)
            case .moved, .ignored: say("nothing was changed", .info)
            }
        case .failed(let reason): say(reason, .error, for: 10)
        }
    }

    /// Why a command is not to be had now.
    func refusalOfScripts(_ id: CommandID) -> String? {
        switch id {
        case .runScript:
            if user.role < .operator { return "this needs the role operator; you are \(user.role.rawValue)" }
            if outage != nil { return "the gateway does not answer" }
            return scripts.isRunning ? "it is running" : nil
        case .saveScript where scripts.saving != nil: return "it is being saved"
        case .saveScript:
            return scripts.rule != nil && !scripts.isChanged ? "nothing has changed since it was saved" : nil
        case .saveScriptAs:
            return upstreams.all.isEmpty ? "there is no upstream yet: 6, then n makes one" : nil
        case .undoScript: return scripts.editor.history.canUndo ? nil : "nothing to undo"
        case .redoScript: return scripts.editor.history.canRedo ? nil : "nothing to do again"
        default: return nil
        }
    }
}

/// What a script that is opened begins as.
enum ScriptSource: Sendable, Equatable {
    case new(ScriptLanguage)
    case example(ScriptExample)
    case rule(HeaderRule)
}

/// What came of editing in a program of the operator's.
enum ExternalEdit: Sendable, Equatable {
    case text(String)
    case failed(String)
}
