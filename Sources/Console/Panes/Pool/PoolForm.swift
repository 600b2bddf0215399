import Operations

/// The form of an upstream key: its fields, what they must be, and what they become.
enum PoolForm {
    /// `upstream`: the slug that a new one is most likely for.
    static func make(_ key: UpstreamKey?, _ upstreams: [Upstream], upstream: String? = nil) -> Form {
        var fields: [Form.Field] = []
        if key == nil {
            fields.append(.choice("upstream_id", "Upstream", upstreams.map(\.slug), upstream))
        }
        fields += [
            .text("name", "Name", key?.name ?? "", placeholder: "what logs and lists call it"),
            .secret("key_value", "Value", placeholder: key == nil ? "the provider's credential" : "as it is"),
            .choice("location", "Goes into", KeyLocation.allCases.map(\.rawValue), key?.location.rawValue),
            .text(
                "param_name",
                "As",
                key?.paramName ?? "Authorization",
                placeholder: "header, parameter or field"
            ),
            .text("value_prefix", "Prefix", key?.valuePrefix ?? "Bearer "),
            .text("weight", "Weight", "\(key?.weight ?? 1)"),
            .text("priority", "Priority", "\(key?.priority ?? 0)"),
            .text("limits", "Limits", key?.limits.text ?? "", placeholder: "none; \(RateLimits.example)"),
            .text("quota", "Quota", key?.quota?.text ?? "", placeholder: "none; 500 requests/day"),
        ]
        if key?.quota != nil {
            fields.append(.text("quota_used", "Used", "\(key?.quotaUsed ?? 0)"))
        }
        return Form(
            title: key.map { "Edit \($0.upstream)/\($0.name)" } ?? "New upstream key",
            submitLabel: key == nil ? "Add" : "Save",
            fields: fields
        )
    }

    /// What whoever finds the keys banned is to know.
    static func makeReason(_ edit: PoolEdit) -> Form {
        Form(
            title: "Ban \(edit.object)",
            submitLabel: "Ban",
            fields: [.text("reason", "Why", placeholder: "leaked in ticket 4711", limit: reasonLimit)]
        )
    }

    /// In bytes, as the gateway counts them.
    private static let reasonLimit = 500

    static func checkReason(_ form: inout Form) {
        let isTooLong = form.word("reason").utf8.count > reasonLimit
        form.errors = isTooLong ? ["reason": "at most \(reasonLimit) bytes"] : [:]
    }

    static func field(of parameter: String) -> String? {
        if let whole = ["limits", "quota_used"].first(where: parameter.hasPrefix) { return whole }
        return parameter.contains("quota") ? "quota" : parameter
    }

    static func check(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        let isNew = form.fields.first?.id == "upstream_id"
        if isComplete, form.word("name").isEmpty { form.errors["name"] = "needs a name" }
        if isComplete, isNew, form.text("key_value").isEmpty { form.errors["key_value"] = "needs a value" }
        if isComplete, isNew, form.choice("upstream_id") == nil {
            form.errors["upstream_id"] = "there is none yet: 6, then n makes one"
        }
        for (id, range) in [("weight", 1...1000), ("priority", 0...1000)] {
            if Int(form.word(id)).map(range.contains) != true {
                form.errors[id] = "from \(range.lowerBound) to \(range.upperBound)"
            }
        }
        if form.word("param_name").isEmpty { form.errors["param_name"] = "needs a name" }
        if !form.word("quota_used").isEmpty, Int(form.word("quota_used")).map({ $0 < 0 }) ?? true {
            form.errors["quota_used"] = "a number from 0"
        }
        do throws(OperationsError) {
            _ = try RateLimits(text: form.text("limits"))
        } catch {
            form.errors["limits"] = error.message
        }
        do throws(OperationsError) {
            let quota = try Quota.parse(form.text("quota"))
            if quota?.unit == .tokens { form.errors["quota"] = "counts requests, as in 500 requests/day" }
        } catch {
            form.errors["quota"] = error.message
        }
    }

    static func edit(_ form: Form, of key: UpstreamKey?, _ upstreams: [Upstream]) -> PoolEdit? {
        // What does not hold was said beside its field.
        guard let limits = try? RateLimits(text: form.text("limits")) else { return nil }
        // No quota is one, too: nil.
        guard case .success(let quota) = Result(catching: { try Quota.parse(form.text("quota")) }) else {
            return nil
        }
        guard let key else {
            guard let upstream = upstreams.first(where: { $0.slug == form.choice("upstream_id") }) else {
                return nil
            }
            var draft = UpstreamKeyDraft(
                upstreamId: upstream.id,
                name: form.word("name"),
                keyValue: form.text("key_value")
            )
            draft.location = form.choice("location").flatMap(KeyLocation.init)
            (draft.paramName, draft.valuePrefix) = (form.word("param_name"), form.text("value_prefix"))
            (draft.weight, draft.priority) = (Int(form.word("weight")), Int(form.word("priority")))
            draft.limits = limits.change
            if let quota {
                (draft.enableQuota, draft.quotaTotal, draft.quotaPeriod) = (true, quota.total, quota.period)
            }
            return .add(draft, upstream: upstream.slug)
        }
        var change = UpstreamKeyChange()
        func text(_ id: String) -> Change<String> { form.isUntouched(id) ? .keep : .set(form.text(id)) }
        (change.name, change.paramName, change.valuePrefix) = (
            text("name"), text("param_name"), text("value_prefix")
        )
        if !form.text("key_value").isEmpty { change.keyValue = .set(form.text("key_value")) }
        if let location = form.choice("location").flatMap(KeyLocation.init), location != key.location {
            change.location = .set(location)
        }
        if let weight = Int(form.word("weight")), weight != key.weight { change.weight = .set(weight) }
        if let priority = Int(form.word("priority")), priority != key.priority {
            change.priority = .set(priority)
        }
        if !form.isUntouched("limits") { change.limits = .set(limits.change) }
        if !form.isUntouched("quota") {
            change.enableQuota = .set(quota != nil)
            if let quota { (change.quotaTotal, change.quotaPeriod) = (.set(quota.total), .set(quota.period)) }
        }
        if !form.isUntouched("quota_used"), let used = Int(form.word("quota_used")) {
            change.quotaUsed = .set(used)
        }
        return .change(id: key.id, name: "\(key.upstream)/\(key.name)", version: key.version, change)
    }
}

extension UpstreamKey {
    /// nil while it is not counted.
    var quota: Quota? {
        enableQuota ? quotaTotal.map { Quota(unit: .requests, total: $0, period: quotaPeriod) } : nil
    }
}
