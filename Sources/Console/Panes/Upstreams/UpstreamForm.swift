import Operations

/// The form of an upstream: its fields, what they must be, and what they become.
enum UpstreamForm {
    static func make(_ upstream: Upstream?) -> Form {
        let retry = upstream?.retry ?? Retry(maxAttempts: 3, maxTime: "60s")
        let timeouts = upstream?.timeouts
        var fields: [Form.Field] = []
        if upstream == nil {
            fields.append(.text("slug", "Slug", placeholder: "its name in paths: /proxy/SLUG/"))
        }
        fields += [
            .text("base_url", "Base URL", upstream?.baseUrl ?? "", placeholder: "https://api.example.com"),
            .text("name", "Name", upstream?.name ?? "", placeholder: "for people; the slug when empty"),
            .choice(
                "strategy",
                "Strategy",
                KeyStrategy.allCases.map(\.rawValue),
                upstream?.strategy.rawValue
            ),
            .text(
                "limits",
                "Limits",
                upstream?.limits.text ?? "",
                placeholder: "none; \(RateLimits.example)"
            ),
            .text(
                "fallbacks",
                "Stand in",
                list(upstream?.fallbacks),
                placeholder: "none; slugs of other upstreams"
            ),
            .text("probe", "Probe", upstream?.probe?.path ?? "", placeholder: "none; /v1/models"),
            .text("probe_every", "Probe every", upstream?.probe?.interval ?? "", placeholder: "60s"),
            .text("max_attempts", "Tries", "\(retry.maxAttempts)"),
            .text("max_time", "Tries within", retry.maxTime),
            .text("max_cooldown", "Longest rest", upstream?.maxCooldown ?? "24h"),
            .text("connect", "Connect within", timeouts?.connect ?? "5s"),
            .text("first_byte", "First byte within", timeouts?.firstByte ?? "10m"),
            .text("idle", "Idle at most", timeouts?.idle ?? "2m"),
            .text(
                "strip_headers",
                "Cut headers",
                upstream.map { list($0.stripHeaders) } ?? "x-forwarded-for, cookie"
            ),
            .text("strip_query", "Cut query", list(upstream?.stripQuery)),
            .text("strip_body_fields", "Cut body fields", list(upstream?.stripBodyFields)),
            .choice(
                "accept_encoding",
                "Encoding",
                AcceptEncoding.allCases.map(\.rawValue),
                upstream?.acceptEncoding.rawValue
            ),
            .text("ca_file", "CA file", upstream?.caFile ?? "", placeholder: "the system's authorities"),
            .text("proxy_url", "Proxy", upstream?.proxyUrl ?? "", placeholder: "none; http://proxy:3128"),
        ]
        return Form(
            title: upstream.map { "Edit \($0.slug)" } ?? "New upstream",
            submitLabel: upstream == nil ? "Create" : "Save",
            fields: fields
        )
    }

    private static func list(_ words: [String]?) -> String { (words ?? []).joined(separator: ", ") }

    static func field(of parameter: String) -> String? {
        if parameter == "probe.interval" { return "probe_every" }
        let parts = parameter.split(separator: ".").map(String.init)
        if let first = parts.first, ["limits", "fallbacks", "probe"].contains(first) { return first }
        return parts.last
    }

    static func check(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        if isComplete {
            let isNew = form.fields.first?.id == "slug"
            if isNew, form.word("slug").isEmpty { form.errors["slug"] = "needs a slug" }
            if form.word("base_url").isEmpty { form.errors["base_url"] = "needs an address" }
        }
        let url = form.word("base_url")
        if !url.isEmpty, !"https://".hasPrefix(url), !"http://".hasPrefix(url),
            !url.hasPrefix("http://"), !url.hasPrefix("https://")
        {
            form.errors["base_url"] = "begins with http:// or https://"
        }
        for id in ["probe_every", "max_time", "max_cooldown", "connect", "first_byte", "idle"] {
            let text = form.word(id)
            if !text.isEmpty, Duration(text: text) == nil { form.errors[id] = "as in 500ms, 10s or 24h" }
        }
        if !form.word("probe").isEmpty, !form.word("probe").hasPrefix("/") {
            form.errors["probe"] = "begins with /"
        }
        if form.word("probe").isEmpty, !form.word("probe_every").isEmpty {
            form.errors["probe"] = "needs a path"
        }
        if Int(form.word("max_attempts")) == nil { form.errors["max_attempts"] = "a number from 1 to 20" }
        do throws(OperationsError) {
            _ = try RateLimits(text: form.text("limits"))
        } catch {
            form.errors["limits"] = error.message
        }
    }

    /// What the fields change; every field of a new one, those that differ of one that is there.
    static func change(_ form: Form, of upstream: Upstream?) -> UpstreamChange? {
        // What does not hold was said beside its field.
        guard let limits = try? RateLimits(text: form.text("limits")) else { return nil }
        var change = UpstreamChange()
        func differs(_ id: String) -> Bool { upstream == nil || !form.isUntouched(id) }
        func text(_ id: String) -> Change<String> {
            guard differs(id) else { return .keep }
            return form.word(id).isEmpty ? .clear : .set(form.word(id))
        }
        func words(_ id: String) -> Change<[String]> { differs(id) ? .set(form.list(id)) : .keep }
        (change.name, change.maxCooldown, change.caFile) = (
            text("name"), text("max_cooldown"), text("ca_file")
        )
        change.proxyUrl = text("proxy_url")
        if upstream != nil { change.baseUrl = text("base_url") }
        if let strategy = form.choice("strategy").flatMap(KeyStrategy.init), strategy != upstream?.strategy {
            change.strategy = .set(strategy)
        }
        if let encoding = form.choice("accept_encoding").flatMap(AcceptEncoding.init),
            encoding != upstream?.acceptEncoding
        {
            change.acceptEncoding = .set(encoding)
        }
        if differs("limits") { change.limits = .set(limits.change) }
        change.fallbacks = words("fallbacks")
        change.stripHeaders = words("strip_headers")
        change.stripQuery = words("strip_query")
        change.stripBodyFields = words("strip_body_fields")
        if differs("probe") || differs("probe_every") {
            let interval = form.word("probe_every")
            change.probe =
                form.word("probe").isEmpty
                ? .clear : .set(Probe(path: form.word("probe"), interval: interval.isEmpty ? nil : interval))
        }
        if differs("max_attempts") || differs("max_time") {
            change.retry = .set(
                RetryChange(maxAttempts: Int(form.word("max_attempts")), maxTime: form.given("max_time"))
            )
        }
        if differs("connect") || differs("first_byte") || differs("idle") {
            change.timeouts = .set(
                TimeoutsChange(
                    connect: form.given("connect"),
                    firstByte: form.given("first_byte"),
                    idle: form.given("idle")
                )
            )
        }
        return change
    }
}
