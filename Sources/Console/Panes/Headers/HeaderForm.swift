import Operations

/// The form of a header rule: its fields, what they must be, and what they become.
enum HeaderForm {
    /// More than the gateway takes, so that it is the gateway that says what is too long.
    static let valueLimit = 16_384

    static func make(_ rule: HeaderRule?, slug: String) -> Form {
        let kinds = HeaderValueKind.allCases.map(\.rawValue)
        var fields: [Form.Field] = [
            .text("name", "Header", rule?.name ?? "", placeholder: "X-Timestamp"),
            .choice("kind", "Kind", kinds, rule?.kind.rawValue),
            .text(
                "value",
                "Value",
                rule?.value ?? "",
                placeholder: "of a static one",
                limit: valueLimit
            ),
        ]
        // A field is one line; several are edited where there is room for them.
        if rule?.script?.contains("\n") != true {
            fields.append(
                .text(
                    "script",
                    "Script",
                    rule?.script ?? "",
                    placeholder: "return new Date().toISOString(); or result = …",
                    limit: ScriptTest.sizeLimit + 1
                )
            )
        }
        fields += commonFields(rule)
        fields.append(
            .text("position", "Place", rule.map { "\($0.position)" } ?? "", placeholder: "behind the others")
        )
        return Form(
            title: rule.map { "Edit \($0.name) of \(slug)" } ?? "New header of \(slug)",
            submitLabel: rule == nil ? "Create" : "Save",
            fields: fields
        )
    }

    /// What becomes of a failure, and how long a value is kept; the form that saves a script has them, too.
    static func commonFields(_ rule: HeaderRule?) -> [Form.Field] {
        [
            .choice(
                "on_failure",
                "On failure",
                HeaderFailurePolicy.allCases.map(\.rawValue),
                rule?.onFailure.rawValue
            ),
            .text(
                "fallback",
                "Fallback",
                rule?.fallback ?? "",
                placeholder: "what takes its place",
                limit: valueLimit
            ),
            .text(
                "cache_seconds",
                "Kept for",
                rule.map { seconds($0.cacheSeconds) } ?? "",
                placeholder: "one request; 60s for those of one client key"
            ),
        ]
    }

    static func field(of parameter: String) -> String? { parameter }

    static func check(_ form: inout Form, isComplete: Bool) {
        (form.errors, form.notes) = ([:], [:])
        if isComplete, form.word("name").isEmpty { form.errors["name"] = "needs a name" }
        let isStatic = form.choice("kind") == HeaderValueKind.static.rawValue
        if isComplete, isStatic, form.text("value").isEmpty { form.errors["value"] = "needs a value" }
        if isComplete, !isStatic, form.has("script"), form.word("script").isEmpty {
            form.errors["script"] = "needs a script"
        }
        if !isStatic, !form.text("value").isEmpty { form.notes["value"] = "goes: a script gives it" }
        if isStatic, !form.text("script").isEmpty { form.notes["script"] = "goes: the value is static" }
        let place = form.word("position")
        if !place.isEmpty, Int(place).map({ $0 < 1 }) ?? true { form.errors["position"] = "a number from 1" }
        checkCommon(&form, isComplete: isComplete)
    }

    /// Of `commonFields`.
    static func checkCommon(_ form: inout Form, isComplete: Bool) {
        let isFallback = form.choice("on_failure") == HeaderFailurePolicy.fallback.rawValue
        if isComplete, isFallback, form.text("fallback").isEmpty {
            form.errors["fallback"] = "needs what takes its place"
        }
        if !isFallback, !form.text("fallback").isEmpty { form.notes["fallback"] = "goes: it is not used" }
        let text = form.word("cache_seconds")
        if !text.isEmpty, seconds(text) == nil {
            form.errors["cache_seconds"] = "as in 60s or 5m, 24h at most"
        }
    }

    static func edit(_ form: Form, of rule: HeaderRule?, upstream: (id: Int, slug: String)) -> HeaderEdit? {
        // What does not hold was said beside its field.
        guard let kind = form.choice("kind").flatMap(HeaderValueKind.init) else { return nil }
        let policy = form.choice("on_failure").flatMap(HeaderFailurePolicy.init) ?? .fail
        let value = kind == .static ? form.text("value") : nil
        let isScriptKept = kind != .static && (!form.has("script") || form.isUntouched("script"))
        let script = kind == .static ? nil : isScriptKept ? rule?.script : form.text("script")
        let fallback = policy == .fallback ? form.text("fallback") : nil
        let cached = seconds(form.word("cache_seconds")) ?? 0
        guard let rule else {
            var draft = HeaderRuleDraft(upstreamId: upstream.id, name: form.word("name"), kind: kind)
            (draft.value, draft.script, draft.onFailure, draft.fallback) = (value, script, policy, fallback)
            (draft.cacheSeconds, draft.position) = (cached, Int(form.word("position")))
            return .create(draft, slug: upstream.slug)
        }
        var change = HeaderRuleChange()
        (change.name, change.kind) = (.set(form.word("name")), .set(kind))
        change.value = value.map { .set($0) } ?? .clear
        change.script = script.map { .set($0) } ?? .clear
        change.onFailure = .set(policy)
        change.fallback = fallback.map { .set($0) } ?? .clear
        change.cacheSeconds = .set(cached)
        if let place = Int(form.word("position")), place != rule.position { change.position = .set(place) }
        return .change(rule, change)
    }

    static func seconds(_ count: Int) -> String {
        count == 0
            ? "" : count % 3600 == 0 ? "\(count / 3600)h" : count % 60 == 0 ? "\(count / 60)m" : "\(count)s"
    }

    /// `60s`, `5m`, or a number of seconds; nil for what is none, or longer than a day.
    static func seconds(_ text: String) -> Int? {
        if text.isEmpty { return 0 }
        let count = Int(text) ?? Duration(text: text).map { $0.milliseconds / 1000 }
        return count.flatMap { (0...86_400).contains($0) ? $0 : nil }
    }
}
