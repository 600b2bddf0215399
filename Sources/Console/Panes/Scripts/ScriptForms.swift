import Operations

/// The forms of the scripts pane: where a script is saved, and what request it is tried with.
enum ScriptForms {
    // MARK: Saving

    static func makeSave(_ scripts: ScriptsState, _ upstreams: UpstreamsState) -> Form {
        let rule = scripts.rule
        let slug = rule.map { upstreams.slug($0.upstreamId) } ?? upstreams.table.selection?.slug
        return Form(
            title: "Save into a header rule",
            submitLabel: "Save",
            fields: [
                .choice("upstream_id", "Upstream", upstreams.all.map(\.slug), slug),
                .text("name", "Header", rule?.name ?? "", placeholder: "X-Signature"),
            ] + HeaderForm.commonFields(rule)
        )
    }

    /// The rule that the form's names mean; nil when it would be a new one.
    static func target(_ form: Form, _ upstreams: UpstreamsState) -> HeaderRule? {
        let slug = form.choice("upstream_id")
        guard let upstream = upstreams.all.first(where: { $0.slug == slug }) else { return nil }
        let name = form.word("name").lowercased()
        return upstreams.headers.all.first { $0.upstreamId == upstream.id && $0.name.lowercased() == name }
    }

    static func checkSave(
        _ form: inout Form,
        _ scripts: ScriptsState,
        _ upstreams: UpstreamsState,
        isComplete: Bool
    ) {
        (form.errors, form.notes) = ([:], [:])
        if isComplete, form.word("name").isEmpty { form.errors["name"] = "needs a name" }
        if form.choice("upstream_id") == nil {
            form.errors["upstream_id"] = "there is none yet: 6, then n makes one"
        }
        HeaderForm.checkCommon(&form, isComplete: isComplete)
        guard let target = target(form, upstreams) else { return }
        let what = target.kind == .static ? "a static value now" : "a script now"
        let isOpened = target.id == scripts.rule?.id
        let isSame = target.script == scripts.rule?.script && target.kind == scripts.rule?.kind
        form.notes["name"] =
            !isOpened ? "replaces \(what)" : isSame ? "as it was opened" : "replaces what others changed"
    }

    static func edit(_ form: Form, _ scripts: ScriptsState, _ upstreams: UpstreamsState) -> HeaderEdit? {
        let slug = form.choice("upstream_id")
        guard let upstream = upstreams.all.first(where: { $0.slug == slug }) else { return nil }
        let kind: HeaderValueKind = scripts.language == .javascript ? .javascript : .python
        let policy = form.choice("on_failure").flatMap(HeaderFailurePolicy.init) ?? .fail
        let fallback = policy == .fallback ? form.text("fallback") : nil
        let cached = HeaderForm.seconds(form.word("cache_seconds")) ?? 0
        guard let target = target(form, upstreams) else {
            var draft = HeaderRuleDraft(upstreamId: upstream.id, name: form.word("name"), kind: kind)
            (draft.script, draft.onFailure, draft.fallback) = (scripts.editor.text, policy, fallback)
            draft.cacheSeconds = cached
            return .create(draft, slug: upstream.slug)
        }
        var change = HeaderRuleChange()
        (change.kind, change.value, change.script) = (.set(kind), .clear, .set(scripts.editor.text))
        change.onFailure = .set(policy)
        change.fallback = fallback.map { .set($0) } ?? .clear
        change.cacheSeconds = .set(cached)
        return .change(target, change)
    }

    // MARK: Context

    static func makeContext(_ context: ScriptContextDraft, now: Timestamp) -> Form {
        let example = ScriptContext(time: now)
        return Form(
            title: "The request that it is tried with",
            submitLabel: "Take",
            fields: [
                .text("method", "Method", context.method ?? "", placeholder: example.method),
                .text("path", "Path", context.path ?? "", placeholder: example.path),
                .text("query", "Query", context.query ?? "", placeholder: "none; stream=true&n=1"),
                .text("client_key", "Client key", context.clientKey ?? "", placeholder: example.clientKey),
                .text("owner", "Owner", context.owner ?? "", placeholder: example.owner),
                .text("upstream", "Upstream", context.upstream ?? "", placeholder: example.upstream),
                .text("attempt", "Attempt", context.attempt.map(String.init) ?? "", placeholder: "1"),
                .text(
                    "time",
                    "Time",
                    context.time?.description ?? "",
                    placeholder: "now; 2026-11-21T14:00:00Z"
                ),
            ]
        )
    }

    static func checkContext(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        if let attempt = form.given("attempt"), Int(attempt).map({ !(1...1000).contains($0) }) ?? true {
            form.errors["attempt"] = "a number from 1"
        }
        // What is being typed is no time yet.
        if isComplete, let time = form.given("time"), Timestamp(text: time) == nil {
            form.errors["time"] = "as in 2026-11-21T14:00:00Z"
        }
    }

    static func context(_ form: Form) -> ScriptContextDraft {
        var context = ScriptContextDraft()
        (context.method, context.path, context.query) = (
            form.given("method"), form.given("path"), form.given("query")
        )
        (context.clientKey, context.owner) = (form.given("client_key"), form.given("owner"))
        context.upstream = form.given("upstream")
        context.attempt = form.given("attempt").flatMap(Int.init)
        context.time = form.given("time").flatMap { Timestamp(text: $0) }
        return context
    }
}
