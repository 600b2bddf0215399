import Operations

/// The forms of a rule, and of an answer that rules are tried on.
enum RuleForm {
    private static let all = "all"

    static func make(_ rule: Rule?, _ upstreams: UpstreamsState) -> Form {
        let text = rule.map(RuleText.init)
        return Form(
            title: rule.map { "Edit \($0.name)" } ?? "New rule",
            submitLabel: rule == nil ? "Create" : "Save",
            fields: [
                .text("name", "Name", rule?.name ?? "", placeholder: "what logs and reasons call it"),
                .choice(
                    "upstream_id",
                    "Upstream",
                    [all] + upstreams.all.map(\.slug),
                    rule?.upstreamId.map(upstreams.slug) ?? all
                ),
                .text(
                    "when",
                    "When",
                    text?.conditionText ?? "",
                    placeholder: "status 429 and body contains \"quota\""
                ),
                .text(
                    "then",
                    "Then",
                    text?.actionText ?? "",
                    placeholder: "cooldown_key 60s, retry_next_key"
                ),
                .text(
                    "position",
                    "Place",
                    rule.map { "\($0.position)" } ?? "",
                    placeholder: "behind all others"
                ),
            ]
        )
    }

    static func field(of parameter: String) -> String? {
        if parameter.hasPrefix("when") || parameter.hasPrefix("threshold") { return "when" }
        return parameter.split(separator: ".").first.map(String.init)
    }

    static func check(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        if isComplete, form.word("name").isEmpty { form.errors["name"] = "needs a name" }
        let place = form.word("position")
        if !place.isEmpty, Int(place).map({ $0 < 1 }) ?? true { form.errors["position"] = "a number from 1" }
        if isComplete, form.word("when").isEmpty {
            form.errors["when"] = "needs a condition; “always” always holds"
        }
        if isComplete, form.word("then").isEmpty { form.errors["then"] = "needs an action" }
        // A whole rule that was pasted into the first of both fields is one; else there is nothing to say of it here.
        if form.word("then").isEmpty, (try? RuleText(parsing: form.text("when"))) != nil {
            form.errors["when"] = "what stands behind “then” goes into the field below"
            return
        }
        // Each side is judged by itself, so that a fault's column is the field's.
        judge(&form, "when", "", " then notify")
        judge(&form, "then", "always then ", "")
    }

    private static func judge(
        _ form: inout Form,
        _ id: String,
        _ before: String,
        _ after: String
    ) {
        let text = form.text(id)
        guard !text.trimmingSpaces().isEmpty, !form.isUntouched(id) else { return }
        do throws(RuleTextError) {
            _ = try RuleText(parsing: before + text + after)
        } catch {
            // Past the end of what was typed stands what was added here.
            let column = min(max(error.column - before.count, 1), text.count + 1)
            form.errors[id] = "column \(column): \(error.message)"
        }
    }

    static func text(_ form: Form) -> RuleText? {
        // What does not hold was said beside its field.
        try? RuleText(parsing: form.text("when") + " then " + form.text("then"))
    }

    static func edit(_ form: Form, of rule: Rule?, _ upstreams: UpstreamsState) -> RuleEdit? {
        // What is not touched stays as it is, however it was made.
        let isKept = rule != nil && form.isUntouched("when") && form.isUntouched("then")
        guard let text = isKept ? rule.map(RuleText.init) : text(form) else { return nil }
        let slug = form.choice("upstream_id")
        let upstream = upstreams.all.first { $0.slug == slug }?.id
        guard let rule else {
            var draft = RuleDraft(name: form.word("name"), when: text.when, then: text.then)
            (draft.upstreamId, draft.threshold) = (upstream, text.threshold)
            draft.position = Int(form.word("position"))
            return .create(draft)
        }
        var change = RuleChange()
        change.name = .set(form.word("name"))
        if !isKept {
            (change.when, change.then) = (.set(text.when), .set(text.then))
            change.threshold = text.threshold.map { .set($0) } ?? .clear
        }
        // The slug of one that has gone stays what it is.
        if slug == all || upstream != nil { change.upstreamId = upstream.map { .set($0) } ?? .clear }
        if let position = Int(form.word("position")), position != rule.position {
            change.position = .set(position)
        }
        return .change(rule, change)
    }

    // MARK: Trying

    static func makeTest(_ upstreams: UpstreamsState) -> Form {
        Form(
            title: "Try the rules on an answer",
            submitLabel: "Try",
            fields: [
                .choice("upstream_id", "Upstream", [all] + upstreams.all.map(\.slug), all),
                .text("status", "Status", placeholder: "429; empty when no answer came"),
                .choice("error", "Error", ["none"] + RuleError.allCases.map(\.rawValue), "none"),
                .text("headers", "Headers", placeholder: "retry-after: 7, x-request-id: abc"),
                .text("body", "Body", placeholder: "{\"error\":{\"code\":\"insufficient_quota\"}}"),
                .text("model", "Model", placeholder: "gpt-4o"),
                .text("latency_ms", "Latency", placeholder: "5s"),
            ]
        )
    }

    static func checkTest(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        let status = form.word("status")
        if !status.isEmpty, Int(status).map({ !(100...599).contains($0) }) ?? true {
            form.errors["status"] = "from 100 to 599"
        }
        if isComplete, status.isEmpty, form.choice("error") == "none" {
            form.errors["status"] = "a status, or an error below"
        }
        for header in form.list("headers") where !header.contains(":") {
            form.errors["headers"] = "\(header) has no colon"
        }
        let latency = form.word("latency_ms")
        if !latency.isEmpty, Duration(text: latency) == nil {
            form.errors["latency_ms"] = "as in 500ms or 5s"
        }
    }

    static func test(_ form: Form, _ upstreams: UpstreamsState) -> RuleTest {
        var test = RuleTest()
        let slug = form.choice("upstream_id")
        test.upstreamId = upstreams.all.first { $0.slug == slug }?.id
        test.status = Int(form.word("status"))
        test.error = form.choice("error").flatMap(RuleError.init)
        let headers = form.list("headers").compactMap { text -> (String, String)? in
            guard let colon = text.firstIndex(of: ":") else { return nil }
            return (String(text[..<colon]), String(text[text.index(after: colon)...]).trimmingSpaces())
        }
        if !headers.isEmpty { test.headers = Dictionary(headers) { $1 } }
        (test.body, test.model) = (form.given("body"), form.given("model"))
        test.latencyMs = Duration(text: form.word("latency_ms"))?.milliseconds
        return test
    }
}
