import Operations

/// The form of a client key: its fields, what they must be, and what they become.
enum KeyForm {
    static let overlaps: [(label: String, key: Key, duration: Duration)] = [
        ("At once", Key("n"), .zero), ("In 1 hour", Key("h"), .seconds(3600)),
        ("In 1 day", Key("d"), .seconds(86_400)),
    ]

    static func make(_ key: ClientKey?, upstreams: [Upstream], zone: Int) -> Form {
        let permissions = key?.permissions ?? ClientKeyPermissions()
        let allowed = Set(permissions.upstreams)
        // Names that no upstream has any more stay choices, so that saving does not silently drop them.
        let names =
            upstreams.map(\.slug)
            + allowed.filter { name in !upstreams.contains { $0.slug == name } }.sorted()
        var form = Form(
            title: key.map { "Edit \($0.name)" } ?? "New client key",
            submitLabel: key == nil ? "Create" : "Save",
            fields: [
                .text("name", "Name", key?.name ?? "", placeholder: "what the logs call it"),
                .text("owner", "Owner", key?.owner ?? "", placeholder: "a user or team, may be empty"),
                .text(
                    "expires_at",
                    "Expires",
                    key?.expiresAt.map { TimeText.date($0, zone: zone) } ?? "",
                    placeholder: "never; 90d, in 3 weeks, 2027-02-19"
                ),
                Form.Field(
                    id: "upstreams",
                    label: "Upstreams",
                    kind: .choices(
                        [.init(name: "all", isOn: allowed.isEmpty, isAll: true)]
                            + names.map { .init(name: $0, isOn: allowed.contains($0)) },
                        cursor: 0
                    )
                ),
                .text(
                    "paths",
                    "Paths",
                    permissions.paths.joined(separator: ", "),
                    placeholder: "all; /v1/chat/*, /v1/models"
                ),
                .text("models", "Models", permissions.models.joined(separator: ", "), placeholder: "all"),
                .text(
                    "cidrs",
                    "From",
                    permissions.cidrs.joined(separator: ", "),
                    placeholder: "anywhere; 10.0.0.0/8"
                ),
                .text(
                    "limits",
                    "Limits",
                    key?.limits.text ?? "",
                    placeholder: "none; \(RateLimits.example)"
                ),
                .text(
                    "quota",
                    "Quota",
                    key?.quota?.quota.text ?? "",
                    placeholder: "none; \(Quota.example)"
                ),
                .text("notes", "Notes", key?.notes ?? ""),
            ]
        )
        form.notes["upstreams"] = upstreamNote(form)
        return form
    }

    /// The form's field for a parameter that the gateway has refused.
    static func field(of parameter: String) -> String? {
        if let whole = ["limits", "quota"].first(where: parameter.hasPrefix) { return whole }
        let last = parameter.split(separator: ".").last.map(String.init) ?? parameter
        let name = last.prefix { $0 != "[" }
        return ["name", "owner", "expires_at", "upstreams", "paths", "models", "cidrs", "notes"].first {
            $0 == name
        }
    }

    /// Judges what stands in the fields; an empty name only when the form is handed in.
    static func check(_ form: inout Form, now: Timestamp, zone: Int, isComplete: Bool = false) {
        form.errors = [:]
        form.notes = [:]
        if isComplete, form.text("name").trimmingSpaces().isEmpty { form.errors["name"] = "needs a name" }
        if !form.isUntouched("expires_at") {
            switch TimeText.expiry(form.text("expires_at"), now: now, zone: zone) {
            case .success(let moment):
                if let moment, form.text("expires_at").count != 10 {
                    form.notes["expires_at"] = TimeText.date(moment, zone: zone)
                }
            case .failure(let fault): form.errors["expires_at"] = fault.message
            }
        }
        for path in list(form, "paths") where !path.hasPrefix("/") {
            form.errors["paths"] = "\(path) must begin with /"
        }
        for range in list(form, "cidrs") where !range.contains(where: { $0 == "." || $0 == ":" }) {
            form.errors["cidrs"] = "\(range) is no address"
        }
        do throws(OperationsError) {
            _ = try RateLimits(text: form.text("limits"))
        } catch {
            form.errors["limits"] = error.message
        }
        do throws(OperationsError) {
            _ = try Quota.parse(form.text("quota"))
        } catch {
            form.errors["quota"] = error.message
        }
        form.notes["upstreams"] = upstreamNote(form)
        if isComplete, form.choices("upstreams")?.isEmpty ?? false {
            form.errors["upstreams"] = "allow at least one"
        }
    }

    private static func upstreamNote(_ form: Form) -> String? {
        form.choices("upstreams") == nil ? "new ones too" : nil
    }

    private static func list(_ form: Form, _ id: String) -> [String] {
        form.text(id).split(separator: ",").map { String($0).trimmingSpaces() }.filter {
            !$0.isEmpty && $0 != "all"
        }
    }

    static func change(
        _ form: Form,
        _ purpose: Overlay.FormPurpose,
        now: Timestamp,
        zone: Int
    ) -> ConsoleChange? {
        var fields = ClientKeyDraftFields()
        fields.name = form.text("name").trimmingSpaces()
        fields.owner = form.text("owner").trimmingSpaces()
        fields.notes = form.text("notes")
        fields.permissions = ClientKeyPermissions(
            upstreams: form.choices("upstreams") ?? [],
            paths: list(form, "paths"),
            models: list(form, "models"),
            cidrs: list(form, "cidrs")
        )
        do throws(OperationsError) {
            fields.limits = try RateLimits(text: form.text("limits"))
            fields.quota = try Quota.parse(form.text("quota"))
        } catch {
            return nil
        }
        // A date shows no time of day: untouched, the old moment stays.
        if case .editKey(let key) = purpose, form.isUntouched("expires_at") {
            fields.expiresAt = key.expiresAt
        } else if case .success(let expiry) = TimeText.expiry(form.text("expires_at"), now: now, zone: zone) {
            fields.expiresAt = expiry
        } else {
            return nil
        }
        guard case .editKey(let key) = purpose else { return .createKey(fields) }
        return .editKey(id: key.id, name: key.name, version: key.version, fields)
    }

    /// The one time that the whole key is shown.
    static func secret(_ key: ClientKey, address: String?, upstream: String?) -> Overlay.Secret {
        let path = key.permissions.upstreams.first ?? upstream ?? "UPSTREAM"
        let place = address.map { $0.replacing("0.0.0.0", with: "127.0.0.1") } ?? "127.0.0.1:8514"
        return Overlay.Secret(
            title: "Client key \(key.name)",
            value: key.key ?? "",
            lines: [
                "Shown this once: the gateway keeps only its digest.",
                "Send it as X-API-Key, or as Authorization: Bearer, to",
                "http://\(place)/proxy/\(path)/",
            ]
        )
    }
}
