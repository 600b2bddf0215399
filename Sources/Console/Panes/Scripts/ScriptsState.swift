import Operations

extension HeaderRule: Identifiable {}

/// What the scripts pane shows: one script being written, and what came of running it.
struct ScriptsState: Sendable {
    /// What has the keys.
    enum Part: Sendable {
        case editor, result
    }

    /// What came of the last run.
    enum Run: Sendable {
        case none
        case running(Int)
        case done(ScriptTestResult)
        /// It was not run.
        case refused(OperationsError)
    }

    var editor = Self.editor(ScriptLanguage.javascript.beginning, .javascript)
    var language = ScriptLanguage.javascript
    /// The header rule that it is saved into; nil for one that is in none yet.
    var rule: HeaderRule?
    /// The example that it began as.
    var example: String?
    /// As it was opened or saved last.
    var saved = ScriptLanguage.javascript.beginning
    var savedLanguage = ScriptLanguage.javascript
    /// What the next run is told of the request at hand.
    var context = ScriptContextDraft()
    /// The change that saves it, until it is answered.
    var saving: ConsoleChange?
    var isTyping = false
    var part = Part.editor
    var run = Run.none
    /// Of the last run that was asked for, and what was run.
    var runNumber = 0
    var ranText = ""
    /// What the last run has said, to be scrolled.
    var result = TextView()
    /// The line that the last run has stumbled over, while the lines before it are the same ones.
    var fault: EditorView.Fault?

    var isChanged: Bool { !editor.text.isSame(as: saved) || language != savedLanguage }
    /// What its last run has stumbled over, if that was this text.
    var knownFault: String? {
        guard case .done(let result) = run, ranText.isSame(as: editor.text) else { return nil }
        return result.error.map { String($0.message.prefix(300)) }
    }
    var isRunning: Bool { if case .running = run { true } else { false } }

    var title: String {
        if let rule { return rule.name }
        return example.map { "example \($0)" } ?? "new script"
    }

    static func editor(_ text: String, _ language: ScriptLanguage) -> Editor {
        var editor = Editor(text, limit: ScriptTest.sizeLimit)
        editor.set(language)
        return editor
    }

    /// Takes another script in the place of this one.
    mutating func open(_ text: String, _ language: ScriptLanguage, rule: HeaderRule?, example: String? = nil)
    {
        editor = Self.editor(text, language)
        (self.language, self.rule, self.example) = (language, rule, example)
        (saved, savedLanguage) = (editor.text, language)
        (run, result, fault) = (.none, TextView(), nil)
        // What is still being saved is no answer to this one.
        saving = nil
        (isTyping, part) = (false, .editor)
    }
}

extension Editor {
    mutating func set(_ language: ScriptLanguage) {
        switch language {
        case .javascript: (indent, blockOpeners) = ("  ", ["{", "(", "["])
        case .python: (indent, blockOpeners) = ("    ", [":", "{", "(", "["])
        }
    }
}

extension ScriptLanguage {
    var title: String {
        switch self {
        case .javascript: "JavaScript"
        case .python: "Python"
        }
    }

    /// What a new script begins as.
    var beginning: String {
        switch self {
        case .javascript:
            "// What it returns is the header's value; `context` tells of the request.\nreturn \n"
        case .python:
            "# What `result` holds is the header's value; `context` tells of the request.\nresult = \n"
        }
    }

    var suffix: String {
        switch self {
        case .javascript: "js"
        case .python: "py"
        }
    }

    var syntax: Syntax {
        switch self {
        case .javascript: .javascript
        case .python: .python
        }
    }

    var other: ScriptLanguage { self == .javascript ? .python : .javascript }
}

extension ScriptContextDraft {
    /// Names and values as they are shown, those of the example where nothing is set.
    func rows(now: Timestamp) -> [(name: String, value: String)] {
        let context = context(now: now)
        return [
            ("method", context.method), ("path", context.path), ("query", context.query),
            ("client_key", context.clientKey), ("owner", context.owner), ("upstream", context.upstream),
            ("attempt", "\(context.attempt)"), ("time", time == nil ? "now" : context.time.description),
        ]
    }
}
