import Operations

/// What each form checks, and what becomes of it.
extension ConsoleState {
    func check(_ form: inout Form, _ purpose: Overlay.FormPurpose, isComplete: Bool = false) {
        switch purpose {
        case .newKey, .editKey: KeyForm.check(&form, now: now, zone: zone, isComplete: isComplete)
        case .newPoolKey, .editPoolKey: PoolForm.check(&form, isComplete: isComplete)
        case .newUpstream, .editUpstream: UpstreamForm.check(&form, isComplete: isComplete)
        case .newRule, .editRule: RuleForm.check(&form, isComplete: isComplete)
        case .testRules: RuleForm.checkTest(&form, isComplete: isComplete)
        case .newHeader, .editHeader: HeaderForm.check(&form, isComplete: isComplete)
        case .saveScript: ScriptForms.checkSave(&form, scripts, upstreams, isComplete: isComplete)
        case .scriptContext: ScriptForms.checkContext(&form, isComplete: isComplete)
        case .newChannel, .editChannel: ChannelForm.check(&form, isComplete: isComplete)
        case .taskInterval: ChannelForm.checkInterval(&form)
        case .importKeys: Self.checkImport(&form, isComplete: isComplete)
        case .backup: BackupForm.check(&form, isComplete: isComplete)
        case .banReason: PoolForm.checkReason(&form)
        }
    }

    /// What handing it in does; nil when it does not hold.
    func effect(of form: Form, _ purpose: Overlay.FormPurpose) -> ConsoleEffect? {
        switch purpose {
        case .newKey, .editKey:
            return KeyForm.change(form, purpose, now: now, zone: zone).map { .change($0) }
        case .newPoolKey: return PoolForm.edit(form, of: nil, upstreams.all).map { .change(.pool($0)) }
        case .editPoolKey(let key):
            return PoolForm.edit(form, of: key, upstreams.all).map { .change(.pool($0)) }
        case .newUpstream:
            return UpstreamForm.change(form, of: nil).map { change in
                let draft = UpstreamDraft(slug: form.word("slug"), baseUrl: form.word("base_url"), change)
                return .change(.upstream(.create(draft)))
            }
        case .editUpstream(let upstream):
            return UpstreamForm.change(form, of: upstream).map { change in
                let (id, slug, version) = (upstream.id, upstream.slug, upstream.version)
                return .change(.upstream(.change(id: id, slug: slug, version: version, change)))
            }
        case .newRule: return RuleForm.edit(form, of: nil, upstreams).map { .change(.rule($0)) }
        case .editRule(let rule): return RuleForm.edit(form, of: rule, upstreams).map { .change(.rule($0)) }
        case .testRules: return .ask(.rules(RuleForm.test(form, upstreams), of: "a made-up answer"))
        case .newHeader(let upstream):
            return HeaderForm.edit(form, of: nil, upstream: (upstream.id, upstream.slug)).map {
                .change(.header($0))
            }
        case .editHeader(let rule, let upstream):
            return HeaderForm.edit(form, of: rule, upstream: (upstream.id, upstream.slug)).map {
                .change(.header($0))
            }
        case .saveScript:
            return ScriptForms.edit(form, scripts, upstreams).map { .change(.header($0)) }
        case .newChannel: return ChannelForm.edit(form, of: nil).map { .change(.alert($0)) }
        case .editChannel(let channel): return ChannelForm.edit(form, of: channel).map { .change(.alert($0)) }
        case .taskInterval(let task):
            return .change(.alert(.setInterval(task.name.rawValue, form.given("interval"))))
        case .importKeys: return Self.importEffect(form)
        case .backup: return BackupForm.effect(form)
        case .banReason(let edit): return .change(.pool(edit.because(form.given("reason"))))
        // Nothing that the gateway has to know of.
        case .scriptContext: return nil
        }
    }
}

extension Overlay.FormPurpose {
    /// The form's field for a parameter that the gateway has refused.
    func field(of parameter: String) -> String? {
        switch self {
        case .newKey, .editKey: KeyForm.field(of: parameter)
        case .newPoolKey, .editPoolKey: PoolForm.field(of: parameter)
        case .newUpstream, .editUpstream: UpstreamForm.field(of: parameter)
        case .newRule, .editRule, .testRules: RuleForm.field(of: parameter)
        case .newHeader, .editHeader, .saveScript: HeaderForm.field(of: parameter)
        case .newChannel, .editChannel, .taskInterval: ChannelForm.field(of: parameter)
        // What does not hold of a file is what does not hold of its place here.
        case .importKeys, .backup: "path"
        case .banReason: "reason"
        case .scriptContext: nil
        }
    }
}

extension Overlay {
    /// A form that was handed in and is not answered yet.
    var isBusyForm: Bool {
        if case .form(let form, _) = self { form.isBusy } else { false }
    }
}

extension ConsoleChange {
    /// What has to be fetched again after it.
    var loads: [ConsoleEffect] {
        switch self {
        case .pool: [.loadPool, .loadUpstreams]
        case .upstream: [.loadUpstreams, .loadPool, .loadKeys]
        case .rule: [.loadRules]
        case .header: [.loadHeaders]
        case .alert: [.loadAlerts]
        case .cut: []
        case .takeBack(_, _, let change): change?.loads ?? []
        default: [.loadKeys]
        }
    }
}

extension ConsoleQuestion {
    var title: String {
        switch self {
        case .upstream(_, let slug): "Test of \(slug)"
        case .upstreamKey(_, let name): "Test of \(name)"
        case .rules: "What the rules make of it"
        case .channel(_, let name): "Test of \(name)"
        case .template(let event): "Text for \(event.rawValue)"
        }
    }
}
